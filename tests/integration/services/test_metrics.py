"""The metrics page over a record: right numbers, counters that never fall, read once however many ask."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from tests.support import record
from tests.support.people import HOST_NOW, FakeLive, chain, clock, furnish

from htbot.domain.accounts import AccountFigures
from htbot.domain.decisions import RiskRefusal, RuleOutcome
from htbot.domain.orders import OrderState
from htbot.domain.sessions import Session as TradingSession
from htbot.domain.signals import OBSERVED
from htbot.domain.trades import TradeState
from htbot.marketdata.snapshot import AccountState
from htbot.persistence.engine import Database
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import (
    DeskStateRepository,
    EvaluationRepository,
    FillRepository,
    IntentRepository,
    OrderRepository,
    RiskDecisionRepository,
    SessionRepository,
    SignalRepository,
    StrategyRepository,
    TradeRepository,
)
from htbot.services.metrics import SystemMetrics
from htbot.services.metrics.outside import HostMeasures, Outside, RedisMeasures
from htbot.services.queries import Sources
from htbot.telemetry.metric_names import CATALOGUE, Kind

Samples = dict[tuple[str, tuple[str, ...]], float]
READ = "htbot.tasks.market_reader_tasks.read_market"


def read(page: bytes) -> Samples:
    """Values by name and label values in the order of their names; a page that Prometheus could not read raises."""
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


class Ticking:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def sources(database: Database, tmp_path: Path) -> Sources:
    live = FakeLive(seen=chain())
    house = furnish(database, tmp_path, live)
    return house.metrics._sources


@pytest.fixture
def metrics(sources: Sources, ticking: Ticking) -> SystemMetrics:
    redis = RedisMeasures({"used": 1024}, {"default": 3}, {"alerts": 7}, {("alerts", "router"): 2})
    host = HostMeasures(12.5, 40.0, 91.0, {"desk": 2**20}, {"desk": 17})
    return SystemMetrics(sources, lambda: Outside(redis, host, asked=True), ticking)


def traded(database: Database, state: OrderState = OrderState.FILLED) -> None:
    """A bull signal was approved; its entry was handed over 2 s later and filled 3 s after that, 0.05 worse."""
    trade = record.trade(1, credit=Decimal("4.20"))
    entry = record.entry(trade)
    order = record.order(entry)
    with database.transaction() as session:
        EvaluationRepository(session).add(record.evaluation())
        stored = SignalRepository(session).add(record.signal(), None)
        RiskDecisionRepository(session).add(record.approval(), stored)
        TradeRepository(session).add(trade)
        IntentRepository(session).add(entry)
        OrderRepository(session).upsert(order, entry.created_at + timedelta(seconds=2))
    with database.transaction() as session:
        done = replace(order, state=state, filled=1, average_price=Decimal("-4.20"))
        OrderRepository(session).upsert(done, entry.created_at + timedelta(seconds=5))
        for number, leg in enumerate((record.SHORT, record.LONG)):
            at = entry.created_at + timedelta(seconds=5)
            FillRepository(session).add(record.fill(entry, leg, f"e{number}.01", executed_at=at), at)
        TradeRepository(session).save(replace(trade, state=TradeState.OPEN), TradeState.OPENING)


def ran(database: Database, task: str, started_s_ago: float, took_s: float, number: int) -> None:
    """A run of a task on the wall clock."""
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO task_runs (task, key, as_of, state, spawned, error, started_at, finished_at)"
                " VALUES (:task, 'all', :as_of, 'DONE', '[]', '', :began, :ended)"
            ),
            {
                "task": task,
                "as_of": record.at(seconds=30 * number),
                "began": HOST_NOW - timedelta(seconds=started_s_ago),
                "ended": HOST_NOW - timedelta(seconds=started_s_ago - took_s),
            },
        )


def test_each_account_has_its_own_figures(metrics: SystemMetrics, sources: Sources) -> None:
    sources.live.said = clock(others=("DU1000002",))
    money = AccountState(Decimal(50_000), None, AccountFigures(gross_position_value=Decimal(25_000)))
    sources.live.seen = replace(chain(), others={"DU1000002": money})
    found = read(metrics.page())
    accounts = {labels[0] for name, labels in found if name == "htbot_risk_daily_loss_limit"}
    assert accounts == {record.ACCOUNT, "DU1000002"}


def test_a_trade_is_counted_and_measured(database: Database, metrics: SystemMetrics) -> None:
    traded(database)
    with database.transaction() as session:
        for number, refused_by in ((2, OBSERVED), (3, "failed: no")):
            watched = SignalRepository(session).add(record.signal(level=4200.0 + number, observed=True), refused_by)
            RiskDecisionRepository(session).add(record.refusal(number), watched)
    found = read(metrics.page())
    assert found["htbot_signals_generated_total", ("accepted", "spx_breakout", "SPX", "bull")] == 1
    assert found["htbot_signals_generated_total", ("observed", "spx_breakout", "SPX", "bull")] == 2
    assert ("htbot_signals_generated_total", ("refused", "spx_breakout", "SPX", "bull")) not in found
    assert not [name for name, _ in found if name == "htbot_trades_rejected_total"], (
        "what is only watched proposes nothing"
    )
    assert found["trading_signals_total", ("accepted", "spx_breakout", "SPX", "bull")] == 1
    assert found["trading_trades_executed_total", ("bull", "spx_breakout", "SPX")] == 1
    assert found["htbot_orders_total", ("SUBMITTED",)] == 1
    assert found["htbot_orders_total", ("FILLED",)] == 1
    assert ("htbot_open_orders", ("SUBMITTED",)) not in found
    assert found["htbot_fills_total", ()] == 2
    assert found["htbot_open_trades", ()] == 1
    for name, value in (
        ("htbot_order_latency_seconds", 2.0),
        ("htbot_order_fill_time_seconds", 3.0),
        ("htbot_slippage_percent", 100 * 0.05 / 4.25),
    ):
        assert found[f"{name}_sum", ("entry",)] == pytest.approx(value), name
        assert found[f"{name}_count", ("entry",)] == 1
    assert found["htbot_trade_execution_duration_seconds_sum", ("spx_breakout",)] == pytest.approx(5.0)
    assert found["htbot_order_latency_seconds_bucket", ("1.0", "entry")] == 0
    assert found["htbot_order_latency_seconds_bucket", ("2.0", "entry")] == 1, "a value on a bound belongs below it"
    assert found["htbot_trend", ("spx_breakout", "SPX")] == 1


def test_a_walk_of_limits_is_counted_with_its_steps_and_its_end(database: Database, metrics: SystemMetrics) -> None:
    trade = record.trade(1)
    entry = record.entry(trade)
    order = record.order(entry)
    with database.transaction() as session:
        RiskDecisionRepository(session).add(record.approval(), None)
        TradeRepository(session).add(trade)
        IntentRepository(session).add(entry)
        OrderRepository(session).upsert(order, entry.created_at)
    assert ("htbot_ladder_attempts_count", ("entry",)) not in read(metrics.page()), "it still works"
    for number, limit in enumerate(("-4.20", "-4.15")):
        with database.transaction() as session:
            walked = replace(order, limit=Decimal(limit))
            OrderRepository(session).upsert(walked, entry.created_at + timedelta(seconds=5 * number + 5))
    with database.transaction() as session:
        OrderRepository(session).upsert(replace(walked, state=OrderState.EXPIRED), entry.created_at)
    found = read(SystemMetrics(metrics._sources).page())
    assert found["htbot_ladder_attempts_sum", ("entry",)] == 3
    assert found["htbot_ladder_attempts_count", ("entry",)] == 1
    assert found["htbot_ladder_outcome_total", ("expired", "entry")] == 1
    assert ("htbot_ladder_outcome_total", ("filled", "entry")) not in found
    assert found["htbot_margin_check_total", ("passed",)] == 1


@pytest.mark.parametrize(
    ("rule", "reason", "outcome", "result"),
    [
        ("minimum_credit", "credit 1.10 is below 2.00", "mid_too_low", None),
        ("what_if", "NO_MARGIN(reason=insufficient): 10.00 USD would be left", "no_margin", "insufficient"),
        ("what_if", "NO_MARGIN(reason=rejected): 201", "no_margin", "rejected"),
        ("intraday_margin", "less than the buffer", "no_margin", None),
        ("halt", "halted", None, None),
    ],
)
def test_a_refusal_for_price_or_margin_is_counted_as_such(
    database: Database, metrics: SystemMetrics, rule: str, reason: str, outcome: str | None, result: str | None
) -> None:
    refused = RuleOutcome(rule, passed=False, limit="1", value="0", reason=reason)
    with database.transaction() as session:
        decision = RiskRefusal(record.decision_id(1), record.NOON, (record.PASSED, refused))
        RiskDecisionRepository(session).add(decision, None)
    found = read(metrics.page())
    outcomes = {labels[0] for (name, labels), count in found.items() if name == "htbot_ladder_outcome_total" and count}
    results = {labels[0] for (name, labels), count in found.items() if name == "htbot_margin_check_total" and count}
    assert (outcomes, results) == ({outcome} - {None}, {result} - {None})


def test_reconnects_symbols_and_confidence(database: Database, metrics: SystemMetrics) -> None:
    facts: dict[str, Any] = {"type": "ma_crossover", "minutes": 5, "warm_up_bars": 100, "settings": {}}
    facts |= {"config_hash": "c0ffee", "mode": "observe", "created_at": record.NOON, "changed_at": record.NOON}
    with database.transaction() as session:
        for _ in range(2):
            DeskStateRepository(session).count_reconnect()
        for name, symbol, enabled in (("fast", "SPY", True), ("slow", "SPY", True), ("off", "QQQ", False)):
            StrategyRepository(session).add(StrategyInstance(name=name, symbol=symbol, enabled=enabled, **facts))
        told = record.signal(strategy="fast", indicators={"confidence": 0.7})
        SignalRepository(session).add(told, "observe")
        EvaluationRepository(session).add(record.evaluation())
    found = read(metrics.page())
    assert found["htbot_ib_reconnects_total", ("desk",)] == 2
    assert found["htbot_feed_reconnects_total", ("ib",)] == 2
    active = {labels[0]: count for (name, labels), count in found.items() if name == "htbot_symbols_active"}
    assert active == {"observe": 1, "trade": 0, "option": 1}
    assert found["htbot_signal_confidence_sum", ("fast",)] == pytest.approx(0.7)
    assert found["htbot_signal_confidence_bucket", ("0.6", "fast")] == 0


def test_every_metric_has_help_and_type_and_no_other_is_there(database: Database, metrics: SystemMetrics) -> None:
    traded(database)
    families = {family.name: family for family in text_string_to_metric_families(metrics.page().decode())}
    expected = {one.name: one for one in CATALOGUE}
    aliases = {alias.name: one for one in CATALOGUE for alias in one.aliases}
    assert set(families) == set(expected) | set(aliases)
    for name, named in (expected | aliases).items():
        assert (families[name].type, families[name].documentation) == (named.kind.value, named.help)
    measured_in_seconds = {name for name in families if name.endswith("_seconds") and "age" not in name}
    assert {name for name, one in expected.items() if one.kind is Kind.HISTOGRAM} >= measured_in_seconds - {
        "htbot_process_start_time_seconds",
        "htbot_unprotected_seconds",
    }


def test_a_counter_never_falls_when_an_order_changes_its_state(
    database: Database, metrics: SystemMetrics, ticking: Ticking
) -> None:
    traded(database, OrderState.CANCELLED)
    before = read(metrics.page())
    with database.transaction() as session:
        session.execute(text("UPDATE orders SET state = 'FILLED'"))
    ticking.now += 10
    after = read(metrics.page())
    assert after["htbot_orders_total", ("FILLED",)] == 1
    fallen = {
        key: (value, after.get(key))
        for key, value in before.items()
        if key[0].endswith(("_total", "_count", "_bucket")) and after.get(key, -1.0) < value
    }
    assert fallen == {}


def test_another_process_serves_the_same_counters(database: Database, sources: Sources, metrics: SystemMetrics) -> None:
    traded(database)
    ran(database, READ, 4000, 0.2, 1)
    ran(database, READ, 10, 0.2, 2)
    first, other = read(metrics.page()), read(SystemMetrics(sources).page())
    volatile = {"htbot_storage_rows_total", "htbot_database_connections", "htbot_database_size_bytes"}
    assert {key: value for key, value in first.items() if key[0] not in volatile and "redis" not in key[0]}.items() >= {
        key: value for key, value in other.items() if key[0] not in volatile
    }.items()


def test_runs_of_tasks_are_counted_once_however_often_the_page_is_read(
    database: Database, metrics: SystemMetrics, ticking: Ticking
) -> None:
    ran(database, READ, 4000, 0.2, 1)
    ran(database, READ, 10, 0.2, 2)
    for _ in range(3):
        found = read(metrics.page())
        assert found["htbot_tasks_total", ("DONE", READ)] == 2
        assert found["htbot_strategy_evaluation_duration_seconds_count", (READ,)] == 2
        assert found["htbot_strategy_evaluation_duration_seconds_sum", (READ,)] == pytest.approx(0.4)
        ticking.now += 10
    ran(database, READ, 5, 0.2, 3)
    assert read(metrics.page())["htbot_tasks_total", ("DONE", READ)] == 3
    assert found["htbot_heartbeat_age_seconds", ("worker",)] == pytest.approx(9.8)


def test_data_session_and_leverage(database: Database, metrics: SystemMetrics) -> None:
    with database.transaction() as session:
        EvaluationRepository(session).add(record.evaluation())
        SessionRepository(session).upsert([TradingSession(record.DAY, record.at(-150), record.at(240))])
    found = read(metrics.page())
    assert found["htbot_session_open", ()] == 1
    assert found["htbot_data_age_seconds", ("SPX",)] == 1
    assert found["htbot_feed_connected", ("ib",)] == 1
    assert found["htbot_gross_leverage", (record.ACCOUNT,)] >= 0
    assert found["htbot_evaluation_age_seconds", ("spx_breakout",)] == 1


def test_redis_and_host_are_told(metrics: SystemMetrics) -> None:
    found = read(metrics.page())
    assert found["htbot_redis_up", ()] == 1
    assert found["htbot_redis_memory_bytes", ()] == 1024
    assert found["htbot_queue_length", ("default",)] == 3
    assert found["htbot_stream_pending", ("router", "alerts")] == 2
    assert found["htbot_system_disk_percent", ()] == 91
    assert found["htbot_process_memory_bytes", ("desk",)] == 2**20
    assert found["htbot_process_open_files", ("desk",)] == 17


def test_without_redis_the_rest_is_told(sources: Sources) -> None:
    live = sources.live
    assert isinstance(live, FakeLive)
    live.away = True
    found = read(SystemMetrics(sources, lambda: Outside(None, None, asked=True)).page())
    assert (found["htbot_redis_up", ()], found["htbot_ib_connected", ("desk",)]) == (0, 0)
    assert found["htbot_database_up", ()] == 1


class Counted:
    """Looks outside that are counted, and can be held up."""

    def __init__(self) -> None:
        self.looks = 0
        self.began = threading.Event()
        self.go_on = threading.Event()

    def __call__(self) -> Outside:
        self.looks += 1
        self.began.set()
        assert self.go_on.wait(20)
        return Outside()


@pytest.fixture
def counted() -> Iterator[Counted]:
    made = Counted()
    yield made
    made.go_on.set()


def test_the_record_is_read_once_in_five_seconds(sources: Sources, ticking: Ticking, counted: Counted) -> None:
    counted.go_on.set()
    metrics = SystemMetrics(sources, counted, ticking)
    assert metrics.page() is metrics.page()
    ticking.now = 4.9
    metrics.page()
    assert counted.looks == 1
    ticking.now = 5.0
    metrics.page()
    assert counted.looks == 2


def test_who_asks_while_another_gathers_gets_the_page_before(
    sources: Sources, ticking: Ticking, counted: Counted
) -> None:
    metrics = SystemMetrics(sources, counted, ticking)
    with ThreadPoolExecutor(3) as pool:
        first = [pool.submit(metrics.page) for _ in range(3)]
        counted.go_on.set()
        before = {one.result(20) for one in first}
        assert counted.looks == 1
        assert len(before) == 1
        ticking.now = 6
        counted.began.clear()
        counted.go_on.clear()
        slow = pool.submit(metrics.page)
        assert counted.began.wait(20)
        assert metrics.page() in before
        counted.go_on.set()
        slow.result(20)
    assert counted.looks == 2
