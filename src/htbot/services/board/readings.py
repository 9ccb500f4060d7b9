"""What is read for the board: the desk's words in Redis, and the record. Both wait, so they are read off the loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import Trade
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.carried import carried_into, net_of
from htbot.persistence.queries import trading, watch
from htbot.persistence.queries.closes import LastClose, last_close
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import AccountView, DayPnl, HaltView, PnlView, PositionView
from htbot.persistence.repositories import TradeRepository
from htbot.services.board.board import Topic
from htbot.services.board.deltas import State, plain
from htbot.services.desk_view import REDIS_AWAY, DeskView, look
from htbot.services.queries import Queries, Sources, closed_of
from htbot.services.risk_view import RiskView, risk_of
from htbot.services.status_view import StoredStatus, stored_status

LONGEST_UNREAD = timedelta(seconds=5)
"""What ends by itself, such as a halt with an end, is noticed after this long (host time)."""
UNREADABLE = "unknown: what stands in redis is of another version"
_ROWS = 100
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveReading:
    """The desk's last words and the newest quotes; `redis` is False when Redis did not answer."""

    desk: DeskView
    redis: bool
    tickers: Mapping[str, Snapshot]


@dataclass(frozen=True, slots=True)
class Money:
    """What the account is worth, as the record has it."""

    pnl: PnlView
    risk: RiskView
    account: AccountView | None


@dataclass(frozen=True, slots=True)
class RecordReading:
    """The record at one moment. `told_at` is when it was read, `read_at` when it was last seen to be still so.

    All of it is of the accounts that are `traded`, `money` of the main one. `closed` is what the day's closed trades
    of each account have come to, `carried` what it held as the day began was worth then, less what it had cost,
    `trades` are those that are not over, to be marked at the quotes of the moment. `money`, `closes` and `rows` (states
    of topics that are lists of rows) are there for the topics that were wanted.
    """

    version: str
    wanted: frozenset[Topic]
    traded: Selection
    told_at: datetime
    read_at: datetime
    status: StoredStatus
    positions: list[PositionView]
    closed: Mapping[str | None, DayPnl]
    carried: Mapping[str | None, Decimal | None]
    trades: Mapping[str, Trade] = field(default_factory=dict)
    closes: Mapping[str, LastClose | None] = field(default_factory=dict)
    money: Money | None = None
    rows: Mapping[Topic, State] = field(default_factory=dict)

    @property
    def account(self) -> str | None:
        """The main account."""
        return self.traded.account

    def stands(self, version: str, traded: Selection, wanted: frozenset[Topic], host_now: datetime) -> bool:
        """True when reading again would bring nothing new."""
        same = (self.version, self.traded) == (version, traded) and wanted <= self.wanted
        return same and host_now - self.told_at < LONGEST_UNREAD


class Readings:
    """Reads both. Each read opens and ends what it needs, and may be called from any thread."""

    def __init__(self, sources: Sources, queries: Queries) -> None:
        self._sources = sources
        self._queries = queries

    @property
    def mode(self) -> str:
        """The configured mode, which counts while the desk has not spoken."""
        return self._sources.mode

    def host_now(self) -> datetime:
        """Wall time, aware UTC."""
        return self._sources.host_now()

    def with_file(self, halts: Sequence[HaltView]) -> list[HaltView]:
        """Halts of the record, and the STOP file's as it is now."""
        return self._queries.with_file(halts)

    def live(self) -> LiveReading:
        """What the desk says. Redis away is part of the answer."""
        try:
            desk = look(self._sources.live, self._sources.host_now())
            if desk.connection == REDIS_AWAY:
                return LiveReading(desk, False, {})
            return LiveReading(desk, True, self._sources.live.tickers())
        except redis.RedisError:
            return LiveReading(DeskView("unknown", REDIS_AWAY), False, {})
        except (ValueError, KeyError, TypeError) as error:
            _log.warning("what stands in redis is not readable: %s %s", type(error).__name__, error)
            return LiveReading(DeskView("unknown", UNREADABLE), True, {})

    def record(self, live: LiveReading, wanted: frozenset[Topic], last: RecordReading | None) -> RecordReading:
        """What the record says; `last` with a new time when nothing was committed since.

        Raises:
            Retryable: PostgreSQL does not answer.
        """
        host_now = self._sources.host_now()
        with self._sources.database.transaction() as session:
            # Two equal snapshots see the same rows. It is taken first: a commit in between is read, and read again.
            version = str(session.scalar(text("SELECT pg_current_snapshot()::text")))
            traded = self._queries.traded(session, live.desk)
            if last is not None and last.stands(version, traded, wanted, host_now):
                return replace(last, read_at=host_now)
            account, chosen, trades = traded.account, replace(traded, limit=_ROWS), TradeRepository(session)
            closed = {one: closed_of(session, one, None, live.desk) for one in traded.accounts or (None,)}
            return RecordReading(
                version=version,
                wanted=wanted,
                traded=traded,
                told_at=host_now,
                read_at=host_now,
                status=stored_status(session, traded, live.desk.market_time, host_now, self._sources.degraded()),
                positions=[held for one in traded.accounts or (None,) for held in trading.positions(session, one)],
                closed=closed,
                carried={one: _carried(session, one, day.day) for one, day in closed.items()},
                trades={trade.id: trade for one in traded.accounts for trade in trades.unfinished(one)},
                closes=_closes(session, live.tickers) if Topic.PRICES in wanted else {},
                money=self._money(session, live.desk, account) if Topic.PORTFOLIO in wanted else None,
                rows={topic: rows(session, chosen) for topic, rows in _ROW_TOPICS.items() if topic in wanted},
            )

    def _money(self, session: Session, desk: DeskView, account: str | None) -> Money:
        market_now = desk.market_time or self._sources.host_now()
        told = [view for view in watch.accounts(session) if account in {None, view.account}]
        return Money(
            pnl=self._queries.pnl_of(session, Selection(account=account), desk),
            risk=risk_of(session, account, self._sources.breaker, market_now),
            account=told[0] if told else None,
        )


def _carried(session: Session, account: str | None, day: date | None) -> Decimal | None:
    return Decimal(0) if account is None or day is None else net_of(carried_into(session, day, account))


def _closes(session: Session, tickers: Mapping[str, Snapshot]) -> dict[str, LastClose | None]:
    return {
        symbol: last_close(session, ticker.world_id, symbol, ticker.as_of.astimezone(NEW_YORK).date())
        for symbol, ticker in tickers.items()
    }


def _signals(session: Session, chosen: Selection) -> State:
    found = trading.signals(session, chosen)
    return {f"{s.ts.isoformat()} {s.strategy} {s.account} {s.symbol} {s.direction}": plain(s) for s in found}


def _orders(session: Session, chosen: Selection) -> State:
    return {order.ref: plain(order) for order in trading.orders(session, chosen)}


def _fills(session: Session, chosen: Selection) -> State:
    return {fill.exec_id: plain(fill) for fill in trading.fills(session, chosen)}


def _alerts(session: Session, chosen: Selection) -> State:
    return {str(alert.id): plain(alert) for alert in watch.alerts(session, chosen)}


_ROW_TOPICS: Mapping[Topic, Callable[[Session, Selection], State]] = {
    Topic.SIGNALS: _signals,
    Topic.ORDERS: _orders,
    Topic.FILLS: _fills,
    Topic.ALERTS: _alerts,
}
