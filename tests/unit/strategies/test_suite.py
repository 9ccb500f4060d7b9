"""The suite finds what it is there to find, and every strategy is in it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.shared_data import PROJECT
from tests.support.strategy_suite import PROJECT_ANSWERS, StrategySuite, check_no_look_ahead
from tests.support.strategy_tapes import random_tape

from htbot.backtest.tape import Tape
from htbot.domain.bars import TapeBar
from htbot.strategies.bar_strategy import LEAVE, LONG, UNKNOWN, WAIT, Advice, BarInputs, BarStrategy, Holding
from htbot.strategies.ma_crossover import MaCrossoverConfig
from htbot.strategies.registry import STRATEGIES, discover

HERE = Path(__file__).parent
CATALOGUE = discover([PROJECT / "examples" / "strategies"])
PLAIN = sorted(name for name, entry in CATALOGUE.items() if entry.plain)


@pytest.mark.parametrize("name", PLAIN)
def test_every_strategy_has_a_test_class_and_answers(name: str) -> None:
    module = load(place_of_test(name))
    suites = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, StrategySuite)]
    own = [kind for kind in suites if kind is not StrategySuite and kind.__name__.startswith("Test")]
    assert [kind.strategy.name for kind in own] == [name]
    assert own[0].answers.name == f"{name}.csv"
    assert own[0].answers.is_file()


def place_of_test(name: str) -> Path:
    """A strategy of a person's own may have its test beside it."""
    here, file = HERE / f"test_{name}.py", CATALOGUE[name].file
    return here if file is None or here.is_file() else file.with_name(f"test_{name}.py")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"seen_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_no_answer_without_a_strategy() -> None:
    """Those of strategies on options are read by their own tests."""
    assert {path.stem for path in PROJECT_ANSWERS.glob("*.csv")} <= set(PLAIN) | set(STRATEGIES)


def test_every_strategy_on_options_has_answers_and_a_test() -> None:
    here = Path(__file__).parent
    for name in (name for name, entry in STRATEGIES.items() if not entry.plain):
        assert (PROJECT_ANSWERS / f"{name}.csv").is_file()
        assert f"{name}.csv" in (here / f"test_{name}.py").read_text()


@pytest.mark.parametrize("field", ["close", "volume"])
def test_a_decision_by_the_next_bar_is_found(field: str) -> None:
    def peeks(tape: Tape) -> list[bool]:
        values = tape.bars[field]
        return [bool(values[min(row + 1, len(values) - 1)] > values[row]) for row in range(len(values))]

    with pytest.raises(AssertionError, match=r"saw it|no part of the whole run"):
        check_no_look_ahead(peeks, random_tape(0))


def test_a_decision_by_the_length_of_the_tape_is_found() -> None:
    with pytest.raises(AssertionError, match="is no part of the whole run"):
        check_no_look_ahead(lambda tape: [row > len(tape) // 2 for row in range(len(tape))], random_tape(0))


def test_an_honest_decision_passes() -> None:
    check_no_look_ahead(lambda tape: [float(close) for close in tape.bars["close"]], random_tape(0))


class Cheat(BarStrategy):
    """It buys at the last bar of a session, and leaves before the next; different in each way it can be."""

    name = "cheat"
    Config = MaCrossoverConfig
    bought = 0

    @property
    def inputs(self) -> BarInputs:
        return BarInputs(5, 1)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        Cheat.bought += 1
        if held.side != 0:
            return LEAVE
        return Advice(LONG, False, UNKNOWN, UNKNOWN, Cheat.bought / 1e9) if bar.ends_session else WAIT


class CheatSuite(StrategySuite):
    strategy = Cheat
    answers = PROJECT_ANSWERS / "ma_crossover.csv"
    default_hash = "000000000000"


@pytest.mark.parametrize(
    "name",
    [
        "test_the_last_bar_of_a_session_is_not_known_to_it",
        "test_no_decision_knows_a_later_bar",  # what it says depends on how often it was asked before
        "test_the_hash_of_the_configuration_is_stable",
        "test_the_answers_of_the_file",
    ],
)
def test_the_suite_fails_a_cheat(name: str) -> None:
    with pytest.raises(AssertionError):
        getattr(CheatSuite(), name)()
