"""Both readings put together: the answers of REST, and the state of each topic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from htbot import __version__
from htbot.domain.quotes import Quote
from htbot.domain.trades import Trade, plain_money, sum_of
from htbot.marketdata.snapshot import OpenBar, Snapshot
from htbot.persistence.queries import trades as trade_queries
from htbot.persistence.queries.closes import LastClose
from htbot.persistence.queries.shapes import DayMoney, DayPnl, HaltView, OpenTradeView, PositionView, TaskView
from htbot.portfolio.marks import mark_spread
from htbot.portfolio.pnl import open_pnl
from htbot.services.board.board import Topic
from htbot.services.board.deltas import State, encoded, plain
from htbot.services.board.readings import LiveReading, RecordReading
from htbot.services.queries import marked
from htbot.services.status_view import StatusView, status_of

_AGE = b'"age_s":0.0}'


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything at one moment. `away` says that the record did not answer at the last look."""

    live: LiveReading
    record: RecordReading
    away: bool
    status: StatusView
    positions: list[PositionView]
    open_trades: list[OpenTradeView]

    @property
    def as_of(self) -> datetime | None:
        """Market time that the desk told last."""
        return None if self.live.desk.clock is None else self.live.desk.clock.market_time

    @property
    def days(self) -> dict[str | None, DayMoney]:
        """The day of each account at this moment, and of all together under None.

        Closed trades and marks are those of this picture, and of no other.
        """
        closed = {**self.record.closed, None: trade_queries.days_together(list(self.record.closed.values()))}
        carried = {**self.record.carried, None: sum_of(self.record.carried.values())}
        return {account: replace(self._day(account, day), carried=carried[account]) for account, day in closed.items()}

    def _day(self, account: str | None, closed: DayPnl) -> DayMoney:
        mine = [trade for trade in self.open_trades if account in {None, trade.account}]
        told = [trade.marked_at for trade in mine if trade.marked_at is not None]
        return DayMoney(closed, trade_queries.open_pnl(mine), min(told, default=self.as_of))


def picture_of(
    live: LiveReading, record: RecordReading, halts: Sequence[HaltView], configured: tuple[str, datetime], *, away: bool
) -> Picture:
    """Put together at a host time; `configured` are the configured mode and that time."""
    mode, host_now = configured
    tickers = live.tickers if live.desk.state == "running" else {}
    trades = [
        at_market(view, record.trades.get(view.id), tickers.get(view.symbol)) for view in record.status.open_trades
    ]
    tasks = [_aged(task, host_now) for task in record.status.tasks]
    stored = replace(record.status, read_at=record.read_at, tasks=tasks, open_trades=trades)
    return Picture(
        live=live,
        record=record,
        away=away,
        status=status_of(mode, live.desk, stored, halts),
        positions=marked(record.positions, tickers),
        open_trades=trades,
    )


def at_market(view: OpenTradeView, trade: Trade | None, ticker: Snapshot | None) -> OpenTradeView:
    """A trade at the quotes of its legs, where those are there and newer than its last mark of the record.

    The prices are those of the exit guard and of the record's marks: `mark_spread`, `open_pnl`.
    """
    if trade is None or ticker is None or (view.marked_at is not None and ticker.as_of <= view.marked_at):
        return view
    marks = mark_spread(trade.legs, ticker.quotes, ticker.as_of)
    if marks.mid_cost is None:
        return view
    return replace(
        view,
        mark=trade.shown(marks.mid_cost),
        natural=trade.shown(marks.natural_cost),
        pnl_mid=_dollars(open_pnl(trade, marks, "mid")),
        pnl_natural=_dollars(open_pnl(trade, marks, "natural")),
        marked_at=ticker.as_of,
    )


def _dollars(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else plain_money(amount)


def _aged(task: TaskView, host_now: datetime) -> TaskView:
    return replace(task, age_s=round((host_now - task.started_at).total_seconds(), 1))


def status_without_age(status: StatusView) -> bytes:
    """The JSON of a status up to the value of `age_s`, its last member: `1.5}` makes it whole."""
    whole = encoded(status)
    if not whole.endswith(_AGE):
        raise ValueError("age_s is not the last member of the status")
    return whole[: -len(b"0.0}")]


def states(picture: Picture, topics: frozenset[Topic]) -> Iterator[tuple[Topic, State, datetime | None]]:
    """State and market time of each of these topics, as far as it is known."""
    made = {
        Topic.HEALTH: _health,
        Topic.STATUS: _status,
        Topic.PRICES: _prices,
        Topic.POSITIONS: _positions,
    }
    for topic in topics:
        if topic in made:
            yield topic, made[topic](picture), picture.as_of
        elif topic is Topic.PORTFOLIO and picture.record.money is not None:
            yield topic, _portfolio(picture), picture.as_of
        elif topic in picture.record.rows:
            yield topic, picture.record.rows[topic], picture.as_of


def _health(picture: Picture) -> State:
    desk, status = picture.live.desk, picture.status
    return {
        "version": __version__,
        "database": "away" if picture.away else "ok",
        "record_read_at": plain(picture.record.read_at) if picture.away else None,
        "redis": "ok" if picture.live.redis else "away",
        "desk": desk.state,
        "connection": desk.connection,
        "ready": not picture.away and picture.live.redis and desk.state == "running",
        "trading_enabled": status.trading_enabled,
        "reason": status.reason,
        "halted": any(halt.account is None for halt in status.halt or ()),
        "mode": status.mode,
        "speed": status.speed,
        "world": status.world,
        "account": status.account,
        "market_time": plain(picture.as_of),
    }


def _status(picture: Picture) -> State:
    """The status without what changes by itself: a topic tells what has happened, and whoever shows it counts on."""
    state = plain(picture.status)
    for task in state["tasks"]:
        del task["age_s"]
    del state["as_of"], state["age_s"], state["desk"]["heartbeat_age_s"]
    return {**state, "market_time": plain(picture.as_of)}


def positions_of_main(picture: Picture) -> list[PositionView]:
    """What the main account holds; of all that are known while no account is."""
    main = picture.record.account
    return [held for held in picture.positions if main in {None, held.account}]


def _positions(picture: Picture) -> State:
    return {f"{held.account} {held.con_id}": plain(held) for held in picture.positions}


def _portfolio(picture: Picture) -> State:
    money = picture.record.money
    return {
        "account": plain(money and money.account),
        "pnl": plain(money and money.pnl),
        "risk": plain(money and money.risk),
        "open_trades": plain(picture.open_trades),
        "positions": plain(picture.positions),
    }


def _prices(picture: Picture) -> State:
    found: dict[str, Any] = {}
    for symbol, ticker in picture.live.tickers.items():
        found[symbol] = plain(_underlying(ticker, picture.record.closes.get(symbol)))
        for held in picture.positions:
            quote = ticker.quotes.get(held.con_id)
            if quote is not None:
                found[_name(held)] = plain(_quoted(quote) | {"price": quote.mid, "con_id": held.con_id})
    return found


def _name(held: PositionView) -> str:
    """A contract as people name it: `SPX 2026-01-05 4150 P`."""
    return " ".join(str(part) for part in (held.symbol, held.expiry, held.strike, held.right) if part is not None)


def _underlying(ticker: Snapshot, last: LastClose | None) -> Mapping[str, Any]:
    price, quote = ticker.spot, ticker.quotes.get(ticker.underlying_con_id)
    change = None if price is None or last is None else round(price - last.price, 6)
    return {
        **({} if quote is None else _quoted(quote)),
        "price": price,
        "change": change,
        "change_pct": None if change is None or last is None else round(change / last.price * 100, 4),
        "last_close": None if last is None else last.price,
        "con_id": ticker.underlying_con_id,
        "as_of": ticker.as_of,
        "bar": _bar(ticker.open_bar),
    }


def _quoted(quote: Quote) -> dict[str, Any]:
    return {
        "bid": quote.bid,
        "ask": quote.ask,
        "last": quote.last,
        "modelled": quote.modelled,
        "as_of": quote.as_of,
    }


def _bar(watched: OpenBar | None) -> Mapping[str, Any] | None:
    """The bar that is still being made."""
    if watched is None:
        return None
    bar = watched.bar
    return {
        "start": bar.start,
        "minutes": bar.minutes,
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
    }
