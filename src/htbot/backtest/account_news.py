"""What a broker tells of an account, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.spread_feed import Money
from htbot.domain.sessions import Session

TOLD_EVERY = timedelta(seconds=180)
"""A broker tells the values of an account so often, and on every fill of the login."""


class AccountNews:
    """The values of an account as they were told last. `since` is when the broker began to, None tells them at once."""

    def __init__(self, account: SpreadAccount, since: datetime | None) -> None:
        self._account = account
        self._since = since
        self._told: Money | None = None
        self._told_at = datetime.min.replace(tzinfo=UTC)

    def hear(self, session: Session, now: datetime, *, filled: bool) -> None:
        """An instant; `filled` when any account of the login has traded at it."""
        if self._since is None:
            return
        at = self._since + (now - self._since) // TOLD_EVERY * TOLD_EVERY
        if self._told is None or filled or at > self._told_at:
            self._told, self._told_at = self._account.money(session, now), max(at, self._told_at)

    def money(self, session: Session, now: datetime) -> Money:
        """What is known at an instant."""
        if self._since is None or self._told is None:
            return self._account.money(session, now)
        return self._told
