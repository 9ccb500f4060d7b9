"""What a chart of a trading day shows: bars, the open bar, entries and exits, and the day's P&L over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.domain.bars import Bar
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import less, sum_of
from htbot.persistence.carried import carried_into, midnight_of
from htbot.persistence.engine import Database
from htbot.persistence.queries import marks as mark_queries
from htbot.persistence.queries import trades as trade_queries
from htbot.persistence.queries import watch
from htbot.persistence.queries.marks import MarkedPnl
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import AccountView, TradeView
from htbot.persistence.repositories import BarRepository, Series, SessionRepository
from htbot.services.desk_view import DeskView, Live, look, snapshot_of

BARS_SHOWN = 156
"""Two full sessions of five-minute bars."""


@dataclass(frozen=True, slots=True)
class TradePoint:
    """An entry (`kind` entry) or an exit (`exit`) of a trade at a market time; `pnl` in USD is that of an exit."""

    at: datetime
    kind: str
    trade_id: str
    direction: int
    reason: str
    pnl: Decimal | None = None
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """The day's P&L in USD at a market time, open trades at their mids and net; None where a part is unknown."""

    at: datetime
    pnl: Decimal | None


@dataclass(frozen=True, slots=True)
class DayPicture:
    """One symbol's day. Times are market time in UTC; `bars` are closed, oldest first; `open_bar` is being made."""

    symbol: str
    minutes: int
    day: date | None
    as_of: datetime | None
    spot: float | None = None
    bars: tuple[Bar, ...] = ()
    open_bar: Bar | None = None
    opens: datetime | None = None
    closes: datetime | None = None

    @property
    def today(self) -> tuple[Bar, ...]:
        """Bars of the session, the open one included."""
        every = (*self.bars, self.open_bar) if self.open_bar is not None else self.bars
        return tuple(bar for bar in every if self.opens is not None and bar.start >= self.opens)

    @property
    def high(self) -> float | None:
        """The session's highest price so far."""
        return max((bar.high for bar in self.today), default=None)

    @property
    def low(self) -> float | None:
        """The session's lowest price so far."""
        return min((bar.low for bar in self.today), default=None)


@dataclass(frozen=True, slots=True)
class DayStory:
    """What was traded on a day: entries and exits, and the P&L over time."""

    points: tuple[TradePoint, ...] = ()
    equity: tuple[EquityPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamView:
    """Market data of one underlying. `age_s` is market time; of `lines` that are streamed `quotes` have both sides."""

    symbol: str
    as_of: datetime
    age_s: float | None
    spot: float | None
    quotes: int
    lines: int
    options: int
    watching_since: datetime | None


@dataclass(frozen=True, slots=True)
class DayPictures:
    """Reads the day of the market's clock, else the last day with a trade; `host_now` is wall time.

    Every read raises `Retryable` when PostgreSQL does not answer.
    """

    database: Database
    live: Live
    symbol: str
    minutes: int
    host_now: Callable[[], datetime]

    def bars(self) -> DayPicture:
        """The bars of the day, and as many before it as the chart has room for."""
        desk = look(self.live, self.host_now())
        snapshot = snapshot_of(self.live, self.symbol)
        with self.database.transaction() as session:
            told = watch.accounts(session)
            world = desk.clock.world_id if desk.clock else next((one.world_id for one in told), None)
            day = _day(session, desk, _account(desk, told))
            hours = None if day is None else SessionRepository(session).get(day)
            as_of = desk.market_time or (hours.closes if hours else None)
            series = Series(world or "", self.symbol, self.minutes)
            bars = [] if as_of is None else BarRepository(session).latest(series, as_of, BARS_SHOWN)
        watched = snapshot.open_bar if snapshot else None
        current = snapshot is not None and as_of is not None and snapshot.as_of.date() == as_of.date()
        return DayPicture(
            symbol=self.symbol,
            minutes=self.minutes,
            day=day,
            as_of=as_of,
            spot=snapshot.spot if snapshot and current else None,
            bars=tuple(bars),
            open_bar=watched.bar if watched and current and watched.bar.minutes == self.minutes else None,
            opens=hours.opens if hours else None,
            closes=hours.closes if hours else None,
        )

    def stream(self) -> StreamView | None:
        """The market data of the underlying as the desk published it last; None when there is none."""
        snapshot = snapshot_of(self.live, self.symbol)
        if snapshot is None:
            return None
        now = look(self.live, self.host_now()).market_time
        return StreamView(
            symbol=snapshot.symbol,
            as_of=snapshot.as_of,
            age_s=None if now is None else (now - snapshot.as_of).total_seconds(),
            spot=snapshot.spot,
            quotes=sum(1 for quote in snapshot.quotes.values() if quote.mid is not None),
            lines=len(snapshot.quotes),
            options=len(snapshot.options),
            watching_since=snapshot.watching_since,
        )

    def stories(self) -> dict[str | None, DayStory]:
        """Entries, exits and the P&L of the day over time: of each account that is traded, and of all under None."""
        desk = look(self.live, self.host_now())
        with self.database.transaction() as session:
            account = _account(desk, watch.accounts(session))
            day, others = _day(session, desk, account), desk.accounts[1:]
            trades = [] if day is None else _traded_on(session, Selection(account, day, 1000, others), day)
            marked = mark_queries.marked_pnl(session, [trade.id for trade in trades])
            carried = {} if day is None else {one.trade_id: one.net_usd for one in carried_into(session, day)}
        begins = midnight_of(day or date.min)
        return {one: _story(trades, marked, one, (begins, carried)) for one in (None, account, *others)}


def _traded_on(session: Session, chosen: Selection, day: date) -> list[TradeView]:
    """Trades that were begun or closed on a day, and older ones that are open."""
    of_day = trade_queries.trades(session, chosen)
    known = {trade.id for trade in of_day}
    live = trade_queries.trades(session, replace(chosen, day=None), status="live")
    older = [one for one in live if one.id not in known and one.opened_at.astimezone(NEW_YORK).date() < day]
    return [*older, *of_day]


Morning = tuple[datetime, Mapping[str, Decimal | None]]
"""When a day begins, and what each trade from before it was worth then, net; None where that is unknown."""


def _story(trades: Sequence[TradeView], marked: Sequence[MarkedPnl], account: str | None, morning: Morning) -> DayStory:
    mine = [trade for trade in trades if account in {None, trade.account}]
    ids, begins = {trade.id for trade in mine}, morning[0]
    points = (point for point in points_of(mine) if point.at >= begins)
    today = [one for one in marked if one.trade_id in ids and one.as_of >= begins]
    return DayStory(tuple(points), tuple(equity_of(mine, today, morning[1])))


def _account(desk: DeskView, told: Sequence[AccountView]) -> str | None:
    return desk.account or next((view.account for view in told), None)


def _day(session: Session, desk: DeskView, account: str | None) -> date | None:
    if desk.market_time is not None:
        return desk.market_time.astimezone(NEW_YORK).date()
    return trade_queries.last_day(session, account)


def points_of(trades: Iterable[TradeView]) -> list[TradePoint]:
    """Entries and exits in order of time."""
    found = []
    for trade in trades:
        found.append(TradePoint(trade.opened_at, "entry", trade.id, trade.direction, "", symbol=trade.symbol))
        if trade.closed_at is not None:
            reason = trade.exit_reason or ""
            one = TradePoint(trade.closed_at, "exit", trade.id, trade.direction, reason, trade.net_pnl, trade.symbol)
            found.append(one)
    return sorted(found, key=lambda point: point.at)


def equity_of(
    trades: Sequence[TradeView], marked: Iterable[MarkedPnl], carried: Mapping[str, Decimal | None]
) -> list[EquityPoint]:
    """The P&L of these trades together, at each mark of the day and each exit, commissions paid by then included.

    Of what was held before the day only what it has gained beyond what was `carried` into it counts.
    """
    closed_at = {trade.id: trade.closed_at for trade in trades if trade.closed_at is not None}
    net = {trade.id: trade.net_pnl for trade in trades}
    events: list[tuple[datetime, str, Decimal | None]] = [
        (mark.as_of, mark.trade_id, mark.pnl)
        for mark in marked
        if mark.trade_id not in closed_at or mark.as_of < closed_at[mark.trade_id]
    ]
    events += [(at, trade_id, net[trade_id]) for trade_id, at in closed_at.items()]
    worth: dict[str, Decimal | None] = {}
    curve: list[EquityPoint] = []
    for at, trade_id, pnl in sorted(events, key=lambda event: event[0]):
        worth[trade_id] = less(pnl, carried.get(trade_id, Decimal(0)))
        if curve and curve[-1].at == at:
            curve.pop()
        curve.append(EquityPoint(at, sum_of(worth.values())))
    return curve
