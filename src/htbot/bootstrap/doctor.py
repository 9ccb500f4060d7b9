"""What is in order, what is not, and what to do about it: the checks of `htbot doctor`."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from htbot.domain.errors import HtbotError
from htbot.settings import load_settings, project_root
from htbot.settings.environment import env_file

if TYPE_CHECKING:
    from htbot.settings import Settings

OK, WARN, FAIL = "ok", "warn", "FAIL"
_LEAST_FREE_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, `ok`, `warn` or `FAIL`, and what was seen with the way out."""

    check: str
    state: str
    detail: str


def examine() -> Iterator[Finding]:
    """Every check; without settings that can be read there is only one."""
    yield Finding("python", OK if (3, 11) <= sys.version_info < (3, 14) else FAIL, sys.version.split()[0])
    try:
        read = load_settings()
    except HtbotError as error:
        yield Finding("settings", FAIL, " · ".join(str(error).splitlines()))
        return
    yield Finding("settings", OK, f"mode {read.mode}, broker {read.ib.host}:{read.ib.port}")
    for check in (_env_file, _disk, _kill_switch, _record, _versions, _redis, _api, _gateway, _mail, _precautions):
        yield _guarded(check, read)


def _guarded(check: Callable[[Settings], Finding], read: Settings) -> Finding:
    try:
        return check(read)
    except (HtbotError, OSError) as error:
        return Finding(check.__name__.strip("_"), FAIL, " ".join(str(error).split()))


def _env_file(_read: Settings) -> Finding:
    path = env_file(project_root(), os.environ)
    if not path.is_file():
        return Finding("env_file", WARN, f"{path} is not there: ./restart.sh makes it")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Finding("env_file", FAIL, f"{path} has mode {mode:o} and holds secrets: chmod 600 {path}")
    return Finding("env_file", OK, str(path))


def _disk(read: Settings) -> Finding:
    folder = next(path for path in (read.paths.var, *read.paths.var.parents) if path.exists())
    usage = shutil.disk_usage(folder)
    state = OK if usage.free >= usage.total * _LEAST_FREE_SHARE else WARN
    return Finding("disk", state, f"{usage.free / 2**30:.1f} GiB of {usage.total / 2**30:.0f} free at {folder}")


def _kill_switch(read: Settings) -> Finding:
    from htbot.services.kill_switch import KillSwitch

    switch = KillSwitch(read.paths.kill_switch_file)
    switch.require_safe()
    return Finding("kill_switch", WARN, switch.told()) if switch.present() else Finding("kill_switch", OK, "no file")


def _record(read: Settings) -> Finding:
    from sqlalchemy.exc import OperationalError

    from htbot.persistence.migrations import require_head

    try:
        require_head(read.database.url)
    except OperationalError as error:
        return Finding("record", FAIL, f"PostgreSQL does not answer: {' '.join(str(error.orig).split())}")
    return Finding("record", OK, "PostgreSQL answers, the schema is this code's")


def _versions(read: Settings) -> Finding:
    """The desk runs this code, and so does every process that ever started here (FAULTS 43)."""
    from htbot.persistence.engine import Database
    from htbot.persistence.repositories import ProcessRepository
    from htbot.services.versions import DESK, own_version

    own = own_version()
    database = Database(read.database.url)
    try:
        with database.transaction() as session:
            processes = ProcessRepository(session)
            found, desk = processes.all(), processes.newest(DESK)
    finally:
        database.close()
    others = [
        f"{process.name} (pid {process.pid}) is {process.version} at {process.revision}"
        for process in found
        if (process.version, process.revision) != (own.code, own.revision)
    ]
    if others:
        state = FAIL if desk is not None and (desk.version, desk.revision) != (own.code, own.revision) else WARN
        return Finding("versions", state, f"{'; '.join(others)}; this is {own.code} at {own.revision}: ./restart.sh")
    return Finding("versions", OK, f"htbot {own.code}, schema {own.revision}")


def _redis(read: Settings) -> Finding:
    from htbot.adapters.live import LiveReader
    from htbot.services.desk_view import look

    desk = look(LiveReader(read.redis.url), datetime.now(UTC))
    if desk.state == "unknown":
        return Finding("redis", FAIL, "Redis does not answer: ./restart.sh")
    state = OK if desk.state == "running" and desk.connection == "connected" else FAIL
    return Finding("desk", state, f"{desk.state}, broker session: {desk.connection}")


def _api(read: Settings) -> Finding:
    import httpx

    try:
        answer = httpx.get(f"{read.api.url}/ready", timeout=3, trust_env=False, verify=read.api.trust or True)
    except httpx.HTTPError as error:
        return Finding("api", FAIL, f"{read.api.url} does not answer ({type(error).__name__}): see var/log/api.log")
    state = OK if answer.status_code == httpx.codes.OK else FAIL
    return Finding("api", state, f"{read.api.url}/ready says {answer.status_code}")


def _gateway(read: Settings) -> Finding:
    with socket.create_connection((read.ib.host, read.ib.port), timeout=3):
        return Finding("gateway", OK, f"{read.ib.host}:{read.ib.port} accepts connections")


def _mail(read: Settings) -> Finding:
    from htbot.bootstrap.mail import build_channels

    names = [channel.name for channel in build_channels(read)]
    where = f"; mails are files in {read.paths.mail}" if read.mail.to_files else ""
    return Finding("mail", OK, ", ".join(names) + where)


def _precautions(read: Settings) -> Finding:
    """Nobody is there to answer a dialog, so the gateway must not show one (RULINGS 16)."""
    if read.ib.builtin_paper:
        return Finding("gateway_settings", OK, "the built-in paper gateway asks nothing")
    return Finding(
        "gateway_settings",
        WARN,
        "cannot be read from here, make sure by hand: API > Precautions > 'Bypass Order Precautions for API Orders' on"
        " (a dialog would hold orders until somebody clicks; htbot's own limits stand before every entry), 'Read-Only"
        " API' off, trusted IP 127.0.0.1 only",
    )
