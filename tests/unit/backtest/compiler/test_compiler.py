"""The same source, run by Python and compiled: same answers, same state; what leaves the dialect is named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import pytest

from htbot.backtest.compiler.layout import fields_of, pack, record_type, unpack
from htbot.backtest.compiler.program import load, source_of
from htbot.backtest.compiler.rewrite import Need, NotCompilable, rewrite
from htbot.backtest.tape import BAR_RECORD
from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN, Numeric
from htbot.indicators.window import Window

SCALE = 2.5
STEPS = (0.25, 0.5)


class Mood(IntEnum):
    CALM = 0
    WILD = 2


class Answer(NamedTuple):
    mood: int
    size: float


CALM = Answer(0, UNKNOWN)


def doubled(number: float) -> float:
    return number * 2.0


class Told(Numeric):
    at: int
    size: float

    def __init__(self) -> None:
        self.at = 0
        self.size = 0.0


class Sample(Numeric):
    """Uses every construct that the dialect has."""

    factor = 3

    window: Window
    deal: Told
    counts: list[float]
    seen: int
    flag: bool
    mood: int
    config: dict[str, str]

    def __init__(self) -> None:
        self.window = Window(5)
        self.deal = Told()
        self.counts = [0.0, 0.0, 0.0]
        self.seen = 0
        self.flag = False
        self.mood = Mood.CALM
        self.config = {"kept": "out of the record"}

    @property
    def busy(self) -> bool:
        return self.window.full and self.seen > 3

    def step(self, bar: TapeBar) -> int:
        window = self.window
        fallen = window.push(bar.close)
        self.seen += 1
        answer = self._answer(bar, fallen)
        self.counts[answer.mood] += 1.0
        total: float = 0.0
        for age in range(window.size):
            older = window.back(age)
            if older == older:  # noqa: PLR0124 - known
                total += older * STEPS[age % 2]
        if answer.mood == Mood.WILD:
            self.deal.at = bar.start_s
            self.deal.size = answer.size + total
            self.flag = not self.flag
            return 2
        return 0

    def _answer(self, bar: TapeBar, fallen: float) -> Answer:
        if not self.busy or math.isnan(fallen):
            return CALM
        if bar.close > fallen:
            return Answer(Mood.WILD, doubled(bar.close) * SCALE + self.factor)
        return Answer(mood=1, size=-math.inf)


def bars(count: int = 400, seed: int = 3) -> np.ndarray[Any, np.dtype[Any]]:
    rows = np.zeros(count, BAR_RECORD)
    rows["close"] = 100 + np.cumsum(np.random.default_rng(seed).normal(0, 1, count))
    rows["start_s"] = np.arange(count) * 60
    return rows


def compiled_run(sample: Sample, rows: np.ndarray[Any, Any], folder: Path) -> list[tuple[Any, ...]]:
    run = load(source_of(Sample, "step", {}, 2), folder)
    state, numbers = np.zeros(1, record_type(Sample, {})), list[float]()
    pack(sample, state[0], numbers, {})
    arena = np.array(numbers)
    deals = np.zeros(len(rows), record_type(Told, {}))
    reached, count = run(state, arena, rows, 0, deals)
    assert reached == len(rows)
    unpack(state[0], sample, arena, {})
    return [tuple(deal) for deal in deals[:count].tolist()]


def everything(thing: Numeric, kinds: Mapping[Any, Any]) -> list[Any]:
    found: list[Any] = []
    for name, kind in fields_of(type(thing), kinds).items():
        value = getattr(thing, name)
        found.append((name, everything(value, kinds) if kind is not list and issubclass(kind, Numeric) else value))
    return found


def test_python_and_compiled_code_do_the_same_to_the_last_bit(tmp_path: Path) -> None:
    rows, plain, fast = bars(), Sample(), Sample()
    told = [(plain.deal.at, plain.deal.size) for row in rows.tolist() if plain.step(TapeBar._make(row)) == 2]
    assert compiled_run(fast, rows, tmp_path) == told
    assert len(told) > 50
    assert everything(fast, {}) == everything(plain, {})
    assert fast.config == {"kept": "out of the record"}


def test_generated_code_is_kept_and_a_changed_source_is_another_file(tmp_path: Path) -> None:
    source = source_of(Sample, "step", {}, 2) + "# not loaded before\n"
    load(source, tmp_path)
    (first,) = tmp_path.glob("*.py")
    assert first.read_text() == source
    before = first.stat().st_mtime_ns
    load(source, tmp_path)
    assert first.stat().st_mtime_ns == before
    load(source.replace("2.5", "2.75"), tmp_path)
    assert len(list(tmp_path.glob("*.py"))) == 2


class Odd(Numeric):
    window: Window
    items: list[float]
    names: dict[str, int]

    def texts(self) -> str:
        return f"{self.names}"

    def whole(self) -> float:
        return sum(self.items)

    def unknown(self) -> int:
        return self.names["a"]

    def called(self) -> str:
        return str(self.items[0])

    def guarded(self) -> float:
        try:
            return self.items[0]
        except IndexError:
            return 0.0

    def outside(self) -> Any:
        return Path

    def missing(self) -> Any:
        return self.window.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "told"),
    [
        (Odd.texts, "a joinedstr"),
        (Odd.whole, "the whole list items"),
        (Odd.unknown, "Odd.names, which is no annotated field"),
        (Odd.called, "a call of str"),
        (Odd.guarded, "a try statement"),
        (Odd.outside, "Path, which is no number"),
        (Odd.missing, "Window.nothing, which is no annotated field"),
    ],
)
def test_what_is_not_of_the_dialect_is_named_with_its_line(method: FunctionType, told: str) -> None:
    with pytest.raises(NotCompilable) as refused:
        rewrite((method, Odd), Need({}))
    assert told in str(refused.value)
    line = method.__code__.co_firstlineno + 1
    assert f"test_compiler.py:{line}" in str(refused.value)


def test_two_functions_of_one_name_stay_apart() -> None:
    need = Need({})
    first, second = need.function((Odd.texts, Odd)), need.function((Odd.texts, Sample))
    assert first != second
    assert need.function((Odd.texts, Odd)) == first


class Beyond(Numeric):
    deal: Told
    items: list[float]
    others: list[float]
    place: int

    def __init__(self, place: int) -> None:
        self.deal = Told()
        self.items, self.others = [1.0, 2.0], [3.0, 4.0]
        self.place = place

    def step(self, bar: TapeBar) -> int:
        self.items[self.place] += bar.close
        return 0


class Cut(Numeric):
    deal: Told
    score: int

    def __init__(self) -> None:
        self.deal = Told()
        self.score = 0

    def step(self, bar: TapeBar) -> int:
        self.score += bar.close  # type: ignore[assignment]
        return 0


def run_one(thing: Any, folder: Path) -> None:
    run = load(source_of(type(thing), "step", {}, 2), folder)
    state, numbers = np.zeros(1, record_type(type(thing), {})), list[float]()
    pack(thing, state[0], numbers, {})
    run(state, np.array(numbers), bars(3), 0, np.zeros(3, record_type(Told, {})))


@pytest.mark.parametrize("place", [2, -1])
def test_compiled_code_does_not_reach_beyond_a_list(tmp_path: Path, place: int) -> None:
    run_one(Beyond(1), tmp_path)
    with pytest.raises(IndexError, match="list index out of range"):
        run_one(Beyond(place), tmp_path)


def test_a_float_is_not_cut_to_fit_a_field_of_whole_numbers(tmp_path: Path) -> None:
    with pytest.raises(NotCompilable, match="a float is assigned to a field of whole numbers"):
        run_one(Cut(), tmp_path)
