"""What the desk publishes: one snapshot per grid instant, the clock, and the account's figures in the record."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import redis
from sqlalchemy.orm import Session as Transaction

from htbot.adapters.live import LiveWriter
from htbot.desk.threads import DatabaseThread
from htbot.desk.trouble import Trouble
from htbot.marketdata.clock_state import ClockState
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.records import Account
from htbot.persistence.repositories import AccountRepository, DeskStateRepository
from htbot.persistence.repositories.desk_state import LAST_INSTANT

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bulletin:
    """Redis away costs decisions, never the desk: nothing is decided then, and exits go on."""

    live: LiveWriter
    database: DatabaseThread
    trouble: Trouble = field(default_factory=Trouble)

    async def grid(self, snapshots: Sequence[Snapshot], clock: ClockState, accounts: Sequence[Account]) -> None:
        """One instant: first the record, then everybody who reads it."""
        await self.database.insist(lambda db: _note(db, clock.market_time, accounts))
        try:
            await self.live.publish_snapshots(snapshots, clock)
        except redis.RedisError as error:
            self.trouble.refused(str(error))
            _log.warning("redis is away, nothing is decided at %s: %s", clock.market_time.isoformat(), error)
        else:
            self.trouble.over()

    async def ticker(self, ticker: Snapshot) -> None:
        """Prices for everybody who shows them; nothing is decided on them."""
        try:
            await self.live.publish_ticker(ticker)
        except redis.RedisError as error:
            _log.debug("redis is away, no prices are shown: %s", error)

    async def clock(self, state: ClockState) -> None:
        """Market time and standing, for everybody who shows or derives it."""
        try:
            await self.live.publish_clock(state)
        except redis.RedisError as error:
            self.trouble.refused(str(error))
            _log.warning("redis is away: %s", error)
        else:
            self.trouble.over()


def _note(db: Transaction, as_of: datetime, accounts: Sequence[Account]) -> None:
    DeskStateRepository(db).set(LAST_INSTANT, as_of.isoformat())
    for account in accounts:
        AccountRepository(db).upsert(account)
