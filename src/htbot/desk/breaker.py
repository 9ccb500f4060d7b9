"""The circuit breaker as the desk runs it: figures together, a judgement, and what follows from a trip (RULINGS 13).

The judgement itself is pure (`htbot.risk.breaker`). What it rests on is kept in the record, so that a restart resets no
peak; while the record is away the session's figures in memory go on, and a trip refuses entries from memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session as Transaction

from htbot.alerts.wording import error_alert
from htbot.desk.halts import HaltWatch
from htbot.desk.threads import DatabaseThread
from htbot.domain.alerts import Severity
from htbot.domain.errors import Retryable
from htbot.domain.sessions import NEW_YORK, Session
from htbot.domain.signals import Leg
from htbot.domain.trades import Trade
from htbot.persistence.day_book import DayBook, read_day
from htbot.persistence.records import EquityDay
from htbot.persistence.repositories import AlertRepository, EquityRepository, HaltRequest, PositionRepository
from htbot.persistence.states import HaltKind
from htbot.portfolio.marks import Marks
from htbot.portfolio.pnl import open_result
from htbot.risk.breaker import BreakerLimits, DayFigures, Trip, daily_result, judge_breaker
from htbot.services.halt_record import TRIPPED_BY, HeldHalt, flatten_incomplete_alert
from htbot.services.outbox import tell_seldom

NET_LIQUIDATION, DAILY_PNL = "NetLiquidation", "DailyPnL"
"""Account values by the broker's tag; the second only where reqPnL was asked for."""
WRITE_EVERY = timedelta(minutes=1)
LOOK_EVERY = timedelta(seconds=5)
COMPLAIN_AFTER = timedelta(minutes=1)
# Ours and the broker's day may differ by the larger of these (spec 05 section 4).
_DIFFERENCE_USD, _DIFFERENCE_FRACTION = Decimal(50), Decimal("0.10")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BreakerParts:
    """What the breaker works with.

    `trades` are those of an account that are open, `marks_of` prices their legs, `holdings` is what the broker shows of
    it by contract id. `flatten` closes every position on a trip. `patience_s` is how long a look waits for the record,
    host seconds; None waits for its answer, as a stepped world must.
    """

    database: DatabaseThread
    halts: HaltWatch
    limits: BreakerLimits
    flatten: bool
    trades: Callable[[str], Sequence[Trade]]
    marks_of: Callable[[tuple[Leg, ...], datetime], Marks]
    holdings: Callable[[str], Mapping[int, int]]
    patience_s: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the desk knows at a look: the account, the session of the day, what the broker told of the account by tag.

    `mismatch_unresolved` is True once books and broker have disagreed for five minutes; `broken_invariant` says what
    was broken.
    """

    account: str
    session: Session | None
    amounts: Mapping[str, Decimal]
    mismatch_unresolved: bool = False
    broken_invariant: str | None = None


@dataclass(frozen=True, slots=True)
class _Booked:
    """What the record knows of a day."""

    day: EquityDay
    book: DayBook


@dataclass(frozen=True, slots=True)
class _Market:
    """One look from outside: taken in the event loop, read by the database's thread."""

    now: datetime
    day: date
    seen: Seen
    unrealized_usd: Decimal | None
    overnight_usd: Decimal | None


class BreakerWatch:
    """One for each account; looks every five seconds of market time in regular hours, and after every fill."""

    def __init__(self, parts: BreakerParts) -> None:
        self._parts = parts
        self._booked: _Booked | None = None
        self._looked_at: datetime | None = None
        self._asking: asyncio.Task[None] | None = None
        self._complaining: asyncio.Task[None] | None = None

    async def look(self, now: datetime, seen: Seen, *, at_once: bool = False) -> Trip | None:
        """Judge the day at a market time; the trip when this look made one.

        Args:
            now: market time.
            seen: what the desk knows.
            at_once: do not wait for the five seconds: something was filled, and the record has it.

        Never raises while the record is away: what was read before and the session's own figures are judged then.
        """
        if seen.session is None or not seen.session.contains(now):
            return None
        if not at_once and self._looked_at is not None and timedelta(0) <= now - self._looked_at < LOOK_EVERY:
            return None
        self._looked_at = now
        market = self._market(now, seen, seen.session)
        booked = self._begun(market)
        await self._ask(market, booked.day)
        booked = self._booked or booked
        trip = judge_breaker(_figures(_observed(booked.day, market), booked, market), self._parts.limits, now)
        made = trip is not None and self._parts.halts.hold(self._held(trip, seen))
        if made:
            await self._parts.halts.refresh(now)
        await self._require_flat(now, seen)
        return trip if made else None

    # --- figures ---------------------------------------------------------------------------------------------------

    def _market(self, now: datetime, seen: Seen, session: Session) -> _Market:
        trades, marks_of = self._parts.trades(seen.account), self._parts.marks_of
        overnight = [trade for trade in trades if trade.opened_at < session.opens]
        return _Market(
            now=now,
            day=now.astimezone(NEW_YORK).date(),
            seen=seen,
            unrealized_usd=open_result(trades, marks_of, now),
            overnight_usd=open_result(overnight, marks_of, now),
        )

    def _begun(self, market: _Market) -> _Booked:
        """Until the record has answered, the day starts from what is seen, with the peak that was known last.

        That is what was held before the day and its open P&L now: the evening's is the record's to say.
        """
        account, before = market.seen.account, self._booked
        peak = None
        if before is not None and before.day.account == account:
            if before.day.day == market.day:
                return before
            peak = before.day.peak_equity_usd
        start = _observed(EquityDay(account, market.day, market.now, peak_equity_usd=peak), market)
        self._booked = _Booked(replace(start, start_unrealized_usd=market.overnight_usd), DayBook())
        return self._booked

    # --- the record ------------------------------------------------------------------------------------------------

    async def _ask(self, market: _Market, memory: EquityDay) -> None:
        """Read the day and write down what is seen; an answer that is late is taken when it comes."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(self._exchange(market, memory))
        await self._patiently(self._asking)

    async def _patiently(self, answer: asyncio.Task[None]) -> None:
        done, _late = await asyncio.wait([answer], timeout=self._parts.patience_s)
        for task in done:
            task.result()

    async def _exchange(self, market: _Market, memory: EquityDay) -> None:
        try:
            self._booked = await self._parts.database.run(lambda db: self._record(db, market, memory))
        except Retryable as error:
            _log.warning("the breaker judges by what it knew before: %s", error)

    def _record(self, db: Transaction, market: _Market, memory: EquityDay) -> _Booked:
        """One day, read and written in one transaction; a reset by a person waits for it or comes before it."""
        equity, account, now = EquityRepository(db), market.seen.account, market.now
        stored = equity.day(account, market.day, lock=True)
        known = stored or _carried(equity, memory)
        since = max(filter(None, (known.reset_at, now - self._parts.limits.rejects_within)))
        book = read_day(db, account, market.day, since)
        if book.holds_over:  # not what the first look saw: the gap of the open is the day's, unknown without a mark
            known = replace(known, start_unrealized_usd=book.carried_usd)
        booked = _Booked(_observed(known, market), book)
        result = daily_result(_figures(booked.day, booked, market))
        booked = replace(booked, day=replace(booked.day, daily_pnl_usd=result.usd))
        if stored is None or _differs(known, booked.day):
            equity.save(booked.day)
        told = market.seen.amounts.get(DAILY_PNL)
        if _disagree(result.own_usd, told):
            detail = f"our books say {result.own_usd} USD of the day, the broker says {told} USD"
            tell_seldom(db, error_alert("P&L mismatch", detail, now, Severity.WARNING, account=account))
        return booked

    # --- what follows ----------------------------------------------------------------------------------------------

    def _held(self, trip: Trip, seen: Seen) -> HeldHalt:
        ends_at = seen.session.closes if trip.cause.ends_with_session and seen.session is not None else None
        request = HaltRequest(
            source=trip.cause.value,
            reason=trip.reason,
            set_by=TRIPPED_BY,
            set_at=trip.as_of,
            kind=HaltKind.BREAKER,
            ends_at=ends_at,
            account=seen.account,
        )
        return HeldHalt(request, trip.figures, flatten=self._parts.flatten)

    async def _require_flat(self, now: datetime, seen: Seen) -> None:
        """After a trip that closes: until books and broker show nothing of ours, a person is told every minute."""
        since = self._tripped_since(seen.account)
        if not self._parts.flatten or since is None or now - since < COMPLAIN_AFTER:
            return
        open_trades = [trade.id for trade in self._parts.trades(seen.account)]
        held = {con_id: quantity for con_id, quantity in self._parts.holdings(seen.account).items() if quantity}
        if not open_trades and not held:
            return
        if self._complaining is None or self._complaining.done():
            left = self._tell_left(seen.account, open_trades, held, (since, now))
            self._complaining = asyncio.ensure_future(left)
        await self._patiently(self._complaining)

    async def _tell_left(
        self, account: str, open_trades: list[str], held: Mapping[int, int], times: tuple[datetime, datetime]
    ) -> None:
        try:
            await self._parts.database.run(lambda db: _complain(db, account, open_trades, held, times))
        except Retryable as error:
            _log.critical("not flat after a trip, %s %s: %s", open_trades, held, error)

    def _tripped_since(self, account: str) -> datetime | None:
        trips = self._parts.halts.trips(account)
        return min((trip.set_at for trip in trips if trip.set_by == TRIPPED_BY), default=None)


def _complain(
    db: Transaction, account: str, open_trades: list[str], held: Mapping[int, int], times: tuple[datetime, datetime]
) -> None:
    """Tell what is still held: open trades of ours, and what the broker shows of contracts that were ever ours."""
    since, now = times
    ours = {position.con_id for position in PositionRepository(db).of_account(account, flat=True)}
    shown = [f"{quantity:+d} of {con_id}" for con_id, quantity in sorted(held.items()) if con_id in ours]
    if open_trades or shown:
        left = ", ".join([*open_trades, *shown])
        AlertRepository(db).add(flatten_incomplete_alert(account, left, since, now))


def _differs(known: EquityDay, seen: EquityDay) -> bool:
    """Whether a day is worth writing: something moved, or the last word is a minute old."""
    return seen.as_of - known.as_of >= WRITE_EVERY or replace(known, as_of=seen.as_of) != seen


def _observed(day: EquityDay, market: _Market) -> EquityDay:
    """The day with what is seen now: starts are kept, peaks rise."""
    equity = market.seen.amounts.get(NET_LIQUIDATION)
    started = day.start_net_liquidation_usd
    return replace(
        day,
        as_of=market.now,
        start_net_liquidation_usd=equity if started is None else started,
        equity_usd=day.equity_usd if equity is None else equity,
        peak_equity_usd=_highest(day.peak_equity_usd, equity),
        intraday_peak_usd=_highest(day.intraday_peak_usd, equity),
    )


def _highest(*amounts: Decimal | None) -> Decimal | None:
    return max((amount for amount in amounts if amount is not None), default=None)


def _figures(day: EquityDay, booked: _Booked, market: _Market) -> DayFigures:
    return DayFigures(
        realized_usd=booked.book.realized_usd,
        commissions_usd=booked.book.commissions_usd,
        unrealized_usd=market.unrealized_usd,
        start_unrealized_usd=day.start_unrealized_usd,
        broker_daily_usd=market.seen.amounts.get(DAILY_PNL),
        equity_usd=day.equity_usd,
        start_equity_usd=day.start_net_liquidation_usd,
        peak_equity_usd=day.peak_equity_usd,
        loss_base_usd=day.loss_base_usd,
        rejected_at=booked.book.rejected_at,
        mismatch_unresolved=market.seen.mismatch_unresolved,
        broken_invariant=market.seen.broken_invariant,
    )


def _carried(equity: EquityRepository, memory: EquityDay) -> EquityDay:
    """A day that the record does not know: its peak comes from the day before, its start from this session."""
    last = equity.last(memory.account, until=memory.day)
    return replace(
        memory,
        peak_equity_usd=_highest(memory.peak_equity_usd, None if last is None else last.peak_equity_usd),
    )


def _disagree(own_usd: Decimal | None, broker_usd: Decimal | None) -> bool:
    if own_usd is None or broker_usd is None:
        return False
    return abs(own_usd - broker_usd) > max(_DIFFERENCE_USD, _DIFFERENCE_FRACTION * abs(broker_usd))
