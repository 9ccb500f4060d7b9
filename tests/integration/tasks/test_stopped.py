"""What workers do while the scheduler is paused or stopped."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import plain, record
from tests.support.watched import CALLER, Watch

from htbot.domain.scheduler import SchedulerSetting, SchedulerState
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.engine import Database
from htbot.persistence.repositories import (
    HaltRepository,
    HaltRequest,
    RiskDecisionRepository,
    SchedulerRepository,
    TradeRepository,
)
from htbot.tasks.base import Run, refused

WORKER: Any = SimpleNamespace(version=None, settings=SimpleNamespace(schedule=SimpleNamespace(evaluation_parts=1)))


def set_to(database: Database, state: SchedulerState) -> None:
    with database.transaction() as session:
        SchedulerRepository(session).set(SchedulerSetting(state, record.NOON, "rest:first"))


def test_nobody_is_asked_while_it_is_stopped(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")  # the tasks' application names a broker, nobody connects
    from htbot.tasks.evaluation_tasks import look_at_bars, look_at_part
    from htbot.tasks.market_reader_tasks import look_at_market

    set_to(database, SchedulerState.STOPPED)
    with database.transaction() as session:
        current = Run(record.NOON, None, "all", session, WORKER)
        for work in (look_at_market, look_at_bars, look_at_part):
            assert (
                work(current)
                == "refused: the scheduler is stopped by rest:first: htbot scheduler start, POST /api/scheduler/start"
            )
        assert current.follow_ups == []


def test_what_trades_and_holds_something_is_still_asked_for_its_exits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    from htbot.tasks.evaluation_tasks import look_at_bars

    watch, trade = Watch(database), plain.trade()
    watch.add(trade.strategy, exit_time="15:40")
    watch.strategies.set_mode(trade.strategy, "trade", CALLER)
    set_to(database, SchedulerState.STOPPED)
    with database.transaction() as session:
        current = Run(record.NOON, None, "all", session, WORKER)
        assert look_at_bars(current).startswith("refused")
        RiskDecisionRepository(session).add(record.approval(1), None)
        assert TradeRepository(session).add(trade)
        assert look_at_bars(current) == "1 parts"


@pytest.mark.parametrize("state", [SchedulerState.RUNNING, SchedulerState.PAUSED])
def test_strategies_are_asked_while_it_runs_or_pauses(database: Database, state: SchedulerState) -> None:
    set_to(database, state)
    with database.transaction() as session:
        assert refused(Run(record.NOON, None, "all", session, WORKER)) is None


def test_a_pause_refuses_entries_and_a_halt_is_named_before_it(database: Database) -> None:
    key = BookKey(record.STRATEGY, record.ACCOUNT, record.DAY)

    def halted_by() -> str | None:
        with database.transaction() as session:
            return BookQuery(session).read(key, record.NOON).halted_by

    assert halted_by() is None
    set_to(database, SchedulerState.PAUSED)
    assert halted_by() == "the scheduler is paused by rest:first: htbot scheduler resume, POST /api/scheduler/resume"
    with database.transaction() as session:
        HaltRepository(session).set(HaltRequest("test", "because", "test", record.NOON))
    assert halted_by() == "halt by test: because"
