"""What every strategy on plain instruments must pass. A strategy's test inherits `StrategySuite` and fills it in.

class TestMine(StrategySuite):
    strategy = Mine
    answers = ANSWERS / "mine.csv"
    default_hash = "0123456789ab"
    variants = ({"entry_gap": 0.01}, {"sizing": "confidence"})
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from operator import attrgetter
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, get_args

import numpy as np
import pytest
from tests.support.strategy_answers import Answer, read_answers, said
from tests.support.strategy_tapes import (
    BAR_FILES,
    deals_text,
    final_state,
    loop_of,
    random_tape,
    recorded_tapes,
)

from htbot.backtest.bar_run import DEAL_RECORD, BarRun, run_bars
from htbot.backtest.request import FillRule
from htbot.backtest.tape import Tape
from htbot.domain.bars import TapeBar
from htbot.domain.errors import ConfigurationError
from htbot.engine.bar_loop import BarLoop
from htbot.engine.bar_parts import Happened, Leave
from htbot.strategies.bar_strategy import LONG, NONE, SHORT, Advice, BarConfig, BarStrategy, Holding
from htbot.strategies.config import config_hash

PROJECT_ANSWERS = Path(__file__).resolve().parents[1] / "unit" / "strategies" / "answers"
SEEDS = range(6)
FILLS: tuple[FillRule, ...] = get_args(FillRule)
CUTS = (0.2, 0.5, 0.8)
ROW_OF = attrgetter(*(DEAL_RECORD.names or ()))
Decide = Callable[[Tape], Sequence[object]]


class Held(NamedTuple):
    """The position that an advice was given for."""

    side: int
    target: float


class Said(NamedTuple):
    """What came of one bar: the advice, the position before it, and what was closed, if anything."""

    advice: Advice
    held: Held
    closed: str
    deal: tuple[Any, ...]


def said_of(loop: BarLoop, tape: Tape) -> list[Said]:
    """Run a loop bar by bar and listen."""
    told: list[tuple[Advice, Held]] = []
    ask = loop.strategy.on_bar

    def asked(bar: TapeBar, held: Holding) -> Advice:
        position = Held(held.side, held.target)
        told.append((ask(bar, held), position))
        return told[-1][0]

    loop.strategy.on_bar = asked  # type: ignore[method-assign]
    record: list[Said] = []
    for bar in map(TapeBar._make, tape.bars.tolist()):
        closed = loop.step(bar) == Happened.CLOSED
        record.append(Said(*told[-1], Leave(loop.deal.reason).name.lower() if closed else "", ROW_OF(loop.deal)))
    return record


def poisoned(tape: Tape, cut: int) -> Tape:
    """The tape with noise for every price and volume from row `cut` on."""
    chance = np.random.default_rng(cut)
    bars = tape.bars.copy()
    left = len(bars) - cut
    for name in ("open", "high", "low", "close"):
        bars[name][cut:] = chance.uniform(1.0, 10_000.0, left)
    bars["volume"][cut:] = chance.uniform(0.0, 1e9, left)
    return Tape(tape.symbol, tape.seconds, bars)


def check_no_look_ahead(decide: Decide, tape: Tape) -> None:
    """No decision changes when what comes after it becomes noise, or does not come at all."""
    whole = decide(tape)
    for cut in (int(share * len(tape)) for share in CUTS):
        assert repr(decide(poisoned(tape, cut))[:cut]) == repr(whole[:cut]), f"a decision before bar {cut} saw it"
        prefix = Tape(tape.symbol, tape.seconds, tape.bars[:cut])
        assert repr(decide(prefix)) == repr(whole[:cut]), f"a run on {cut} bars is no part of the whole run"


class StrategySuite:
    """Tests that every strategy inherits.

    `variants` are settings besides the defaults in which the strategy is run; together they must trade on the random
    tapes. A test may override `reading(bars, row, config, held)`: an independent answer to a bar from the rules and the
    bars up to it, in plain Python over lists.
    """

    strategy: ClassVar[type[BarStrategy]]
    answers: ClassVar[Path]
    default_hash: ClassVar[str]
    variants: ClassVar[Sequence[Mapping[str, object]]] = ()
    reading: ClassVar[Callable[..., Advice] | None] = None

    def make(self, settings: Mapping[str, object] | None = None) -> BarStrategy:
        """A new instance with these settings."""
        return self.strategy(self.strategy.Config.from_mapping(settings or {}))

    @property
    def settings(self) -> list[Mapping[str, object]]:
        """The defaults and the variants."""
        return [{}, *self.variants]

    @pytest.fixture
    def folder(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """Where compiled code is kept: one folder a test session, so that each strategy compiles once."""
        return tmp_path_factory.getbasetemp() / "compiled"

    # --- nothing is known before its time -----------------------------------------------------------------------------

    def test_no_decision_knows_a_later_bar(self) -> None:
        for settings, seed in product(self.settings, SEEDS[:3]):
            check_no_look_ahead(partial(self.decide, settings), random_tape(seed))

    def decide(self, settings: Mapping[str, object], tape: Tape) -> Sequence[object]:
        """Everything that is said and done on a tape."""
        return said_of(loop_of(self.make(settings)), tape)

    def test_a_compiled_run_of_the_first_bars_is_the_first_part_of_the_whole_run(self, folder: Path) -> None:
        for settings, seed in product(self.settings, SEEDS[:3]):
            tape = random_tape(seed)
            whole = run_bars(loop_of(self.make(settings)), tape, folder, "compiled").deals
            for cut in (int(share * len(tape)) for share in CUTS):
                part = Tape(tape.symbol, tape.seconds, tape.bars[:cut])
                deals = run_bars(loop_of(self.make(settings)), part, folder, "compiled").deals
                ended = int(part.bars["start_s"][-1]) + tape.seconds
                assert deals_text(deals) == deals_text(whole[whole["closed_s"] <= ended])

    def test_the_last_bar_of_a_session_is_not_known_to_it(self) -> None:
        for settings, side in product(self.settings, (NONE, LONG, SHORT)):
            assert self.advices(settings, side, False) == self.advices(settings, side, True)

    def advices(self, settings: Mapping[str, object], side: int, ends_session: bool) -> list[str]:
        """The advice to each bar while `side` is held, every bar marked as the last one or none."""
        strategy, held = self.make(settings), Holding()
        held.side, held.price, held.quantity, held.entered = side, 100.0, abs(side), abs(side)
        bars = (TapeBar._make(row)._replace(ends_session=ends_session) for row in random_tape(1).bars.tolist())
        return [repr(strategy.on_bar(bar, held)) for bar in bars]

    # --- one source, two ways of running ------------------------------------------------------------------------------

    @pytest.mark.parametrize("seed", SEEDS)
    def test_both_ways_agree_on_random_markets(self, seed: int, folder: Path) -> None:
        for settings, fill in product(self.settings, FILLS):
            self.check_both_ways(random_tape(seed), settings, fill, folder)

    @pytest.mark.parametrize("name", BAR_FILES)
    def test_both_ways_agree_on_recorded_markets(self, name: str, folder: Path) -> None:
        for tape in recorded_tapes(name):
            self.check_both_ways(tape, {}, "close", folder)

    def check_both_ways(self, tape: Tape, settings: Mapping[str, object], fill: FillRule, folder: Path) -> BarRun:
        """Every deal equal field by field, and every number of the final state."""
        events = run_bars(loop_of(self.make(settings), fill), tape, folder, "events")
        compiled = run_bars(loop_of(self.make(settings), fill), tape, folder, "compiled")
        assert (events.compiled, compiled.compiled) == (False, True)
        assert deals_text(compiled.deals) == deals_text(events.deals), (tape.symbol, settings, fill)
        assert final_state(compiled.loop) == final_state(events.loop), (tape.symbol, settings, fill)
        return events

    def test_it_trades_on_the_random_markets(self, folder: Path) -> None:
        """Else the tests above would agree about nothing."""
        runs = [
            run_bars(loop_of(self.make(settings)), random_tape(seed), folder, "compiled")
            for settings, seed in product(self.settings, SEEDS)
        ]
        assert sum(len(run.deals) for run in runs) >= 20

    def test_the_same_run_twice_is_the_same(self, folder: Path) -> None:
        """Also while another instance with other settings runs between its bars."""
        for settings in self.settings:
            first, second, other = loop_of(self.make(settings)), loop_of(self.make(settings)), loop_of(self.make())
            for bar in map(TapeBar._make, random_tape(2).bars.tolist()):
                first.step(bar)
                other.step(bar._replace(close=bar.close * 1.01))
            run_bars(second, random_tape(2), folder, "events")
            assert final_state(first) == final_state(second)

    # --- configuration ------------------------------------------------------------------------------------------------

    def test_the_hash_of_the_configuration_is_stable(self) -> None:
        """A changed value here means that stored trades no longer name their configuration: change it knowingly."""
        assert self.make().config_hash == self.default_hash
        assert self.make().config_hash == config_hash(self.strategy.name, self.strategy.Config())
        hashes = {self.make(settings).config_hash for settings in self.settings}
        assert len(hashes) == len(self.settings), "two variants are one configuration"

    def test_values_out_of_range_are_named_with_their_range(self) -> None:
        for field in self.strategy.Config.schema():
            name, low, high, choices = (field.get(key) for key in ("name", "low", "high", "choices"))
            bad: dict[object, str] = {}
            if isinstance(low, int | float) and isinstance(high, int | float):
                whole = field["type"] == "integer"
                bad = {low - 1: f"{low:g} to {high:g}", high + 1: f"{low:g} to {high:g}"}
                bad = {int(value) if whole else value: text for value, text in bad.items()}
            elif isinstance(choices, list):
                bad = {"neither": " or ".join(str(choice) for choice in choices)}
            elif field["type"] in {"boolean", "time"}:
                bad = {"neither": "true or false" if field["type"] == "boolean" else "a time as HH:MM"}
            for value, expected in bad.items():
                with pytest.raises(ConfigurationError, match=f"^{name}=.* is out of range: .*") as caught:
                    self.make({str(name): value})
                assert expected in str(caught.value)
                assert "\n" not in str(caught.value)

    def test_every_setting_of_numbers_or_words_has_a_range(self) -> None:
        fields = self.strategy.Config.schema()
        assert [
            field["name"]
            for field in fields
            if field["type"] in {"integer", "number", "decimal", "text"} and not {"low", "choices"} & set(field)
        ] == []

    def test_typing_errors_are_answered_with_the_nearest_name(self) -> None:
        own = set(self.strategy.Config.__annotations__) - set(BarConfig.__annotations__)
        for name in own:
            with pytest.raises(ConfigurationError, match=rf"^unknown setting {name}x: did you mean {name}\?$"):
                self.make({f"{name}x": 1})

    def test_every_setting_survives_being_spelled_as_the_schema_spells_it(self) -> None:
        spelled = {str(field["name"]): field["default"] for field in self.strategy.Config.schema()}
        assert self.make(spelled).config == self.make().config

    # --- answers ------------------------------------------------------------------------------------------------------

    def test_the_answers_of_the_file(self) -> None:
        cases = read_answers(self.answers, self.make().inputs.bar_minutes)
        for case in cases:
            record = said_of(loop_of(self.make(case.settings)), case.tape)
            for answer, heard in zip(case.answers, record, strict=True):
                where = f"{self.answers.name}:{answer.line} ({case.name})"
                assert (said(heard.advice), heard.closed) == (answer.advice, answer.closed), where
                check_numbers(answer, heard.advice, where)

    def test_the_file_of_answers_has_an_entry_an_exit_and_a_refusal(self) -> None:
        cases = read_answers(self.answers, self.make().inputs.bar_minutes)
        answers = [answer for case in cases for answer in case.answers]
        assert {"long", "short"} & {answer.advice for answer in answers}
        assert {answer.closed for answer in answers} - {""}
        assert any(not {answer.advice for answer in case.answers} & {"long", "short"} for case in cases)

    def test_another_reading_of_the_rules_says_the_same(self) -> None:
        if self.reading is None:
            pytest.skip("the file of answers was worked out by hand; there is no second reading")
        spoken = set()
        for settings, seed in product(self.settings, SEEDS[:3]):
            strategy, tape = self.make(settings), random_tape(seed, days=6)
            bars = tuple(map(TapeBar._make, tape.bars.tolist()))
            for row, heard in enumerate(said_of(loop_of(strategy), tape)):
                expected = self.reading(bars, row, strategy.config, heard.held)
                where = f"{settings}, seed {seed}, bar {row}"
                assert said(heard.advice) == said(expected), where
                assert heard.advice[2:] == pytest.approx(expected[2:], rel=1e-9, nan_ok=True), where
                spoken.add(said(heard.advice))
        assert spoken >= {"", "long"}


def check_numbers(answer: Answer, advice: Advice, where: str) -> None:
    """Stop, target and confidence as the file has them."""
    if answer.advice not in {"long", "short"}:
        return
    for expected, told in ((answer.stop, advice.stop), (answer.target, advice.target)):
        assert (math.isnan(expected) and math.isnan(told)) or told == pytest.approx(expected, rel=1e-9), where
    assert advice.confidence == pytest.approx(answer.confidence, rel=1e-9), where
