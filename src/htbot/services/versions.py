"""Which code runs where: processes of different versions on one record refuse to trade (FAULTS 43).

The record's schema must be the one that the code was written for, and the desk's version is the one that counts.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from htbot import __version__
from htbot.domain.errors import ConfigurationError
from htbot.persistence.records import Process
from htbot.persistence.repositories import ProcessRepository
from htbot.persistence.revisions import newest_revision

DESK = "desk"


@dataclass(frozen=True, slots=True)
class Version:
    """Version of a process's code, and the revision of the record that it was written for."""

    code: str
    revision: str


def own_version() -> Version:
    """Of this process. Take it once, at the start: the files may be newer than what runs.

    Raises:
        ConfigurationError: the migrations are not there.
    """
    return Version(__version__, newest_revision())


def disagreement(own: Version, revision: str | None, desk: Process | None) -> str | None:
    """Why a process of this version may originate nothing on this record beside this desk; None when it may."""
    if revision != own.revision:
        return (
            f"the record is at revision {revision}, this process needs {own.revision}:"
            " run htbot db upgrade and restart every process"
        )
    if desk is not None and (desk.version, desk.revision) != (own.code, own.revision):
        return (
            f"this process is htbot {own.code} at revision {own.revision}, the desk (pid {desk.pid} on {desk.host}) is"
            f" {desk.version} at {desk.revision}: restart every process"
        )
    return None


def register(session: Session, name: str, own: Version, at: datetime) -> None:
    """Note the start of a process (wall time); a desk's name begins with `desk`."""
    ProcessRepository(session).started(Process(name, socket.gethostname(), os.getpid(), own.code, own.revision, at))


def begin_desk(session: Session, name: str, own: Version, at: datetime) -> None:
    """A desk starts: on the record of its own schema or not at all (FAULTS 43, 47).

    Raises:
        ConfigurationError: the record is older or newer than the code.
    """
    trouble = version_trouble(session, own, as_desk=True)
    if trouble is not None:
        raise ConfigurationError(trouble)
    register(session, name, own, at)


def version_trouble(session: Session, own: Version, *, as_desk: bool = False) -> str | None:
    """Why this process may originate nothing, read from the record; None when it may.

    A desk is compared with the schema only: it is what the others are compared with.
    """
    processes = ProcessRepository(session)
    return disagreement(own, processes.revision(), None if as_desk else processes.newest(DESK))
