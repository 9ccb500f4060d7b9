"""The gateway: one market, one book, many clients, one time.

Everything happens in turns: a client's bytes or an instant of the market change the books, then `turn_done` commits
them and only then sends what clients are told. Time moves through `play` alone; when it moves is up to the `Pace`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from htbot.domain.sessions import NEW_YORK
from htbot.market.ports import Market
from htbot.paper.accounts.advisor import Advisor
from htbot.paper.accounts.feed import AccountFeed
from htbot.paper.accounts.ledger import Ledger
from htbot.paper.accounts.trading_day import TradingDay
from htbot.paper.accounts.valuation import BrokerTerms, Valuer
from htbot.paper.book.book import Book, BookRules, Parts
from htbot.paper.book.records import Records
from htbot.paper.contracts import ContractDesk
from htbot.paper.faults.conduct import Conduct
from htbot.paper.faults.hearing import HeardReports
from htbot.paper.feeds.pacing import HistoryPacing
from htbot.paper.feeds.streams import DataRules
from htbot.paper.limits import ClientRules
from htbot.paper.prices import Prices
from htbot.paper.reports import ClientReports
from htbot.paper.session import Session
from htbot.paper.store import STORE_FORM, Store


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """How the gateway is run; no accounts = one whose number comes from the world.

    `ticks_per_second`: how often in a second of the market a paced world looks at its prices.
    """

    accounts: tuple[str, ...] = ()
    cash_usd: Decimal = Decimal(100_000)
    speed: str = "1"
    latency_s: float = 0.1
    fresh: bool = False
    clients: ClientRules = field(default_factory=ClientRules)
    data: DataRules = field(default_factory=DataRules)
    book: BookRules = field(default_factory=BookRules)
    ticks_per_second: float = 1.0
    terms: BrokerTerms = field(default_factory=BrokerTerms)


class Pace(Protocol):
    """Who decides when market time moves."""

    def refresh(self) -> None:
        """Bring the gateway's time up to date before a request is answered."""
        ...

    def joined(self, session: Session) -> None:
        """A client has started."""
        ...

    def left(self, session: Session) -> None:
        """A client is gone."""
        ...

    def asked_time(self, session: Session) -> None:
        """A client sent reqCurrentTime."""
        ...

    def order_arrived(self) -> None:
        """A client placed, changed or cancelled an order."""
        ...


def account_number(world_id: str) -> str:
    """The account of a world when none is configured: DU and seven digits."""
    return f"DU{zlib.crc32(world_id.encode()) % 10_000_000:07d}"


class Gateway:
    """Market, books and sessions of one running gateway."""

    def __init__(self, market: Market, store: Store, config: GatewayConfig) -> None:
        self.market = market
        self.store = store
        self.config = config
        self.world_id = _open_world(store, market.world_id, fresh=config.fresh)
        self.now = datetime.fromisoformat(store.meta("clock") or market.start.isoformat())
        self.sessions: dict[int, Session] = {}
        self.held_ids: set[int] = set()
        self.faults = Conduct(self)
        self.display_groups: dict[int, str] = {}
        self.contracts = ContractDesk(market)
        self.prices = Prices(market, self.now)
        self.history_pacing = HistoryPacing(config.data.pacing)
        self.accounts = config.accounts or (account_number(self.world_id),)
        self.advisor = Advisor(store, self.accounts)
        self.ledger = Ledger(store, self.advisor.clients, config.cash_usd)
        if self.advisor.master is not None:
            self.ledger.open(self.advisor.master, Decimal(0))
        rules = config.terms.rules(self.advisor.clients)
        self.valuer = Valuer(self.ledger, self.contracts, self.prices, rules)
        parts = Parts(self.contracts, self.prices, self.ledger, self.valuer, Records(store), self.faults, config.book)
        self.reports = HeardReports(ClientReports(self.sessions, config.clients.master_client_id), self.faults)
        self.book = Book(parts, self.reports, self.world_id)
        self.book.restore()
        self.day = TradingDay(market, store, self.book, self.ledger, self.valuer)
        self.account_feed = AccountFeed(self)
        self._saved: datetime | None = None
        self.save_clock()
        store.commit()

    def midnight(self) -> datetime:
        """The beginning of the day in New York: executions and completed orders reach back to it."""
        return self.now.astimezone(NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)

    # --- time -----------------------------------------------------------------------------------------------------

    def move_to(self, at: datetime) -> None:
        """Set the time without playing anything."""
        if at != self.now:
            self.now = at
            self.prices.move(at)

    def play(self, at: datetime) -> None:
        """Play one instant: prices go out, the day's events happen, working orders look at the market."""
        self.move_to(at)
        if self.faults.in_force:
            self.faults.turn()
        if self.faults.link_down:
            return
        self._publish()
        self.settle(at)
        self.account_feed.publish()

    def settle(self, at: datetime) -> None:
        """What an instant does at the exchange and the broker, whether or not anybody is told."""
        self.move_to(at)
        self.day.turn(at)
        self.match_working()

    def match_working(self) -> None:
        """Let every working order look at the market."""
        self.book.look_all(self.now)

    def match_due(self) -> None:
        """Let orders that arrived or changed look at the market for the first time."""
        if self.faults.link_down:
            return
        self.book.look_due(self.now)

    def clear_due(self) -> None:
        """Orders that could not look at a closed market wait for the next instant, not for another barrier."""
        self.book.clear_due()

    def _publish(self) -> None:
        for session in self.sessions.values():
            for line in session.lines.values():
                line.publish(session, self.prices)
            for stream in session.streams.values():
                stream.publish(session, self.prices)

    # --- turns ----------------------------------------------------------------------------------------------------

    def turn_done(self) -> None:
        """Commit what happened, then tell it. No client has seen a later time than the record."""
        self.account_feed.push_changes()
        self.faults.save()
        self.save_clock()
        self.book.flush()
        self.store.commit()
        for session in self.sessions.values():
            session.flush()

    def save_clock(self) -> None:
        """Keep the present time."""
        if self.now != self._saved:
            self._saved = self.now
            self.store.put_meta("clock", self.now.isoformat())

    def close(self) -> None:
        """Close every client and the store; a turn that failed half-way is not kept."""
        for session in list(self.sessions.values()):
            session.close()
        self.store.close()


def _open_world(store: Store, market_world: str, *, fresh: bool) -> str:
    """The id of the world that the store goes on with. A fresh start, or books of an older form, is another world."""
    known = store.meta("market_world")
    generation = int(store.meta("generation") or 0)
    readable = store.meta("form") == STORE_FORM
    if known is not None and (fresh or known != market_world or not readable):
        store.clear()
        generation += 1
    store.put_meta("market_world", market_world)
    store.put_meta("form", STORE_FORM)
    store.put_meta("generation", str(generation))
    store.commit()
    return market_world if generation == 0 else f"{market_world}-{generation}"
