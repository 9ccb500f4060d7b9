"""What the desk tells everybody: snapshots of grid instants, market time, where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from htbot.desk.watch import Standing
from htbot.domain.accounts import ACCOUNT_TAGS, AccountFigures
from htbot.marketdata.clock_state import ClockState
from htbot.marketdata.snapshot import AccountState, ListedOption, Snapshot
from htbot.persistence.records import Account
from htbot.persistence.repositories import DeskStateRepository
from htbot.persistence.repositories.desk_state import UNPROTECTED_S

if TYPE_CHECKING:
    from htbot.desk.desk import Desk

_UNCHANGED = timedelta(seconds=1)


class Notices:
    """Reads the desk and publishes; changes nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ticker: Snapshot | None = None

    async def publish_grid(self, as_of: datetime) -> None:
        """The one snapshot of a grid instant and underlying, for every decision of it."""
        closed = self._desk.parts.watch.take_last_closed()
        standing = self._standing()
        snapshot = self._desk.parts.watch.snapshot(self._desk.parts.session, as_of, standing, last_closed=closed)
        others = self._desk.parts.watch.others(self._desk.parts.session, as_of, standing)
        accounts = [self._account(name, as_of) for name in self._desk.followed.all]
        unprotected = self._desk.protection.to_store()
        if unprotected is not None:
            self._desk.ledger.post(lambda db: DeskStateRepository(db).set(UNPROTECTED_S, unprotected))
        await self._desk.parts.bulletin.grid((snapshot, *others), self.clock_state(as_of), accounts)

    def _account(self, name: str, as_of: datetime) -> Account:
        """The row of an account."""
        told = self.amounts(name)
        return Account(
            account=name,
            name="main" if name == self._desk.account else name,
            world_id=self._desk.world_id,
            mode=self._desk.clock.mode.value,
            as_of=as_of,
            net_liquidation_usd=told.get("NetLiquidation"),
            buying_power_usd=told.get("BuyingPower"),
            cash_usd=told.get("TotalCashValue"),
        )

    def _standing(self, asked: tuple[ListedOption, ...] = (), *, figures: bool = True) -> Standing:
        """Where the desk stands; without `figures` what the accounts are worth is left out."""
        desk = self._desk
        return Standing(
            world_id=desk.world_id,
            connected=desk.connection == "connected",
            accounts={name: self._state(name, self.amounts(name) if figures else {}) for name in desk.followed.all},
            held=frozenset(desk.guard.held),
            asked=asked,
        )

    def _state(self, name: str, told: Mapping[str, Decimal]) -> AccountState:
        return AccountState(
            net_liquidation=told.get("NetLiquidation"),
            buying_power=told.get("BuyingPower"),
            figures=AccountFigures.of_tags(told),
            trading_enabled=self._desk.enabled and self._desk.agreement.enters(name),
        )

    def snapshot_now(self, asked: tuple[ListedOption, ...]) -> Snapshot:
        """The market at this moment, for somebody who asks; grid instants are published."""
        now = self._desk.clock.now()
        return self._desk.parts.watch.snapshot(self._desk.parts.session, now, self._standing(asked))

    async def publish_ticker(self, now: datetime) -> None:
        """Prices to show; unchanged ones once a market second."""
        parts = self._desk.parts
        ticker, last = parts.watch.ticker(parts.session, now, self._standing(figures=False)), self._ticker
        if ticker is None or (last is not None and _same(last, ticker) and ticker.as_of - last.as_of < _UNCHANGED):
            return
        self._ticker = ticker
        await parts.bulletin.ticker(ticker)

    async def publish_clock(self) -> None:
        """Market time and standing; before the broker has told the time there is nothing to say."""
        if self._desk.clock.known:
            await self._desk.parts.bulletin.clock(self.clock_state(self._desk.clock.now()))

    def clock_state(self, market_time: datetime) -> ClockState:
        """What `htbot:clock` says."""
        return ClockState(
            market_time=market_time,
            written_at=datetime.now(UTC),
            mode=self._desk.clock.mode,
            speed=self._desk.clock.speed,
            world_id=self._desk.world_id,
            account=self._desk.account,
            connection=self._desk.connection,
            trading_enabled=self._desk.enabled and self._desk.agreement.enters(self._desk.account),
            reason=self._desk.reason or self._desk.agreement.trouble or "; ".join(self._desk.followed.troubles) or None,
            others=self._desk.followed.all[1:],
        )

    def amounts(self, account: str) -> dict[str, Decimal]:
        """Figures of an account that the broker has told."""
        told = {tag: self._desk.parts.session.account_amount(account, tag) for tag in ACCOUNT_TAGS}
        return {tag: amount for tag, amount in told.items() if amount is not None}


def _same(before: Snapshot, after: Snapshot) -> bool:
    """True when there is nothing new to show but the time."""
    if (before.spot, before.open_bar, before.quotes.keys()) != (after.spot, after.open_bar, after.quotes.keys()):
        return False
    return all(
        replace(quote, as_of=before.as_of) == replace(after.quotes[con_id], as_of=before.as_of)
        for con_id, quote in before.quotes.items()
    )
