"""The circuit breaker of a backtest: the judgement of `htbot.risk.breaker` on the backtest's own figures."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.trade_book import TradeBook
from htbot.domain.signals import Leg
from htbot.domain.trades import Trade
from htbot.portfolio.marks import Marks
from htbot.portfolio.pnl import open_result
from htbot.risk.breaker import BreakerLimits, Cause, DayFigures, Trip, judge_breaker

_ZERO = Decimal(0)


class Prices(Protocol):
    """What legs cost now: a feed of either kind."""

    now: datetime

    def marks(self, legs: tuple[Leg, ...]) -> Marks:
        """The prices of these legs."""
        ...


class SpreadBreaker:
    """Looked at on every grid instant. A daily loss ends with its session; nobody is there to lift any other trip."""

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._trip: Trip | None = None
        self._start_usd: Decimal | None = None
        self._carried_usd: Decimal | None = _ZERO
        self._paid_usd = _ZERO
        self.peak_usd: Decimal | None = None
        self.trips: list[str] = []

    @property
    def halted_by(self) -> str | None:
        """Why nothing is entered, as the record writes it."""
        return None if self._trip is None else f"breaker by {self._trip.cause.value}: {self._trip.reason}"

    def begin(self, book: TradeBook[Any], feed: Prices) -> None:
        """A new session: what is held is carried over at its prices of now, and what it has cost is paid."""
        self._start_usd = None
        carried = [held.trade for held in book.guarded]
        worth = _open(carried, feed)
        self._carried_usd = (
            None if worth is None else worth + sum((one.gross_pnl_usd or _ZERO for one in carried), _ZERO)
        )
        self._paid_usd = sum((one.commissions_usd or _ZERO for one in carried), _ZERO)
        if self._trip is not None and self._trip.cause.ends_with_session:
            self._trip = None

    def look(self, book: TradeBook[Any], account: SpreadAccount, feed: Prices, day: date) -> bool:
        """Judge the day now; True when this look trips."""
        worth = account.net_liquidation()
        self._start_usd = worth if self._start_usd is None else self._start_usd
        self.peak_usd = worth if self.peak_usd is None else max(self.peak_usd, worth)
        if self._trip is not None and self._trip.cause is not Cause.DAILY_LOSS:
            return False
        trades = [held.trade for held in book.guarded]
        figures = DayFigures(
            realized_usd=book.realized_usd(day),
            commissions_usd=book.commissions_usd(day) - self._paid_usd,
            unrealized_usd=_open(trades, feed),
            start_unrealized_usd=self._carried_usd,
            equity_usd=worth,
            start_equity_usd=self._start_usd,
            peak_equity_usd=self.peak_usd,
        )
        trip = judge_breaker(figures, self._limits, feed.now)
        if trip is None or (self._trip is not None and trip.cause is self._trip.cause):
            return False
        self._trip = trip
        self.trips.append(f"{trip.as_of.isoformat()} {trip.cause.value}: {trip.reason}")
        return True


def _open(trades: Iterable[Trade], feed: Prices) -> Decimal | None:
    return open_result(trades, lambda legs, _now: feed.marks(legs), feed.now)
