"""Reads that REST and CLI share: the record joined with what the desk last published."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import redis
from sqlalchemy import text
from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake, NotFound, Retryable
from htbot.domain.quotes import Quote
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import less, plain_money, sum_of
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.carried import carried_into, net_of
from htbot.persistence.engine import Database
from htbot.persistence.queries import ladders, reconciliation, trading, watch, why
from htbot.persistence.queries import trades as trade_queries
from htbot.persistence.queries.ladders import LadderStep
from htbot.persistence.queries.reconciliation import ReconciliationView
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import (
    AccountView,
    AlertView,
    CommandView,
    DayPnl,
    FillView,
    HaltView,
    OrderView,
    PnlView,
    PositionView,
    SignalView,
    TradeView,
)
from htbot.persistence.queries.why import WhyView
from htbot.risk.breaker import BreakerLimits
from htbot.services.desk_view import DeskView, Live, look, tickers_of
from htbot.services.kill_switch import FILE_SOURCE, KillSwitch
from htbot.services.risk_view import RiskView, risk_of
from htbot.services.status_view import StatusView, status_of, stored_status

EVERY_ACCOUNT = "all"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where reads come from. `account` is the configured one, `host_now` wall time.

    `degraded` tells which processes take too much.
    """

    database: Database
    live: Live
    kill_switch: KillSwitch
    mode: str
    account: str | None
    host_now: Callable[[], datetime]
    breaker: BreakerLimits = field(default_factory=BreakerLimits)
    degraded: Callable[[], Sequence[str]] = tuple


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether everything that must be there is there."""

    ready: bool
    checks: dict[str, str]


class Queries:
    """Read models. Every method raises `Retryable` when PostgreSQL does not answer."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    @property
    def mode(self) -> str:
        """Paper or live, as configured."""
        return self._sources.mode

    def desk(self) -> DeskView:
        """The desk as it last spoke."""
        return look(self._sources.live, self._sources.host_now())

    def status(self) -> StatusView:
        """State of the whole system."""
        desk, host_now = self.desk(), self._sources.host_now()
        with self._sources.database.transaction() as session:
            traded = self.traded(session, desk)
            stored = stored_status(session, traded, desk.market_time, host_now, self._sources.degraded())
        return status_of(self._sources.mode, desk, stored, self.with_file(stored.halts))

    def halts(self) -> list[HaltView]:
        """Every reason in force why nothing is originated, the kill switch file included."""
        with self._sources.database.transaction() as session:
            return self.with_file(watch.halts(session, self.desk().market_time))

    def signals(self, chosen: Selection) -> list[SignalView]:
        """Signals, accepted and refused."""
        with self._sources.database.transaction() as session:
            return trading.signals(session, self._scoped(session, chosen))

    def orders(self, chosen: Selection) -> list[OrderView]:
        """Orders at the broker."""
        with self._sources.database.transaction() as session:
            return trading.orders(session, self._scoped(session, chosen))

    def ladders(self, refs: Sequence[str]) -> dict[str, list[LadderStep]]:
        """By reference, each limit that an order had."""
        with self._sources.database.transaction() as session:
            return ladders.ladders(session, refs)

    def fills(self, chosen: Selection) -> list[FillView]:
        """Executions of legs."""
        with self._sources.database.transaction() as session:
            return trading.fills(session, self._scoped(session, chosen))

    def trades(self, chosen: Selection) -> list[TradeView]:
        """Trades."""
        with self._sources.database.transaction() as session:
            return trade_queries.trades(session, self._scoped(session, chosen))

    def trade(self, trade_id: str) -> TradeView:
        """One trade, however old, of whichever account.

        Raises:
            NotFound: there is no such trade.
        """
        with self._sources.database.transaction() as session:
            found = trade_queries.trade(session, trade_id)
        if found is None:
            raise NotFound(f"there is no trade {trade_id}: `htbot trades` lists them")
        return found

    def trades_like(self, account: str | None, symbol: str | None, status: str, limit: int) -> list[TradeView]:
        """Trades of an underlying in a state (`live`: not over, `all`: whichever), newest first."""
        with self._sources.database.transaction() as session:
            chosen = self._scoped(session, Selection(account=account, limit=limit))
            return trade_queries.trades(session, chosen, symbol, status)[::-1]

    def alerts(self, chosen: Selection) -> list[AlertView]:
        """Alerts."""
        with self._sources.database.transaction() as session:
            return watch.alerts(session, self._scoped(session, chosen))

    def positions(self, account: str | None = None) -> list[PositionView]:
        """What is held, marked at the mid of the desk's last quotes where both sides are there."""
        desk = self.desk()
        with self._sources.database.transaction() as session:
            held = trading.positions(session, self.account_of(session, account, desk))
        return held if desk.state != "running" else marked(held, tickers_of(self._sources.live))

    def pnl(self, chosen: Selection) -> PnlView:
        """Result of a day: the chosen one, else the day of the market's clock, else the last with a trade."""
        with self._sources.database.transaction() as session:
            return self.pnl_of(session, chosen, self.desk())

    def pnl_of(self, session: Session, chosen: Selection, desk: DeskView) -> PnlView:
        """The same within the caller's unit of work."""
        account = self.account_of(session, chosen.account, desk)
        closed = closed_of(session, account, chosen.day, desk)
        carried, kept = (
            Decimal(0) if closed.day is None else net_of(carried_into(session, closed.day + ahead, account))
            for ahead in (timedelta(0), timedelta(days=1))
        )
        return PnlView(
            day=closed,
            open=trade_queries.open_pnl(trade_queries.open_trades(session, account)),
            account=account,
            carried=carried,
            total=less(sum_of([closed.net, kept]), carried),
        )

    def risk(self, account: str | None = None) -> RiskView:
        """The breaker's figures of an account, and the trip in force."""
        desk = self.desk()
        with self._sources.database.transaction() as session:
            chosen = self.account_of(session, account, desk)
            return risk_of(session, chosen, self._sources.breaker, desk.market_time or self._sources.host_now())

    def account(self, asked: str | None = None) -> AccountView:
        """An account, by default the main one that is traded.

        Raises:
            NotFound: the broker has not told of it yet.
            CallerMistake: every account was asked for.
        """
        if asked == EVERY_ACCOUNT:
            raise CallerMistake(f"account {EVERY_ACCOUNT}: name one, or none for the main one")
        with self._sources.database.transaction() as session:
            wanted = self.account_of(session, asked, self.desk())
            found = [view for view in watch.accounts(session) if wanted in {None, view.account}]
        if not found:
            named = "no account" if asked is None else f"no account {asked}"
            raise NotFound(f"{named} is known yet: the desk writes it down once it is connected")
        return found[0]

    def traded(self, session: Session, desk: DeskView) -> Selection:
        """The accounts that the desk trades, the main one first; the one that is known while it has not said."""
        if not desk.accounts:
            return Selection(account=self.account_of(session, None, desk))
        main, *more = desk.accounts
        return Selection(account=main, more=tuple(more))

    def account_meant(self, asked: str | None = None) -> str | None:
        """The account asked for, else the one that is traded; None for every account, or while none is known."""
        with self._sources.database.transaction() as session:
            return self.account_of(session, asked, self.desk())

    def command(self, command_id: UUID) -> CommandView:
        """How far a command has come.

        Raises:
            NotFound: there is no such command.
        """
        with self._sources.database.transaction() as session:
            found = watch.command(session, command_id)
        if found is None:
            raise NotFound(f"there is no command {command_id}")
        return found

    def reconciliation(self, account: str | None = None) -> ReconciliationView:
        """The last comparison of our books with the broker's.

        Raises:
            NotFound: there was none yet.
        """
        with self._sources.database.transaction() as session:
            found = reconciliation.latest_run(session, self.account_of(session, account, self.desk()))
        if found is None:
            raise NotFound("books and broker were not compared yet: the desk does it once it is connected")
        return found

    def why(self, trade_id: str) -> WhyView:
        """The ten steps of a trade with their stored values.

        Raises:
            NotFound: there is no such trade.
        """
        with self._sources.database.transaction() as session:
            found = why.explain(session, trade_id)
        if found is None:
            raise NotFound(f"there is no trade {trade_id}: `htbot trades` lists them")
        return found

    def readiness(self) -> Readiness:
        """Whether database, Redis and desk answer. A lost or dropped broker session is told and does not count."""
        desk = self.desk()
        checks = {"database": self._check_database(), "redis": self._check_redis(), "desk": desk.state}
        ready = checks["database"] == checks["redis"] == "ok" and desk.state == "running"
        return Readiness(ready, {**checks, "connection": desk.connection})

    def _check_database(self) -> str:
        try:
            with self._sources.database.transaction() as session:
                session.execute(text("SELECT 1"))
        except Retryable:
            return "away"
        return "ok"

    def _check_redis(self) -> str:
        try:
            return "ok" if self._sources.live.ping() else "away"
        except redis.RedisError:
            return "away"

    def _scoped(self, session: Session, chosen: Selection) -> Selection:
        return dataclasses.replace(chosen, account=self.account_of(session, chosen.account, self.desk()))

    def account_of(self, session: Session, asked: str | None, desk: DeskView) -> str | None:
        """The account meant: the one asked for, else the desk's, the configured, the last that the broker told of."""
        if asked is not None:
            return None if asked == EVERY_ACCOUNT else asked
        known = desk.account or self._sources.account
        if known is not None:
            return known
        told = watch.accounts(session)
        return told[0].account if told else None

    def with_file(self, halts: Sequence[HaltView]) -> list[HaltView]:
        """The desk copies the file into a row; here the file counts by itself, the desk may be away."""
        rows = [halt for halt in halts if halt.source != FILE_SOURCE]
        if not self._sources.kill_switch.present():
            return rows
        return [*rows, HaltView("halt", FILE_SOURCE, self._sources.kill_switch.told(), None, "")]


def closed_of(session: Session, account: str | None, day: date | None, desk: DeskView) -> DayPnl:
    """What was closed on a day: that one, else the day of the market's clock, else the last with a trade."""
    if day is None and desk.market_time is not None:
        day = desk.market_time.astimezone(NEW_YORK).date()
    if day is None:
        day = trade_queries.last_day(session, account)
    return trade_queries.day_pnl(session, day, account)


def marked(held: Sequence[PositionView], tickers: Mapping[str, Snapshot]) -> list[PositionView]:
    """Positions at the mid of their last quotes; unknown without two sides in order."""
    quotes: dict[int, Quote] = {}
    for ticker in tickers.values():
        quotes |= ticker.quotes
    return [_at_mid(position, quotes.get(position.con_id)) for position in held]


def _at_mid(position: PositionView, quote: Quote | None) -> PositionView:
    if quote is None or quote.mid is None or quote.crossed:
        return position
    mark = plain_money(Decimal(str(round(quote.mid, 6))))
    pnl = plain_money((mark - position.avg_price) * position.quantity * position.multiplier)
    return dataclasses.replace(position, mark=mark, unrealized_pnl=pnl)
