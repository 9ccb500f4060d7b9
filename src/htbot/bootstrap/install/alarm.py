"""`python -m htbot.bootstrap.install.alarm`: supervisord's event listener, which tells a person of programs that die.

It is a process of its own: the one that crashed cannot report it. Once a minute it makes its rounds (`watchman`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TextIO

from supervisor import childutils

from htbot.alerts.message import Fact, Message
from htbot.bootstrap.install.watchman import Watchman, rounds_of
from htbot.domain.alerts import Severity
from htbot.settings import Settings, load_settings
from htbot.telemetry.logs import configure_logging, get_logger

EVENTS = {
    "PROCESS_STATE_FATAL": ("does not start any more", Severity.CRITICAL),
    "PROCESS_STATE_BACKOFF": ("ended right after its start", Severity.WARNING),
    "PROCESS_STATE_EXITED": ("ended unexpectedly and is started again", Severity.WARNING),
}
_MEANWHILE = {
    "api": "REST and dashboard are away; trading goes on.",
    "beat": "Nothing new is decided and mails wait until it runs; exits go on.",
    "desk": "Nothing is entered, and open trades have no guard until it runs, but for stops that stand at the broker.",
    "paper": "Nothing is filled until it runs.",
    "postgres": "Nothing is entered until it runs; exits go on.",
    "redis": "Nothing new is decided until it runs; exits go on.",
    "worker": "Nothing new is decided and mails wait until it runs; exits go on.",
}
QUIET = timedelta(minutes=15)
"""The same program in the same state is told once in this time, and then how often it happened."""

TICK = "TICK_60"
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ProgramEvent:
    """One change of state as supervisord reports it."""

    name: str
    program: str
    pid: str
    expected: bool

    @classmethod
    def parse(cls, headers: Mapping[str, str], payload: str) -> ProgramEvent:
        """Read an event's headers and payload, both `key:value` words."""
        fields = dict(word.split(":", 1) for word in payload.split())
        return cls(
            name=headers["eventname"],
            program=fields["processname"],
            pid=fields.get("pid", ""),
            expected=fields.get("expected", "0") == "1",
        )


@dataclass(slots=True)
class _Told:
    at: datetime
    since: int = 0


class Collapsed:
    """Remembers what was told of which program: a program that crashes again and again is one cause.

    It lives in this process, because the record may be what has died.
    """

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], _Told] = {}

    def happened(self, event: ProgramEvent, now: datetime) -> int | None:
        """How often it happened since it was last told, this time included; None when it is too early to tell again."""
        key = (event.program, event.name)
        last = self._told.get(key)
        if last is not None and now - last.at < QUIET:
            last.since += 1
            return None
        self._told[key] = _Told(now)
        return 1 if last is None else last.since + 1


def message_for(event: ProgramEvent, settings: Settings, now: datetime, times: int = 1) -> Message | None:
    """What to tell about an event; None when it is nothing to tell. `times`: see `Collapsed.happened`."""
    if event.name not in EVENTS or event.expected:
        return None
    what, severity = EVENTS[event.name]
    state = event.name.rpartition("_")[2].lower()
    log = f"{event.program}.txt" if event.program in {"postgres", "redis"} else f"{event.program}.log"
    facts = [Fact("Program", event.program), Fact("Log", str(settings.paths.log / log))]
    if event.pid:
        facts.append(Fact("Pid", event.pid))
    if times > 1:
        facts.append(Fact("Times", f"{times} since the last message"))
    facts.append(Fact("What to do", "htbot doctor, and docs/runbooks/HT-PROC-01.md"))
    return Message(
        kind="program",
        severity=severity,
        title=f"{event.program} {what}",
        summary=f"The program {event.program} {what}. {_MEANWHILE.get(event.program, '')}".rstrip(),
        as_of=now,
        dedup_key=f"program:{event.program}:{state}:{int(now.timestamp() // QUIET.total_seconds())}",
        facts=facts,
        params={"program": event.program, "state": state},
    )


def listen(
    settings: Settings,
    tell: Callable[[Message], bool],
    stdin: TextIO,
    stdout: TextIO,
    on_minute: Callable[[], None] = lambda: None,
) -> None:
    """Answer supervisord's events until it closes the pipe."""
    collapsed = Collapsed()
    while True:
        childutils.listener.ready(stdout)
        line = stdin.readline()
        if not line:
            return
        headers = childutils.get_headers(line)
        payload = stdin.read(int(headers["len"]))
        if headers["eventname"] == TICK:
            on_minute()
            childutils.listener.ok(stdout)
            continue
        message = _heard(ProgramEvent.parse(headers, payload), collapsed, settings)
        if message is not None:
            _log.warning("program_event", title=message.title, told=tell(message))
        childutils.listener.ok(stdout)


def _heard(event: ProgramEvent, collapsed: Collapsed, settings: Settings) -> Message | None:
    now = datetime.now(UTC)
    if message_for(event, settings, now) is None:
        return None
    times = collapsed.happened(event, now)
    return None if times is None else message_for(event, settings, now, times)


def main() -> None:
    """Run as an event listener: standard output belongs to the protocol, logs go to standard error."""

    def tell(message: Message) -> bool:
        from htbot.bootstrap.install.telling import tell as deliver  # loads SQLAlchemy: only when something died

        return deliver(load_settings(), message)

    settings = load_settings()
    configure_logging("alarm", level=settings.paths.log_level)
    watchman = Watchman(rounds_of(settings), tell, settings)
    listen(settings, tell, sys.stdin, sys.stdout, watchman.on_minute)


if __name__ == "__main__":
    main()
