"""Watched strategies: the same code as a backtest, refolded to the last bit, idempotent, and honest about gaps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.record import ACCOUNT, WORLD
from tests.support.strategy_tapes import random_tape, weekdays
from tests.support.watched import CALLER, Watch, bars_of, later, session_of

from htbot.backtest.bar_run import run_bars
from htbot.backtest.bars import set_up
from htbot.backtest.request import BacktestRequest
from htbot.backtest.tape import Tape
from htbot.domain.bars import Bar, TapeBar
from htbot.domain.errors import ConfigurationError, Retryable
from htbot.domain.numeric import Numeric
from htbot.domain.signals import Signal
from htbot.engine.bar_account import MICRO
from htbot.persistence.engine import Database
from htbot.persistence.queries import trading
from htbot.persistence.queries.selection import Selection
from htbot.persistence.repositories import AlertRepository, AuditRepository
from htbot.services.bar_evaluator import BarEvaluator
from htbot.services.bar_look import Look
from htbot.strategies.bar_strategy import WAIT, Advice, BarConfig, BarInputs, BarStrategy, Holding
from htbot.strategies.registry import STRATEGIES, Entry, create_bar

FIRST_WATCHED = 8
LIVELY: Mapping[str, tuple[str, dict[str, object]]] = {
    "averages": ("ma_crossover", {"allow_short": True, "short_window": 3, "long_window": 9}),
    "averages-day": ("ma_crossover", {"exit_time": "15:30", "confidence_mode": "raw", "sizing": "confidence"}),
    "momentum": ("momentum", {"stop_loss_usd": 5, "profit_target_usd": 5}),
    "range": ("range_bound", {}),
    "levels": ("level_based", {"profit_levels": True}),
}


@pytest.fixture
def watch(database: Database) -> Watch:
    return Watch(database)


def market(seed: int = 7, days: int = 10) -> tuple[list[Bar], list[Bar]]:
    """Bars before the first watched session, and those from it on."""
    bars = bars_of(random_tape(seed, days), "SPY")
    opens = session_of(FIRST_WATCHED).opens
    return [bar for bar in bars if bar.start < opens], [bar for bar in bars if bar.start >= opens]


def begin(watch: Watch, history: list[Bar], names: Mapping[str, tuple[str, dict[str, object]]] = LIVELY) -> None:
    watch.tell_history(history)
    for name, (kind, settings) in names.items():
        watch.add(name, kind, **settings)
    watch.evaluate(session_of(FIRST_WATCHED).opens)


def told(signal: Signal) -> tuple[Any, ...]:
    return signal.action, int(signal.direction), signal.bar_start, signal.price


def backtested(kind: str, settings: dict[str, object], tape: Tape, folder: Path) -> list[tuple[Any, ...]]:
    """Entries and exits that a backtest of the same bars writes down, as signals tell them."""
    request = BacktestRequest(folder=folder, fill="close", start=session_of(FIRST_WATCHED).day)
    run = run_bars(set_up(request, create_bar(kind, settings)), tape, folder, "events")
    starts = {int(bar["start_s"] + 60 * (bar["end_minute"] - bar["minute"])): int(bar["start_s"]) for bar in tape.bars}
    found: dict[tuple[int, int], tuple[Any, ...]] = {}

    def note(order: int, action: str, direction: int, at_s: int, price_u: int) -> None:
        start = datetime.fromtimestamp(starts[at_s], UTC)
        found[at_s, order] = (action, direction, start, price_u / MICRO)

    names = run.deals.dtype.names or ()
    for row in run.deals.tolist():
        deal = dict(zip(names, row, strict=True))
        note(1, "enter", deal["side"], deal["opened_s"], deal["entry_u"])
        note(0, "leave", -deal["side"], deal["closed_s"], deal["exit_u"])
    if run.loop.holding.side:
        note(1, "enter", run.loop.holding.side, run.loop.opened_s, run.loop.entry_u)
    return [found[key] for key in sorted(found)]


def state_of(value: object) -> object:
    """Everything that an object of the dialect holds, floats to the last bit."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, list | tuple):
        return [state_of(one) for one in value]
    if dataclasses.is_dataclass(value):
        return str(value)
    if isinstance(value, Numeric):
        return {name: state_of(part) for name, part in sorted(vars(value).items())}
    return value


def states(worker: BarEvaluator) -> dict[str, object]:
    return {
        name: (state_of(watcher.observation.loop), watcher.through_s, sorted(watcher.missing))
        for memory in worker._memories.values()
        for name, watcher in memory.items()
    }


# --- the same code as the backtest ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LIVELY)
def test_a_day_of_signals_is_what_a_backtest_of_the_same_bars_writes_down(
    watch: Watch, tmp_path: Path, name: str
) -> None:
    history, today = market()
    begin(watch, history, {name: LIVELY[name]})
    watch.play(today)
    kind, settings = LIVELY[name]
    first_s = int(watch.instance(name).observed.first_bar.timestamp())  # type: ignore[union-attr]
    tape = random_tape(7)
    tape = Tape(tape.symbol, tape.seconds, tape.bars[tape.bars["start_s"] >= first_s])
    expected = backtested(kind, settings, tape, tmp_path)
    assert [told(signal) for signal in watch.signals(name)] == expected
    if name.startswith("averages"):
        assert len(expected) >= 4


def test_a_signal_carries_stop_target_confidence_and_words(watch: Watch) -> None:
    history, today = market()
    begin(watch, history)
    watch.play(today)
    entries = [signal for name in LIVELY for signal in watch.signals(name) if signal.action == "enter"]
    leaves = [signal for name in LIVELY for signal in watch.signals(name) if signal.action == "leave"]
    assert any({"stop", "target"} <= set(signal.levels) for signal in entries)
    assert all({"confidence", "quantity"} <= set(signal.indicators) for signal in entries)
    assert all(f" at {signal.price:.10g}" in signal.reason for signal in (*entries, *leaves))
    assert all({"gross_usd", "fees_usd", "quantity"} == set(signal.indicators) for signal in leaves)
    assert {signal.as_of - signal.bar_start for signal in (*entries, *leaves)} == {timedelta(minutes=5)}
    with watch.database.transaction() as session:
        seen = trading.signals(session, Selection(account=ACCOUNT, limit=1000))
    assert {(one.accepted, one.refused_by) for one in seen} == {(False, "observe")}
    assert all(one.reason.endswith("observed only, nothing is sent") for one in seen)
    assert {one.action for one in seen} == {"enter", "leave"}


def test_every_look_is_one_row_with_its_reason(watch: Watch) -> None:
    history, today = market()
    begin(watch, history)
    watch.play(today[:5])
    watch.evaluate(later(today[4].end, 30))
    for name in LIVELY:
        said = watch.said(name)
        fired = {signal.as_of for signal in watch.signals(name)}
        assert {at for at, why_not in said.items() if why_not is None} == fired
        assert len(said) == 7
        assert "no bar has closed since the last look" in (said[later(today[4].end, 30)] or "")


# --- memory -----------------------------------------------------------------------------------------------------------


def test_a_state_folded_anew_after_a_restart_is_the_same_to_the_last_bit(watch: Watch) -> None:
    history, today = market()
    begin(watch, history)
    watch.play(today)
    before = {name: watch.signals(name) for name in LIVELY}
    fresh, end = watch.new_worker(), later(today[-1].end, 30)
    watch.evaluate(end)
    with watch.database.transaction() as session:
        fresh.evaluate(session, Look(WORLD, ACCOUNT, end))
    assert states(fresh) == states(watch.worker)
    assert len(states(fresh)) == len(LIVELY)
    assert {name: watch.signals(name) for name in LIVELY} == before


def test_two_workers_by_turns_write_what_one_writes(watch: Watch, tmp_path: Path) -> None:
    history, today = market()
    begin(watch, history)
    other = watch.new_worker()
    for number, bar in enumerate(today):
        watch.tell([bar])
        watch.evaluate(bar.end, other if number % 3 == 2 else None)
    kind, settings = LIVELY["averages"]
    assert [told(one) for one in watch.signals("averages")] == backtested(kind, settings, random_tape(7), tmp_path)
    fired = {signal.as_of for signal in watch.signals("averages")}
    assert {at for at, why_not in watch.said("averages").items() if why_not is None} == fired


def test_the_same_instant_twice_changes_nothing(watch: Watch) -> None:
    history, today = market()
    begin(watch, history)
    watch.play(today[:20])
    before = ({name: watch.signals(name) for name in LIVELY}, watch.said("averages"))
    watch.evaluate(today[19].end)
    watch.evaluate(today[19].end, watch.new_worker())
    assert ({name: watch.signals(name) for name in LIVELY}, watch.said("averages")) == before


def test_what_was_not_committed_is_not_remembered(watch: Watch, tmp_path: Path) -> None:
    history, today = market()
    begin(watch, history, {"averages": LIVELY["averages"]})
    for number, bar in enumerate(today):
        watch.tell([bar])
        if number % 4 == 3:
            with pytest.raises(Retryable):
                watch.evaluate_in_vain(bar.end)
        watch.evaluate(bar.end)
    kind, settings = LIVELY["averages"]
    assert [told(one) for one in watch.signals("averages")] == backtested(kind, settings, random_tape(7), tmp_path)


def test_bars_that_are_not_known_yet_are_not_seen(watch: Watch) -> None:
    history, today = market()
    begin(watch, history)
    watch.tell(today[:3])
    watch.evaluate(later(today[2].end, -30))
    assert {through for _, through, _ in states(watch.worker).values()} == {int(today[1].start.timestamp())}  # type: ignore[misc]


def test_new_settings_count_from_the_next_look_and_begin_anew(watch: Watch) -> None:
    history, today = market()
    begin(watch, history)
    watch.play(today[:30])
    changed = watch.strategies.change("averages", {"short_window": "4"}, CALLER)
    assert (changed.observed, changed.settings["short_window"]) == (None, 4)
    watch.evaluate(later(today[29].end, 30))
    observed = watch.instance("averages").observed
    assert observed is not None
    assert observed.since == later(today[29].end, 30)
    watch.play(today[30:])
    assert not any(today[29].end < signal.as_of <= observed.since for signal in watch.signals("averages"))
    watch.strategies.switch("averages", CALLER, enabled=False)
    watch.evaluate(later(today[-1].end, 60))
    assert later(today[-1].end, 60) not in watch.said("averages")


# --- gaps -------------------------------------------------------------------------------------------------------------


def whole_day() -> tuple[list[Bar], list[Bar]]:
    """A market without holes."""
    history, today = [], []
    chance = np.random.default_rng(5)
    price = 100.0
    for session in weekdays().all()[: FIRST_WATCHED + 1]:
        for number in range(int((session.closes - session.opens) / timedelta(minutes=5))):
            opened, price = price, round(price + float(chance.normal(0, 0.3)), 2)
            bar = Bar(
                "SPY",
                session.opens + number * timedelta(minutes=5),
                5,
                opened,
                max(opened, price),
                min(opened, price),
                price,
                10.0,
            )
            (today if session.day == session_of(FIRST_WATCHED).day else history).append(bar)
    return history, today


def test_a_missing_bar_is_told_and_not_guessed(watch: Watch) -> None:
    history, today = whole_day()
    begin(watch, history, {"averages": LIVELY["averages"]})
    watch.play(today[:4])
    watch.evaluate(later(today[4].end, 60))
    assert "the bar of 09:50 is not" not in (watch.said("averages")[today[3].end] or "")
    watch.evaluate(later(today[4].end, 90))
    assert "the bar of 09:50 is late" in (watch.said("averages")[later(today[4].end, 90)] or "")
    watch.tell([today[5]])
    watch.evaluate(today[5].end)
    assert "1 bars are missing before that of 09:55" in (watch.said("averages")[today[5].end] or "")


def test_a_bar_that_comes_late_is_told_and_the_state_is_folded_anew(watch: Watch) -> None:
    history, today = whole_day()
    begin(watch, history)
    watch.play(today[:4])
    watch.tell([today[5]])
    watch.evaluate(today[5].end)
    watch.tell([today[4]], known_at=later(today[5].end, 20))
    watch.evaluate(later(today[5].end, 30))
    said = watch.said("averages")[later(today[5].end, 30)] or ""
    assert said.startswith("the bar of 09:50 was told or changed at 10:00: folded anew")
    fresh = watch.new_worker()
    watch.evaluate(later(today[5].end, 60))
    with watch.database.transaction() as session:
        fresh.evaluate(session, Look(WORLD, ACCOUNT, later(today[5].end, 60)))
    assert states(fresh) == states(watch.worker)


def test_a_bar_that_is_committed_long_after_its_time_is_found_before_the_next_one(watch: Watch) -> None:
    history, today = whole_day()
    begin(watch, history)
    watch.play(today[:4])
    for bar in today[4:10]:
        watch.evaluate(bar.end)
    watch.tell(today[4:10])  # each with its own time: the record was away
    watch.tell([today[10]])
    watch.evaluate(today[10].end)
    assert [missing for _, _, missing in states(watch.worker).values()] == [[]] * len(LIVELY)  # type: ignore[misc]


def test_a_corrected_bar_makes_the_state_void(watch: Watch) -> None:
    history, today = whole_day()
    begin(watch, history)
    watch.play(today[:6])
    watch.tell(
        [dataclasses.replace(today[3], low=today[3].low - 1, close=today[3].low - 1)], known_at=later(today[5].end, 10)
    )
    watch.evaluate(later(today[5].end, 30))
    assert "folded anew" in (watch.said("averages")[later(today[5].end, 30)] or "")


def test_a_strategy_waits_for_its_history(watch: Watch) -> None:
    history, _ = whole_day()
    watch.add("averages", long_window=50)
    opens = session_of(FIRST_WATCHED).opens
    watch.evaluate(opens)
    assert watch.said("averages")[opens] == "waits for its history: 0 of 50 bars of 5 min are there"
    watch.tell_history(history[-70:-10])
    watch.evaluate(later(opens, 15))
    assert watch.said("averages")[later(opens, 15)] == "waits for its history: the bar of 12:10 is not there"
    assert watch.instance("averages").observed is None
    watch.add("longer", long_window=100)
    watch.evaluate(later(opens, 30))
    assert "60 of 100 bars" in (watch.said("longer")[later(opens, 30)] or "")
    watch.tell_history(history)
    watch.evaluate(later(opens, 60))
    observed = watch.instance("averages").observed
    assert observed is not None
    assert (observed.first_bar, observed.since) == (history[-600:][0].start, later(opens, 60))


def test_outside_of_regular_hours_nothing_is_looked_at(watch: Watch) -> None:
    watch.add("averages")
    session = session_of(FIRST_WATCHED)
    assert watch.evaluate(later(session.opens, -30)) == "outside of regular hours"
    assert watch.evaluate(later(session.closes, 630)) == "outside of regular hours"
    assert watch.said("averages") == {}


# --- others go on -----------------------------------------------------------------------------------------------------


class FragileConfig(BarConfig):
    """Nothing of its own."""


class Fragile(BarStrategy):
    """Breaks at the third bar of the watched day."""

    name = "fragile"
    Config = FragileConfig

    @property
    def inputs(self) -> BarInputs:
        return BarInputs(5, 1)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:  # noqa: ARG002 - the hook of every strategy
        if bar.session == session_of(FIRST_WATCHED).day.toordinal() and bar.minute >= 580:
            raise ZeroDivisionError("no\nvolume")
        return WAIT


def test_a_strategy_that_raises_is_disabled_and_the_others_go_on(database: Database) -> None:
    watch = Watch(database, {**STRATEGIES, "fragile": Entry(Fragile, FragileConfig)})
    history, today = whole_day()
    begin(watch, history, {"averages": LIVELY["averages"], "breaks": ("fragile", {})})
    watch.play(today[:6])
    assert not watch.instance("breaks").enabled
    assert watch.said("breaks")[today[2].end] == "disabled: ZeroDivisionError: no volume"
    assert today[3].end not in watch.said("breaks")
    assert len(watch.said("averages")) == 7
    with database.transaction() as session:
        (act,) = AuditRepository(session).recent(10, "strategy.disabled")
        (alert,) = AlertRepository(session).recent()
    assert (act.actor, act.subject, act.detail["reason"]) == ("evaluator", "breaks", "ZeroDivisionError: no volume")
    assert "breaks" in alert.alert.subject


def test_a_type_that_is_gone_is_told_and_one_that_cannot_be_read_waits(database: Database) -> None:
    watch = Watch(database, {**STRATEGIES, "fragile": Entry(Fragile, FragileConfig)})
    history, _ = whole_day()
    watch.tell_history(history)
    watch.add("breaks", "fragile")
    watch.add("averages")

    def unreadable() -> Mapping[str, Entry]:
        raise ConfigurationError("broken.py: cannot be imported")

    opens = session_of(FIRST_WATCHED).opens
    watch.evaluate(opens, BarEvaluator(unreadable))
    assert watch.said("breaks")[opens] == "its type cannot be found: broken.py: cannot be imported"
    assert watch.instance("breaks").enabled
    watch.evaluate(later(opens, 30), BarEvaluator(lambda: STRATEGIES))
    assert "no strategy is called fragile" in (watch.said("breaks")[later(opens, 30)] or "")
    assert not watch.instance("breaks").enabled
    assert (watch.said("averages")[later(opens, 30)] or "").endswith("flat")


# --- parts ------------------------------------------------------------------------------------------------------------


def test_parts_cover_every_symbol_once(watch: Watch) -> None:
    for number in range(40):
        watch.add(f"one-{number}", symbol=f"S{number % 20}")
    opens = session_of(FIRST_WATCHED).opens
    answers = [watch.evaluate(opens, part=part, parts=3) for part in (1, 2, 3)]
    counts = [int(answer.split()[0]) for answer in answers]
    assert sum(counts) == 40
    assert all(counts)
    assert all(len(watch.said(f"one-{number}")) == 1 for number in range(40))


def test_those_that_wait_for_their_history_keep_nobody_from_his_turn(watch: Watch) -> None:
    history, _ = whole_day()
    watch.tell_history(history)
    for number in range(3):
        watch.add(f"a-{number}", symbol="NOBARS")
    watch.add("b")
    worker, opens = watch.new_worker(most_steps=601), session_of(FIRST_WATCHED).opens
    watch.evaluate(opens, worker)
    watch.evaluate(later(opens, 30), worker)
    assert "flat" in (watch.said("b")[later(opens, 30)] or "")
    assert "0 of 20 bars" in (watch.said("a-2")[later(opens, 30)] or "")


def test_more_than_one_look_can_fold_waits_for_the_next(watch: Watch) -> None:
    history, _ = whole_day()
    watch.tell_history(history)
    for number in range(3):
        watch.add(f"one-{number}")
    worker, opens = watch.new_worker(most_steps=601), session_of(FIRST_WATCHED).opens
    watch.evaluate(opens, worker)
    assert watch.said("one-2")[opens] == "its state is folded with one of the next looks"
    watch.evaluate(later(opens, 30), worker)
    assert "flat" in (watch.said("one-2")[later(opens, 30)] or "")
