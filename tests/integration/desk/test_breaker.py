"""The breaker over the real record: trips once, survives restarts, ends as its cause says (RULINGS 13, FAULTS 42)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from tests.support import record
from tests.support.desk import SESSION, BorrowedThread, MortalThread, World
from tests.support.waiting import PATIENCE_S, settled

from htbot.desk.breaker import BreakerParts, BreakerWatch, Seen
from htbot.desk.halts import HaltWatch
from htbot.desk.threads import DatabaseThread
from htbot.domain.orders import ExitReason, IntentState, OrderState
from htbot.domain.positions import Position
from htbot.domain.sessions import Session
from htbot.domain.signals import SpreadLeg
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.engine import Database
from htbot.persistence.records import CashFlow, Command, EquityDay, PnlSnapshot
from htbot.persistence.repositories import (
    CommandRepository,
    EquityRepository,
    HaltRepository,
    OrderRepository,
    PnlRepository,
    PositionRepository,
    TradeRepository,
)
from htbot.portfolio.marks import Marks
from htbot.risk.breaker import BreakerLimits, Cause
from htbot.services.trade_record import manual_decision

LIMITS = BreakerLimits(daily_loss_usd=Decimal(500))
NEXT = Session(date(2022, 8, 29), datetime(2022, 8, 29, 13, 30, tzinfo=UTC), datetime(2022, 8, 29, 20, tzinfo=UTC))
AWAY = "postgresql://nobody@127.0.0.1:1/none"


BARE = Marks(record.NOON, (), None, None, None, None, None)


@dataclass
class Tripping:
    """A desk as far as the breaker sees it."""

    world: World
    trades: list[Trade] = field(default_factory=list)
    held: dict[int, int] = field(default_factory=dict)
    cost: Decimal | None = Decimal("4.20")
    amounts: dict[str, Decimal] = field(default_factory=lambda: {"NetLiquidation": Decimal(100_000)})
    flatten: bool = True
    session: Session = SESSION
    trouble: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.start()

    def start(self, database: DatabaseThread | None = None) -> None:
        """The desk begins, perhaps not for the first time."""
        thread = database or BorrowedThread("breaker", self.world.database)
        self.world.threads.append(thread)
        self.halts = HaltWatch(self.world.stop_file, thread)
        self.watch = BreakerWatch(
            BreakerParts(
                database=thread,
                halts=self.halts,
                limits=LIMITS,
                flatten=self.flatten,
                trades=lambda account: [trade for trade in self.trades if trade.account == account],
                marks_of=self.marks_of,
                holdings=lambda _account: self.held,
            )
        )

    def marks_of(self, legs: tuple[SpreadLeg, ...], as_of: datetime) -> Marks:
        assert legs
        return replace(BARE, as_of=as_of, mid_cost=self.cost, natural_cost=self.cost)

    async def look(self, *, after_s: float = 5) -> Cause | None:
        self.world.now += timedelta(seconds=after_s)
        await self.halts.refresh(self.world.now)
        seen = Seen(record.ACCOUNT, self.session, self.amounts, **self.trouble)
        trip = await self.watch.look(self.world.now, seen)
        return None if trip is None else trip.cause

    def lose(self, gross: str, fees: str | None = "0") -> None:
        """A trade of today was closed with this result."""
        trade = record.trade()
        closed = replace(
            trade,
            state=TradeState.CLOSED,
            credit=Decimal("4.20"),
            debit=Decimal("6.20"),
            gross_pnl_usd=Decimal(gross),
            commissions_usd=None if fees is None else Decimal(fees),
            closed_at=self.world.now,
        )
        with self.world.database.transaction() as session:
            trades = TradeRepository(session)
            trades.add(trade)
            assert trades.save(closed, TradeState.OPENING) or trades.save(closed, TradeState.CLOSED)

    def closes(self) -> list[Command]:
        with self.world.database.transaction() as session:
            return CommandRepository(session).open()

    def day(self) -> EquityDay:
        with self.world.database.transaction() as session:
            found = EquityRepository(session).last(record.ACCOUNT)
        assert found is not None
        return found

    def sources(self) -> list[str]:
        return [halt.source for halt in self.world.halts()]


@pytest.fixture
def desk(world: World) -> Tripping:
    return Tripping(world)


def opened(**changes: object) -> Trade:
    return replace(record.trade(), state=TradeState.OPEN, credit=Decimal("4.20"), **changes)


@pytest.mark.ruling(13)
async def test_a_cent_below_the_limit_runs_and_the_limit_trips_once(desk: Tripping) -> None:
    desk.lose("-499.99")
    assert await desk.look() is None
    assert desk.halts.entries_halted_by() is None
    desk.lose("-500.00")
    assert await desk.look() is Cause.DAILY_LOSS
    assert desk.halts.entries_halted_by() == "breaker by daily_loss: the day's P&L is -500.00 USD, limit -500.00 USD"
    for _ in range(3):
        assert await desk.look() is None
    assert desk.sources() == ["daily_loss"]
    assert desk.world.mails("circuit_breaker") == 1
    (close,) = desk.closes()
    assert dict(close.params) == {"scope": record.ACCOUNT, "exit_reason": "breaker"}
    (alert,) = [stored.alert for stored in desk.world.alerts() if stored.alert.kind == "circuit_breaker"]
    assert "-500.00 USD" in alert.text
    assert alert.severity == "CRITICAL"


async def test_open_trades_count_with_what_closing_them_costs(desk: Tripping) -> None:
    desk.trades = [opened()]
    desk.cost = Decimal("9.19")
    assert await desk.look() is None
    desk.cost = Decimal("9.20")  # (4.20 - 9.20) x 100
    assert await desk.look() is Cause.DAILY_LOSS


async def test_a_loss_of_the_night_before_is_not_todays(desk: Tripping) -> None:
    desk.trades = [opened(opened_at=SESSION.opens - timedelta(days=1))]
    desk.cost = Decimal("8.20")
    assert await desk.look() is None
    assert desk.day().start_unrealized_usd == Decimal(-400)
    desk.start()
    desk.cost = Decimal("13.19")
    assert await desk.look() is None
    desk.cost = Decimal("13.20")
    assert await desk.look() is Cause.DAILY_LOSS


@pytest.mark.parametrize(("mark", "start"), [(None, None), ("-150", "-150")])
async def test_what_is_held_over_night_begins_at_its_evenings_mark_and_is_unknown_without(
    desk: Tripping, mark: str | None, start: str | None
) -> None:
    """As the dashboard counts; the first look of the day is no mark: a gap would be nobody's."""
    evening = SESSION.opens - timedelta(hours=18)
    trade = opened(session=record.DAY - timedelta(days=1), opened_at=evening, commissions_usd=Decimal(0))
    with desk.world.database.transaction() as session:
        assert TradeRepository(session).add(trade)
        if mark is not None:
            PnlRepository(session).add_snapshot(PnlSnapshot(trade.id, evening, mid_pnl_usd=Decimal(mark)))
    desk.trades, desk.cost = [trade], Decimal("8.20")
    assert await desk.look() is None
    assert desk.day().start_unrealized_usd == (None if start is None else Decimal(start))


async def test_without_flattening_a_trip_only_ends_entries(world: World) -> None:
    desk = Tripping(world, flatten=False)
    desk.lose("-700")
    assert await desk.look() is Cause.DAILY_LOSS
    assert desk.closes() == []
    desk.trades = [opened()]
    await desk.look(after_s=120)
    assert world.mails("flatten_incomplete") == 0


async def test_it_looks_every_five_seconds_and_on_every_fill(desk: Tripping) -> None:
    await desk.look()
    desk.lose("-500")
    assert await desk.look(after_s=4.9) is None
    seen = Seen(record.ACCOUNT, SESSION, desk.amounts)
    trip = await desk.watch.look(desk.world.now, seen, at_once=True)
    assert trip is not None


async def test_nothing_trips_outside_regular_hours(desk: Tripping) -> None:
    desk.lose("-900")
    desk.world.now = SESSION.closes
    assert await desk.look() is None
    assert await desk.watch.look(SESSION.opens, Seen(record.ACCOUNT, None, {})) is None


@pytest.mark.ruling(13)
async def test_the_next_session_ends_a_daily_loss_and_not_a_drawdown(desk: Tripping) -> None:
    await desk.look()
    desk.lose("-500")
    assert await desk.look() is Cause.DAILY_LOSS
    desk.amounts = {"NetLiquidation": Decimal(90_000)}
    assert await desk.look() is Cause.DRAWDOWN
    assert desk.sources() == ["daily_loss", "drawdown"]
    desk.world.now, desk.session = NEXT.opens, NEXT
    desk.start()
    assert await desk.look() is None
    assert desk.sources() == ["drawdown"]
    day = desk.day()
    assert (day.day, day.start_net_liquidation_usd, day.peak_equity_usd) == (
        NEXT.day,
        Decimal(90_000),
        Decimal(100_000),
    )


async def test_a_restart_resets_neither_peak_nor_start(desk: Tripping) -> None:
    desk.amounts = {"NetLiquidation": Decimal(104_000)}
    await desk.look()
    desk.amounts = {"NetLiquidation": Decimal(110_000)}
    await desk.look()
    desk.start()
    desk.amounts = {"NetLiquidation": Decimal("99000.01")}
    assert await desk.look() is None
    day = desk.day()
    assert (day.start_net_liquidation_usd, day.peak_equity_usd) == (Decimal(104_000), Decimal(110_000))
    desk.amounts = {"NetLiquidation": Decimal(99_000)}
    assert await desk.look() is Cause.DRAWDOWN


async def test_money_taken_out_is_no_drawdown(desk: Tripping) -> None:
    await desk.look()
    with desk.world.database.transaction() as session:
        EquityRepository(session).add_flow(
            CashFlow(record.ACCOUNT, desk.world.now, Decimal(-20_000), "rent", "cli:ann")
        )
    desk.amounts = {"NetLiquidation": Decimal("72000.01")}  # the peak is 80,000 now
    assert await desk.look() is None
    desk.amounts = {"NetLiquidation": Decimal(72_000)}
    assert await desk.look() is Cause.DRAWDOWN


async def test_after_a_reset_it_judges_from_there(desk: Tripping) -> None:
    await desk.look()
    desk.lose("-600")
    desk.amounts = {"NetLiquidation": Decimal(89_000)}
    await desk.look()
    await desk.look()
    with desk.world.database.transaction() as session:
        HaltRepository(session).clear("cli:ann", desk.world.now)
        EquityRepository(session).reset(desk.world.now)
    for _ in range(3):
        assert await desk.look() is None
    assert (desk.sources(), desk.day().loss_base_usd, desk.day().peak_equity_usd) == (
        [],
        Decimal(-600),
        Decimal(89_000),
    )
    desk.lose("-1100")
    assert await desk.look() is Cause.DAILY_LOSS


async def test_five_refusals_of_the_broker_trip(desk: Tripping) -> None:
    await desk.look()
    for number in range(1, 6):
        intent = desk.world.enter(number, strategy=f"s{number}", id=f"s{number}")
        with desk.world.database.transaction() as session:
            OrderRepository(session).upsert(record.order(intent, state=OrderState.REJECTED), desk.world.now)
        tripped = await desk.look()
        assert (tripped is Cause.ORDER_REJECTS) is (number == 5)
    with desk.world.database.transaction() as session:
        HaltRepository(session).clear("cli:ann", desk.world.now)
        EquityRepository(session).reset(desk.world.now)
    assert await desk.look() is None


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [({"mismatch_unresolved": True}, Cause.RECONCILIATION), ({"broken_invariant": "too much"}, Cause.INVARIANT)],
)
async def test_trouble_of_the_desk_trips(desk: Tripping, trouble: dict[str, object], cause: Cause) -> None:
    desk.trouble = trouble
    assert await desk.look() is cause
    (halt,) = desk.world.halts()
    assert halt.ends_at is None


async def test_without_the_record_the_session_in_memory_still_trips(desk: Tripping) -> None:
    await desk.look()
    away = DatabaseThread("away", Database(AWAY))
    desk.world.threads.append(away)
    object.__setattr__(desk.watch._parts, "database", away)
    real, desk.halts._database = desk.halts._database, away
    desk.trades = [opened()]
    desk.cost = Decimal("9.30")
    assert await desk.look() is Cause.DAILY_LOSS
    assert "daily_loss" in (desk.halts.entries_halted_by() or "")
    assert await desk.look() is None
    desk.halts._database = real
    await desk.halts.refresh(desk.world.now)
    assert desk.sources() == ["daily_loss"]
    assert (desk.world.mails("circuit_breaker"), len(desk.closes())) == (1, 1)


async def test_a_desk_that_never_reached_the_record_judges_what_it_sees(desk: Tripping) -> None:
    away = DatabaseThread("away", Database(AWAY))
    desk.start(away)
    assert await desk.look() is None
    desk.amounts = {"NetLiquidation": Decimal("99499.99")}  # realised P&L is not known: the broker's figure counts
    assert await desk.look() is Cause.DAILY_LOSS


async def test_not_flat_a_minute_after_the_trip_is_told_each_minute(desk: Tripping) -> None:
    desk.trades, desk.cost = [opened()], Decimal("9.30")
    desk.lose("0")
    assert await desk.look() is Cause.DAILY_LOSS
    for _ in range(10):
        await desk.look()
    assert desk.world.mails("flatten_incomplete") == 0
    for _ in range(24):
        await desk.look()
    assert desk.world.mails("flatten_incomplete") in {2, 3}
    told = desk.world.mails("flatten_incomplete")
    with desk.world.database.transaction() as session:  # flat by our books, not by the broker's
        flat = Position(
            record.ACCOUNT, record.SHORT.con_id, "SPX", record.DAY, record.SHORT.strike, record.SHORT.right, 100
        )
        PositionRepository(session).put([flat], desk.world.now)
    desk.trades, desk.held = [], {record.SHORT.con_id: -1, 99: 5}  # 99 is not ours
    await desk.look(after_s=60)
    assert desk.world.mails("flatten_incomplete") == told + 1
    desk.held = {99: 5}
    await desk.look(after_s=60)
    assert desk.world.mails("flatten_incomplete") == told + 1


async def test_a_record_that_hangs_holds_up_no_look_at_what_is_left(desk: Tripping) -> None:
    desk.trades, desk.cost = [opened()], Decimal("9.30")
    assert await desk.look() is Cause.DAILY_LOSS
    silent = MortalThread("silent", desk.world.database)
    desk.world.threads.append(silent)
    silent.hangs = True
    desk.watch._parts = replace(desk.watch._parts, database=silent, patience_s=0.01)
    assert await asyncio.wait_for(desk.look(after_s=120), PATIENCE_S) is None
    assert desk.world.mails("flatten_incomplete") == 0
    silent.hangs = False
    await settled(lambda: desk.world.mails("flatten_incomplete") == 1)


async def test_ours_and_the_brokers_day_that_differ_are_told(desk: Tripping) -> None:
    desk.amounts |= {"DailyPnL": Decimal(-51)}
    desk.lose("0")
    await desk.look()
    assert desk.world.mails("error.P&L mismatch") == 1


# --- with the whole desk ----------------------------------------------------------------------------------------------


@pytest.mark.ruling(13)
async def test_a_trip_closes_three_positions_once_and_withdraws_what_waits(world: World) -> None:
    desk = await world.desk()
    inner = desk.desk
    held = [await desk.opened(number=number, strategy=f"s{number}", id=f"s{number}") for number in (1, 2, 3)]
    watch = BreakerWatch(
        BreakerParts(
            database=inner.parts.orders_database,
            halts=inner.parts.halts,
            limits=LIMITS,
            flatten=True,
            trades=lambda _account: inner.guard.trades,
            marks_of=inner.marks,
            holdings=inner.holdings,
        )
    )
    seen = Seen(record.ACCOUNT, SESSION, {"NetLiquidation": Decimal(100_000)})
    world.after(market_s=5)
    assert await watch.look(world.now, seen) is None
    waiting = world.enter(4, strategy="s4", id="s4", opened_at=world.now)
    world.broker.quotes |= {record.SHORT.con_id: (7.90, 7.94), record.LONG.con_id: (2.00, 2.04)}  # 5.90 each, at mid
    world.after(market_s=5)
    trip = await watch.look(world.now, seen)
    assert trip is not None
    assert trip.cause is Cause.DAILY_LOSS
    await desk.turn()
    await watch.look(world.now, seen, at_once=True)  # a fill, a second look
    await desk.turn()
    assert world.state(waiting.ref) is IntentState.WITHDRAWN
    exits = [world.exits(intent.trade_id) for intent in held]
    assert [len(found) for found in exits] == [1, 1, 1]
    for (exit_,) in exits:
        world.broker.fill(exit_.intent.ref, "-5.95")
        world.broker.report_commissions(exit_.intent.ref)
    await desk.turn()
    world.after(market_s=90)
    await watch.look(world.now, seen)
    await desk.turn()
    assert {world.trade(intent.trade_id).state for intent in held} == {TradeState.CLOSED}
    assert (world.mails("circuit_breaker"), world.mails("flatten_incomplete")) == (1, 0)
    assert world.broker.held == {}
    with world.database.transaction() as session:
        assert CommandRepository(session).open() == []


async def test_the_look_that_trips_sends_the_closes_and_asks_for_them_once(world: World) -> None:
    desk = await world.desk()
    await desk.opened()
    world.after(market_s=5)
    await desk.desk.upkeep.look(world.now)
    world.broker.values["NetLiquidation"] = "80000.00"
    world.after(market_s=5)
    await desk.desk.upkeep.look(world.now)
    assert len(desk.session.placed) == 2, "the entry, and its close"
    await desk.turn()
    with world.database.transaction() as session:
        assert len(CommandRepository(session).open()) == 1


async def test_a_fill_is_judged_at_the_next_look_once_the_record_has_it(world: World) -> None:
    desk = await world.desk()
    intent = await desk.opened()
    held = desk.desk.book.get(intent.trade_id)
    assert held is not None
    world.after(market_s=5)
    await desk.hear()
    desk.desk.guard.close(held, manual_decision(ExitReason.MANUAL, world.now, "out"))
    await desk.turn()
    for second in (0, 1):
        world.after(market_s=second)
        await desk.desk.upkeep.look(world.now)
    [exit_] = world.exits(intent.trade_id)
    world.broker.fill(exit_.intent.ref, "-15.00")  # 1,075 USD are lost
    world.broker.report_commissions(exit_.intent.ref)
    world.after(market_s=1)
    await desk.hear()
    await desk.desk.upkeep.look(world.now)
    [halt] = world.halts()
    assert (halt.source, world.now - halt.set_at) == (Cause.DAILY_LOSS.value, timedelta(0))
