"""Twenty at once change nothing that one would not (issue, "What must hold"; RULINGS 38)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any, TypeVar

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from tests.support import record
from tests.support.accounts import ENOUGH, FIGURES, AskedBroker, enough_margin
from tests.support.breakout_world import ACCOUNT, World, limits_of, session_on
from tests.support.desk import World as DeskWorld

from htbot.domain.bars import Bar
from htbot.domain.decisions import RiskRefusal
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.orders import ExitReason
from htbot.domain.quotes import Quote
from htbot.domain.trades import TradeState
from htbot.execution.exits import ExitDecision
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.queries.why import explain
from htbot.persistence.repositories import (
    AlertRepository,
    BarRepository,
    DeskStateRepository,
    HaltRepository,
    PnlRepository,
    SessionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.persistence.rows import Base
from htbot.persistence.states import HaltKind
from htbot.services.margin import AskMargin
from htbot.services.market_reader import NOT_ENABLED, MarketReader
from htbot.services.pnl_marker import PnlMarker
from htbot.services.trade_record import manual_decision, request_exit
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout

MANY = 20
SESSION = session_on(2022, 8, 26, opens=(13, 30))
FIVE = timedelta(minutes=5)
BREAKOUT = SESSION.opens + timedelta(minutes=53)
T = TypeVar("T")


@pytest.fixture
def wide(database_url: str) -> Iterator[Database]:
    """A connection for each."""
    opened = Database(database_url, EngineOptions(pool_size=MANY, max_overflow=0))
    yield opened
    opened.close()


def at_once(wide: Database, work: Callable[[Session], T]) -> list[T]:
    """The same work in twenty transactions that begin together."""
    start = Barrier(MANY)

    def one(_number: int) -> T:
        with wide.transaction() as session:
            session.connection()
            start.wait(10)
            return work(session)

    with ThreadPoolExecutor(MANY) as pool:
        return list(pool.map(one, range(MANY)))


def rows(database: Database, *tables: str) -> dict[str, int]:
    """How many rows there are."""
    with database.transaction() as session:
        return {
            name: session.scalars(select(func.count()).select_from(Base.metadata.tables[name])).one() for name in tables
        }


def climbing() -> list[Bar]:
    """Ten bars under the first one's high of 4110, then one that breaks it at 10:20."""
    shapes = [(4100.0, 4110.0, 4090.0, 4095.0)]
    shapes += [(4095.0 + number, 4097.0 + number, 4094.0 + number, 4096.0 + number) for number in range(9)]
    shapes += [(4104.0, 4112.0, 4103.0, 4111.0), (4111.0, 4111.5, 4110.5, 4111.0)]
    return [Bar("SPX", SESSION.opens + number * FIVE, 5, *shape) for number, shape in enumerate(shapes)]


def reader(ask_margin: AskMargin = enough_margin, **changes: Any) -> MarketReader:
    """One worker's reader."""
    strategy = SpxBreakout(BreakoutConfig(rsi_window=2, ema_span=2))
    return MarketReader(strategy, replace(limits_of("SPX"), **changes), ask_margin)


@pytest.fixture
def market(database: Database) -> World:
    made = World(SESSION, climbing())
    with database.transaction() as session:
        SessionRepository(session).upsert([SESSION])
        BarRepository(session).upsert("test", made.closed(BREAKOUT), BREAKOUT)
        desk = DeskStateRepository(session)
        desk.set_reconciled(desk.begin_epoch())
    return made


DECISION = ("evaluations", "signals", "risk_decisions", "trades", "intents")


@pytest.mark.fault(5)
@pytest.mark.ruling(2)
def test_twenty_readings_are_one_entry(database: Database, wide: Database, market: World) -> None:
    outcomes = at_once(wide, lambda session: reader().read(session, market.snapshot(BREAKOUT), BREAKOUT))
    assert rows(database, *DECISION) == dict.fromkeys(DECISION, 1)
    assert sum(outcome.intent is not None for outcome in outcomes) >= 1


class Other(SpxBreakout):
    """A second strategy that sees the same."""

    name = "other_breakout"


@pytest.mark.parametrize(
    ("limit", "rule"),
    [
        ({"max_concurrent_trades": 1}, "concurrent_trades"),
        ({"daily_trade_limit": 1}, "daily_trades"),
        ({"max_open_orders": 1}, "open_orders"),
        ({"max_orders_per_day": 1}, "orders_per_day"),
        ({"max_risk_per_day_usd": Decimal(5_000)}, "day_risk"),
        ({"max_position_size_usd": Decimal(5_000)}, "position_size"),
        ({"max_symbol_exposure_fraction": Decimal("0.05")}, "symbol_exposure"),
        ({"max_leverage": Decimal("0.05")}, "leverage"),
    ],
)
def test_two_strategies_at_one_instant_keep_the_limits_of_their_account(
    database: Database, market: World, limit: dict[str, Any], rule: str
) -> None:
    """Both have been let through and have asked the broker before either commits."""
    asked = Barrier(2)

    def answer(question: MarginQuestion) -> WhatIf:
        asked.wait(60)
        return enough_margin(question)

    def decide(strategy: SpxBreakout) -> str | None:
        worker = MarketReader(strategy, replace(limits_of("SPX"), **limit), answer)
        with database.transaction() as session:
            outcome = worker.read(session, market.snapshot(BREAKOUT), BREAKOUT)
        assert outcome.decision is not None
        return outcome.decision.refused_by.rule if isinstance(outcome.decision, RiskRefusal) else None

    config = BreakoutConfig(rsi_window=2, ema_span=2)
    with ThreadPoolExecutor(2) as pool:
        refused_by = list(pool.map(decide, (SpxBreakout(config), Other(config))))
    assert sorted(refused_by, key=str) == [None, rule]
    assert rows(database, *DECISION) == {"evaluations": 2, "signals": 2, "risk_decisions": 2, "trades": 1, "intents": 1}


@pytest.mark.ruling(2)
def test_a_reading_again_is_no_second_entry(database: Database, market: World) -> None:
    worker = reader()
    for _ in range(3):
        with database.transaction() as session:
            worker.read(session, market.snapshot(BREAKOUT), BREAKOUT)
    assert rows(database, *DECISION) == dict.fromkeys(DECISION, 1)


def test_an_entry_keeps_the_quotes_that_it_was_decided_on(database: Database, market: World) -> None:
    with database.transaction() as session:
        outcome = reader().read(session, market.snapshot(BREAKOUT), BREAKOUT)
    assert outcome.trade is not None
    with database.transaction() as session:
        told = explain(session, outcome.trade.id)
    assert told is not None
    tick = told.steps[0]
    assert (tick.step, tick.summary) == ("tick", "2 of 2 legs have a stored quote")
    quotes = market.snapshot(BREAKOUT).quotes
    assert {int(con_id): (quote["bid"], quote["ask"]) for con_id, quote in tick.values.items()} == {
        leg.con_id: (quotes[leg.con_id].bid, quotes[leg.con_id].ask) for leg in outcome.trade.legs
    }


def test_a_refused_signal_is_stored_with_its_reason_and_no_order(database: Database, market: World) -> None:
    with database.transaction() as session:
        reader(max_entries_per_day=0).read(session, market.snapshot(BREAKOUT), BREAKOUT)
    counted = rows(database, *DECISION)
    assert counted == {"evaluations": 1, "signals": 1, "risk_decisions": 1, "trades": 0, "intents": 0}


def test_the_broker_is_asked_once_about_the_very_order(database: Database, market: World) -> None:
    broker = AskedBroker(ENOUGH)
    with database.transaction() as session:
        outcome = reader(broker).read(session, market.snapshot(BREAKOUT), BREAKOUT)
    assert outcome.intent is not None
    assert broker.asked == [MarginQuestion.of(outcome.intent)]
    with database.transaction() as session:
        stored = session.scalars(select(Base.metadata.tables["risk_decisions"].c.outcomes)).one()
    assert [outcome["rule"] for outcome in stored][-2:] == ["intraday_margin", "what_if"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (WhatIf(unknown="the desk did not answer"), "NO_MARGIN(reason=unknown): the desk did not answer"),
        (WhatIf(rejected="broker error 201: no"), "NO_MARGIN(reason=rejected): broker error 201: no"),
        (replace(ENOUGH, initial_margin_after=Decimal(99_000)), "NO_MARGIN(reason=insufficient): 1480.00 USD"),
    ],
)
def test_an_entry_without_margin_is_refused_stored_and_told(
    database: Database, market: World, answer: WhatIf, why: str
) -> None:
    with database.transaction() as session:
        outcome = reader(AskedBroker(answer)).read(session, market.snapshot(BREAKOUT), BREAKOUT)
    assert (outcome.intent, outcome.trade) == (None, None)
    assert rows(database, *DECISION) == {**dict.fromkeys(DECISION, 1), "trades": 0, "intents": 0}
    with database.transaction() as session:
        [alert] = AlertRepository(session).recent()
    assert alert.alert.kind == "error.risk what_if"
    assert why in alert.alert.text


def test_the_broker_is_not_asked_about_what_is_refused_anyway(database: Database, market: World) -> None:
    broker = AskedBroker(ENOUGH)
    with database.transaction() as session:
        reader(broker, max_entries_per_day=0).read(session, market.snapshot(BREAKOUT), BREAKOUT)
    assert broker.asked == []


@pytest.mark.fault(42)
def test_a_strategy_that_has_lost_its_mind_is_halted_before_the_wire(database: Database, market: World) -> None:
    """A thousand signals in a second: the gate stops at the limit, and trading stops with it."""
    at = BREAKOUT
    with database.transaction() as session:
        for number in range(1000):
            wild = record.signal(5000.0 + number, account=ACCOUNT, as_of=at - timedelta(milliseconds=number + 1))
            SignalRepository(session).add(replace(wild, strategy="spx_breakout", session=SESSION.day), "not looked at")
        outcome = reader().read(session, market.snapshot(at), at)
    assert isinstance(outcome.decision, RiskRefusal)
    assert (outcome.decision.refused_by.rule, outcome.decision.refused_by.value) == ("signals_per_minute", "1000")
    assert rows(database, "intents") == {"intents": 0}
    with database.transaction() as session:
        [halt] = HaltRepository(session).active(at)
        assert (halt.source, halt.kind) == ("risk gate", HaltKind.HALT)
        again = reader().read(session, market.snapshot(at + timedelta(seconds=30)), at + timedelta(seconds=30))
    assert again.evaluation.why_not is not None
    assert again.evaluation.why_not.startswith("halt by risk gate: signals_per_minute")


def test_a_rule_that_only_warns_is_told(database: Database, market: World) -> None:
    none_left = replace(market.snapshot(BREAKOUT), figures=replace(FIGURES, day_trades_remaining=Decimal(0)))
    with database.transaction() as session:
        outcome = reader(pdt_strict=False).read(session, none_left, BREAKOUT)
        [alert] = AlertRepository(session).recent()
    assert outcome.intent is not None
    assert alert.alert.kind == "error.risk day_trades"


def test_a_strategy_that_is_switched_off_enters_nothing(database: Database, market: World) -> None:
    """RULINGS 27."""
    strategy = SpxBreakout(BreakoutConfig(rsi_window=2, ema_span=2))
    off = MarketReader(strategy, limits_of("SPX"), enough_margin, NOT_ENABLED)
    with database.transaction() as session:
        outcome = off.read(session, market.snapshot(BREAKOUT), BREAKOUT)
    assert outcome.intent is None
    assert rows(database, "intents", "trades") == {"intents": 0, "trades": 0}


def test_a_worker_that_has_read_all_day_decides_as_one_that_has_just_started(database: Database, market: World) -> None:
    old = reader()
    instants = [SESSION.opens + timedelta(seconds=30 * number) for number in range(60, 107)]
    for instant in instants[:-1]:
        with database.transaction() as session:
            old.read(session, market.snapshot(instant), instant)
            session.rollback()
    with database.transaction() as session:
        first = old.read(session, market.snapshot(instants[-1]), instants[-1])
        session.rollback()
    with database.transaction() as session:
        second = reader().read(session, market.snapshot(instants[-1]), instants[-1])
    assert (first.signal, first.evaluation) == (second.signal, second.evaluation)
    assert first.signal is not None


def test_trend_and_range_of_the_day_on_their_own(database: Database, market: World) -> None:
    with database.transaction() as session:
        worker = reader()
        day = worker.find_high_low_day(session, "test", BREAKOUT)
        assert (day.high, day.low) == (4110.0, 4090.0)
        assert worker.find_high_low_day(session, "another world", BREAKOUT).high is None
        assert worker.find_high_low_day(session, "test", BREAKOUT + timedelta(days=1)).low is None
        assert worker.get_trend(session, "test", BREAKOUT) == 1
        assert worker.get_trend(session, "test", SESSION.opens) == 0


# --- exits ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def open_trade(database: Database, tmp_path: Any) -> str:
    """An open trade with a credit of 4.25; its desk has gone."""
    world = DeskWorld(database, tmp_path)
    desk = await world.desk()
    intent = await desk.opened()
    world.close()
    return intent.trade_id


def marked(as_of: datetime, short: tuple[float, float], long: tuple[float, float] = (2.00, 2.10)) -> Snapshot:
    sides = {record.SHORT.con_id: short, record.LONG.con_id: long}
    quotes: Mapping[int, Quote] = {number: Quote(number, as_of, *prices, 10, 10) for number, prices in sides.items()}
    return Snapshot(as_of, record.WORLD, record.ACCOUNT, "SPX", 1, 4150.0, None, None, quotes=quotes)


@pytest.mark.fault(1)
def test_twenty_marks_are_one_exit(database: Database, wide: Database, open_trade: str) -> None:
    snapshot = marked(record.at(5), (8.60, 8.70))
    asked = at_once(wide, lambda session: PnlMarker().mark(session, snapshot, snapshot.as_of))
    assert Counter(asked) == {1: 1, 0: MANY - 1}
    assert rows(database, "intents", "pnl_snapshots") == {"intents": 2, "pnl_snapshots": 1}


@pytest.mark.fault(5)
def test_twenty_who_want_out_are_one_exit(database: Database, wide: Database, open_trade: str) -> None:
    decision: ExitDecision = manual_decision(ExitReason.MANUAL, record.at(5), "at once")
    written = at_once(wide, lambda session: request_exit(session, open_trade, decision))
    assert sum(stored is not None for stored in written) == 1
    assert rows(database, "intents") == {"intents": 2}


def test_a_mark_is_kept_with_its_profit(database: Database, open_trade: str) -> None:
    marker = PnlMarker()
    for seconds, short in ((0, (5.00, 5.10)), (30, (6.00, 6.10))):
        snapshot = marked(record.at(5, seconds), short)
        with database.transaction() as session:
            assert marker.mark(session, snapshot, snapshot.as_of) == 0
    with database.transaction() as session:
        first, second = PnlRepository(session).snapshots(open_trade)
        trade = TradeRepository(session).get(open_trade)
    assert (first.mid_debit, first.mid_pnl_usd, first.natural_pnl_usd) == (Decimal("3.00"), Decimal(125), Decimal(115))
    assert (second.mid_pnl_usd, second.max_gain_usd) == (Decimal(25), Decimal(125))
    assert trade is not None
    assert (trade.max_gain_usd, trade.state) == (Decimal(125), TradeState.OPEN)


def test_an_unknown_price_is_marked_as_unknown(database: Database, open_trade: str) -> None:
    nothing = replace(marked(record.at(5), (5.0, 5.1)), quotes={})
    with database.transaction() as session:
        assert PnlMarker().mark(session, nothing, nothing.as_of) == 0
        [mark] = PnlRepository(session).snapshots(open_trade)
    assert (mark.mid_debit, mark.mid_pnl_usd, mark.natural_pnl_usd) == (None, None, None)
    assert "no quote" in mark.details["doubt"]


def test_the_exit_time_closes_without_a_price(database: Database, open_trade: str) -> None:
    at = record.at(181)
    nothing = replace(marked(at, (5.0, 5.1)), quotes={})
    with database.transaction() as session:
        assert PnlMarker().mark(session, nothing, at) == 1
