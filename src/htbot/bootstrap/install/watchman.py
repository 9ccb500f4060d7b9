"""What the alarm does once a minute: it makes its rounds, and sends the mails that wait while nobody else can."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

from htbot.alerts.message import Message
from htbot.bootstrap.install.rounds import Hogs, Rounds, Trouble, full_disks, refusals
from htbot.services.desk_line import DeskLine
from htbot.settings import Settings
from htbot.telemetry.logs import get_logger

_log = get_logger(__name__)


def rounds_of(settings: Settings) -> Rounds:
    """What there is to look at in an instance."""
    paths, limits = settings.paths, settings.limits
    line = DeskLine(paths.run)

    def disks() -> Iterable[Trouble]:
        return full_disks((paths.log, paths.desk, paths.postgres), limits.least_free_disk_mb)

    return Rounds([partial(refusals, line), disks, Hogs(paths.var.resolve(), limits.memory_mb, line)])


class Watchman:
    """Tells of troubles by `tell`, which says whether a person was reached."""

    def __init__(self, rounds: Rounds, tell: Callable[[Message], bool], settings: Settings) -> None:
        self._rounds = rounds
        self._told = tell
        self._settings = settings

    def on_minute(self) -> None:
        """Make the rounds. The task that sends mails needs Redis."""
        found = self._rounds.look(self._tell)
        if any(trouble.kind == "redis" for trouble in found):
            _log.info("mails_sent", count=send_waiting(self._settings))

    def _tell(self, message: Message) -> bool:
        told = self._told(message)
        _log.warning("trouble", title=message.title, told=told)
        return told


def send_waiting(settings: Settings) -> int:
    """Send what waits in the outbox; returns how many were sent, none while PostgreSQL is away."""
    from htbot.bootstrap.mail import build_channels  # these load SQLAlchemy: only when they are needed
    from htbot.domain.errors import Retryable
    from htbot.persistence.engine import Database
    from htbot.services.alert_delivery import DeliveryParts, deliver_due

    database = Database(settings.database.url)
    try:
        return deliver_due(DeliveryParts(database, build_channels(settings), lambda: datetime.now(UTC)))
    except Retryable as error:
        _log.warning("outbox_away", detail=str(error))
        return 0
    finally:
        database.close()
