"""Pages while the broker stays away, at 2, 15 and 60 minutes (FAULTS 27).

The first loss of a connection is told at once (`connection_alert`) and then seldom. These come on top, once each for an
outage, however often the connection comes and goes in between without standing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from htbot.alerts.broker_away import outage_alert
from htbot.domain.alerts import Alert
from htbot.domain.trades import Trade

PAGE_AFTER = (timedelta(minutes=2), timedelta(minutes=15), timedelta(minutes=60))
# A connection that ends sooner was no end of the outage.
STANDS_AFTER = timedelta(seconds=30)


@dataclass(slots=True)
class Outage:
    """Market time of one outage, as far as this desk has seen it: one that is started anew counts from its start.

    `held` are the trades that are open, which a page names.
    """

    page: Callable[[Alert], object]
    held: Callable[[], Sequence[Trade]] = tuple
    _since: datetime | None = None
    _back_at: datetime | None = None
    _paged: int = 0

    def look(self, now: datetime, *, connected: bool, account: str, detail: str) -> None:
        """Page when the next step is reached.

        Args:
            now: market time.
            connected: the broker can be reached, IB behind it included.
            account: whose broker.
            detail: what was seen last.
        """
        if self._since is not None and now < self._since:  # another clock by now: the broker has told its own
            self._since, self._back_at = now, None
        if connected:
            self._returned(now)
            return
        self._since, self._back_at = self._since or now, None
        reached = [after for after in PAGE_AFTER if now - self._since >= after]
        if len(reached) > self._paged:
            self._paged = len(reached)
            self.page(outage_alert(self._since, reached[-1], detail, now, account, self.held()))

    def _returned(self, now: datetime) -> None:
        self._back_at = self._back_at or now
        if now - self._back_at >= STANDS_AFTER:
            self._since, self._paged = None, 0
