"""Delivery into a folder: one .eml file per alert, for machines without a mail server."""

from __future__ import annotations

import os
import re
from pathlib import Path

from htbot.adapters.mail.message import Envelope, alert_digest, compose
from htbot.alerts.message import SUBJECT_PREFIX
from htbot.domain.alerts import Alert
from htbot.domain.errors import Retryable

LOCAL_ENVELOPE = Envelope("htbot@localhost", ("operator@localhost",))


class FileDelivery:
    """Writes `<market time>-<subject>-<key>.eml`; delivering again replaces the same file."""

    name = "file"

    def __init__(self, folder: Path, envelope: Envelope = LOCAL_ENVELOPE) -> None:
        self._folder = folder
        self._envelope = envelope

    def deliver(self, alert: Alert) -> None:
        """Write one alert; its Date header is the market time, so that a replayed day leaves the same files.

        Raises:
            Refused: the message is malformed.
            Retryable: the folder cannot be written.
        """
        message = compose(alert, self._envelope, alert.as_of)
        if message.is_multipart():
            message.set_boundary(f"=={alert_digest(alert)}==")
        target = self._folder / file_name(alert)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_atomically(target, message.as_bytes())
        except OSError as error:
            raise Retryable(f"cannot write {target}: {error.strerror or error}") from error


def file_name(alert: Alert) -> str:
    """Sortable by market time, readable, and the same for the same alert."""
    title = alert.subject.removeprefix(SUBJECT_PREFIX).lower()
    slug = re.sub(r"[^a-z0-9]+", "-", title).strip("-")[:60].rstrip("-") or "alert"
    return f"{alert.as_of:%Y%m%dT%H%M%SZ}-{slug}-{alert_digest(alert)[:8]}.eml"


def _write_atomically(target: Path, content: bytes) -> None:
    """Readers of the folder see the whole file or none; mail may name an account, so only its owner reads it."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
