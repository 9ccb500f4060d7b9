"""Whoever tells what a day has earned tells the same: breaker, dashboard, curve and REST, also afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from tests.support import plain, record
from tests.support.people import FakeLive, House, clock, furnish
from tests.support.postgres import (  # noqa: F401 - fixtures
    postgres_server,
    record_template,
    shared_database,
    shared_database_url,
    wipe,
)

from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason, OrderIntent
from htbot.domain.trades import Trade, TradeState
from htbot.execution.intents import exit_intent
from htbot.persistence.day_book import read_day
from htbot.persistence.engine import Database
from htbot.persistence.queries.selection import Selection
from htbot.persistence.records import PnlSnapshot
from htbot.persistence.repositories import (
    FillRepository,
    IntentRepository,
    PnlRepository,
    RiskDecisionRepository,
    TradeRepository,
)
from htbot.portfolio.pnl import trade_result
from htbot.risk.breaker import DayFigures, daily_result
from htbot.services.board.board import Topic
from htbot.services.board.picture import picture_of
from htbot.services.day_picture import DayPictures

DAYS, SLOTS = 3, 3
CENT = Decimal("0.01")
prices = st.integers(39_000, 41_000).map(lambda cents: cents * CENT)
fees = st.one_of(st.integers(-50, 300).map(lambda cents: cents * CENT), st.none())


def at(slot: int) -> datetime:
    """Slots are ten minutes apart, from noon of the first of three days in a row."""
    return record.NOON + timedelta(days=slot // SLOTS - DAYS + 1, minutes=10 * (slot % SLOTS))


@dataclass(frozen=True)
class Sale:
    """So many of what is held, at most all of it, at a price."""

    slot: int
    units: int
    price: Decimal
    fee: Decimal | None


@dataclass(frozen=True)
class Life:
    """A trade from its entry on; `side` is 1 of a long one."""

    side: int
    units: int
    slot: int
    price: Decimal
    fee: Decimal | None
    sales: list[Sale]


sales = st.builds(Sale, st.integers(1, DAYS * SLOTS - 1), st.integers(1, 4), prices, fees)
lives = st.builds(
    Life, st.sampled_from([1, -1]), st.integers(1, 6), st.integers(0, DAYS * SLOTS - 2), prices, fees,
    st.lists(sales, max_size=4, unique_by=lambda sale: sale.slot),
)  # fmt: skip


@dataclass
class Book:
    """The same trade by plain arithmetic: what it has made, what it has cost, and what a day began with."""

    life: Life
    trade: Trade
    fills: list[tuple[int, int, Decimal, Decimal | None]] = field(default_factory=list)
    told: list[Fill] = field(default_factory=list)
    marks: dict[int, Decimal] = field(default_factory=dict)

    def net(self, until: int) -> Decimal | None:
        """Its worth before a slot, less its cost, at its last mark; 0 before its entry."""
        told = [fill for fill in self.fills if fill[0] < until]
        left = self.life.units if told else 0
        made = Decimal(0)
        for number, (_slot, units, price, fee) in enumerate(told):
            if fee is None:
                return None
            made -= fee
            if number:
                left -= units
                made += self.life.side * (price - self.life.price) * units
        if left:
            seen = [slot for slot in self.marks if slot < until]
            if not seen:
                return None
            made += self.life.side * (self.marks[max(seen)] - self.life.price) * left
        return made

    def over(self, before: int) -> bool:
        """Whether nothing of it was left before a slot."""
        told = [units for slot, units, _price, _fee in self.fills if slot < before]
        return bool(told) and sum(told[1:]) == self.life.units


@dataclass
class World:
    """The record, and the book beside it."""

    house: House
    live: FakeLive
    books: list[Book] = field(default_factory=list)

    def turn(self, slot: int, every: list[Life]) -> None:
        """What happens in a slot: entries and sales, as the desk writes them down."""
        with self.house.database.transaction() as session:
            for number, life in enumerate(every, 1):
                if life.slot == slot:
                    self._enter(session, number, life)
            for book in self.books:
                for sale in book.life.sales:
                    if sale.slot == slot and slot > book.life.slot and not book.over(slot):
                        self._sell(session, book, sale)

    def _enter(self, session: Session, number: int, life: Life) -> None:
        leg, opened = plain.LONG if life.side > 0 else plain.SHORT, at(life.slot)
        trade = plain.trade(number, leg, quantity=life.units, opened_at=opened, strategy=f"s{number}")
        trade = replace(trade, session=opened.date())
        RiskDecisionRepository(session).add(record.approval(number))
        assert TradeRepository(session).add(trade)
        book = Book(life, trade)
        self.books.append(book)
        self._fill(session, book, plain.entry(trade, number), Sale(life.slot, life.units, life.price, life.fee))

    def _sell(self, session: Session, book: Book, sale: Sale) -> None:
        held = book.life.units - sum(units for _slot, units, _price, _fee in book.fills[1:])
        sale = replace(sale, units=min(sale.units, held))
        intent = exit_intent(book.trade, ExitReason.SIGNAL, None, at(sale.slot), sale.units, len(book.fills))
        self._fill(session, book, intent, sale)

    def _fill(self, session: Session, book: Book, intent: OrderIntent, sale: Sale) -> None:
        leg, number = plain.LONG if book.life.side > 0 else plain.SHORT, len(book.fills)
        book.fills.append((sale.slot, sale.units, sale.price, sale.fee))
        fill = record.fill(intent, leg, f"{book.trade.id}-{number}.01", str(sale.price))  # type: ignore[arg-type]
        fill = replace(fill, commission=sale.fee, executed_at=at(sale.slot))
        book.told.append(fill)
        assert IntentRepository(session).add_filled(intent, {}, 1)
        assert FillRepository(session).add(fill, fill.executed_at)
        self._fold(session, book)

    def _fold(self, session: Session, book: Book) -> None:
        entry, exits = book.told[:1], book.told[1:]
        result = trade_result(book.trade.legs, entry, exits)
        over = result.closed == result.opened
        folded = replace(
            book.trade,
            state=TradeState.CLOSED if over else TradeState.OPEN,
            credit=result.credit,
            debit=result.debit,
            closed=result.closed,
            gross_pnl_usd=result.gross_usd if result.closed else None,
            commissions_usd=result.commissions_usd,
            closed_at=max(one.executed_at for one in exits) if over else None,
            exit_reason=ExitReason.SIGNAL if over else None,
        )
        assert TradeRepository(session).save(folded, book.trade.state)
        book.trade = folded

    def mark(self, slot: int, prices: list[Decimal]) -> None:
        """Every open trade is marked."""
        with self.house.database.transaction() as session:
            for book in self.books:
                if not book.over(slot + 1):
                    book.marks[slot] = prices[book.life.units % len(prices)]
                    usd = book.life.side * (book.marks[slot] - book.life.price) * book.trade.left
                    PnlRepository(session).add_snapshot(
                        PnlSnapshot(book.trade.id, at(slot), mid_pnl_usd=usd, natural_pnl_usd=usd)
                    )


def expected(books: list[Book], day: int, until: int) -> Decimal | None:
    """What a day has earned before a slot of it, or in whole."""
    total = Decimal(0)
    for book in books:
        begun = day * SLOTS
        if book.life.slot >= until or book.over(begun):
            continue
        now, before = book.net(until), book.net(begun) if book.life.slot < begun else Decimal(0)
        if now is None or before is None:
            return None
        total += now - before
    return total


def told(world: World, slot: int) -> dict[str, Decimal | None]:
    """What each of those who judge the day says of it."""
    house, now = world.house, at(slot)
    world.live.said = clock(market_time=now)
    live = house.readings.live()
    reading = house.readings.record(live, frozenset({Topic.STATUS}), None)
    picture = picture_of(live, reading, [], ("paper", house.now()), away=False)
    curve = DayPictures(house.database, world.live, plain.SYMBOL, 5, house.now).stories()[record.ACCOUNT].equity
    with house.database.transaction() as session:
        book = read_day(session, record.ACCOUNT, now.date(), now)
    open_usd = sum(
        (one.life.side * (one.marks[slot] - one.life.price) * one.trade.left
         for one in world.books if not one.over(slot + 1)), Decimal(0),
    )  # fmt: skip
    figures = DayFigures(
        realized_usd=book.realized_usd,
        commissions_usd=book.commissions_usd,
        unrealized_usd=open_usd,
        start_unrealized_usd=book.carried_usd if book.holds_over else Decimal(0),
    )
    told = {
        "breaker": daily_result(figures).own_usd,
        "dashboard": picture.days[record.ACCOUNT].total,
        "dashboard, all accounts": picture.days[None].total,
        "REST": house.queries.pnl(Selection(account=record.ACCOUNT)).total,
    }
    return told | ({"curve": curve[-1].pnl} if curve else {})


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="htbot-day-money-") as name:
        yield Path(name)


# A part is sold after the evening's last mark.
LATE = Life(1, 4, 0, Decimal(400), Decimal(1), [Sale(2, 1, Decimal(401), Decimal(1))])
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(
    every=st.lists(lives, min_size=1, max_size=4),
    looks=st.sets(st.integers(0, DAYS * SLOTS - 1), min_size=1),
    marks=st.lists(prices, min_size=1, max_size=3),
)
@example(every=[LATE], looks={1, SLOTS}, marks=[Decimal("400.40")])
def test_all_tell_the_same_of_a_day(
    shared_database: Database,  # noqa: F811 - the fixture
    shared_database_url: str,  # noqa: F811 - the fixture
    folder: Path,
    every: list[Life],
    looks: set[int],
    marks: list[Decimal],
) -> None:
    wipe(shared_database_url)
    live = FakeLive()
    world = World(furnish(shared_database, folder, live), live)
    for slot in range(DAYS * SLOTS):
        world.turn(slot, every)
        if slot not in looks:
            continue
        world.mark(slot, marks)
        right = expected(world.books, slot // SLOTS, slot + 1)
        for teller, said in told(world, slot).items():
            assert said == right, f"{teller} of day {slot // SLOTS} at slot {slot}"
    for day in range(DAYS):
        said = world.house.queries.pnl(Selection(account=record.ACCOUNT, day=at(day * SLOTS).date()))
        assert said.total == expected(world.books, day, (day + 1) * SLOTS), f"REST of day {day}, afterwards"
