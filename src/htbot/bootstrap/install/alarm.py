"""`python -m htbot.bootstrap.install.alarm`: supervisord's event listener, which tells a person of programs that die.

It is a process of its own: the one that crashed cannot report it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO

from supervisor import childutils

from htbot.alerts.message import Fact, Message
from htbot.domain.alerts import Severity
from htbot.settings import Settings, load_settings
from htbot.telemetry.logs import configure_logging, get_logger

EVENTS = {
    "PROCESS_STATE_FATAL": ("does not start any more", Severity.CRITICAL),
    "PROCESS_STATE_BACKOFF": ("ended right after its start", Severity.WARNING),
    "PROCESS_STATE_EXITED": ("ended unexpectedly and is started again", Severity.WARNING),
}
QUIET_S = 900
"""The same program in the same state is told once per quarter of an hour."""

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


def message_for(event: ProgramEvent, settings: Settings, now: datetime) -> Message | None:
    """What to tell about an event; None when it is nothing to tell."""
    if event.name not in EVENTS or event.expected:
        return None
    what, severity = EVENTS[event.name]
    state = event.name.rpartition("_")[2].lower()
    log = f"{event.program}.txt" if event.program in {"postgres", "redis"} else f"{event.program}.log"
    facts = [Fact("Program", event.program), Fact("Log", str(settings.paths.log / log))]
    if event.pid:
        facts.append(Fact("Pid", event.pid))
    return Message(
        kind="program",
        severity=severity,
        title=f"{event.program} {what}",
        summary=f"The program {event.program} {what}.",
        as_of=now,
        dedup_key=f"program:{event.program}:{state}:{int(now.timestamp()) // QUIET_S}",
        facts=facts,
    )


def listen(settings: Settings, tell: Callable[[Message], bool], stdin: TextIO, stdout: TextIO) -> None:
    """Answer supervisord's events until it closes the pipe."""
    while True:
        childutils.listener.ready(stdout)
        line = stdin.readline()
        if not line:
            return
        headers = childutils.get_headers(line)
        payload = stdin.read(int(headers["len"]))
        message = message_for(ProgramEvent.parse(headers, payload), settings, datetime.now(UTC))
        if message is not None:
            _log.warning("program_event", title=message.title, told=tell(message))
        childutils.listener.ok(stdout)


def main() -> None:
    """Run as an event listener: standard output belongs to the protocol, logs go to standard error."""

    def tell(message: Message) -> bool:
        from htbot.bootstrap.install.telling import tell as deliver  # loads SQLAlchemy: only when something died

        return deliver(load_settings(), message)

    settings = load_settings()
    configure_logging("alarm", level=settings.paths.log_level)
    listen(settings, tell, sys.stdin, sys.stdout)


if __name__ == "__main__":
    main()
