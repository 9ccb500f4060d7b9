"""A watched strategy: it enters only at bars that count, and says what it did or why it did nothing."""

from __future__ import annotations

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import UNKNOWN
from htbot.engine.observation import Observation
from htbot.strategies.bar_strategy import LEAVE, LONG, SHORT, WAIT, Advice, BarConfig, BarInputs, BarStrategy, Holding

OPEN_S = 1_704_205_800


class Scripted(BarStrategy):
    """Answers what it was told to."""

    name = "scripted"
    Config = BarConfig

    def __init__(self, config: BarConfig, *answers: Advice) -> None:
        super().__init__(config)
        self.answers = list(answers)

    @property
    def inputs(self) -> BarInputs:
        return BarInputs(5, 0)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:  # noqa: ARG002 - the hook of every strategy
        return self.answers.pop(0) if self.answers else WAIT


def bar(number: int, close: float) -> TapeBar:
    minute = 570 + 5 * number
    return TapeBar(OPEN_S + 300 * number, 738887, minute, minute + 5, 960, False, close, close, close, close, 1.0)


def watched(*answers: Advice, since: int = 0, **settings: object) -> Observation:
    return Observation(Scripted(BarConfig.from_mapping(settings), *answers), OPEN_S + since)


BUY = Advice(LONG, False, 99.0, 104.5, 0.65)


def test_an_entry_and_the_strategys_own_exit_are_told() -> None:
    watch = watched(BUY, WAIT, LEAVE)
    entered = watch.show(bar(0, 100.0))
    assert entered is not None
    assert (entered.action, entered.direction, entered.price) == ("enter", 1, 100.0)
    assert entered.reason == "long 10 at 100: stop 99, target 104.5, confidence 0.65"
    assert entered.levels == {"stop": 99.0, "target": 104.5}
    assert watch.position == {"side": 1.0, "quantity": 10.0, "price": 100.0, "stop": 99.0, "target": 104.5}
    assert watch.show(bar(1, 101.0)) is None
    assert watch.standing() == "holds long 10 at 100"
    left = watch.show(bar(2, 102.25))
    assert left is not None
    assert (left.action, left.direction, left.price) == ("leave", -1, 102.25)
    assert left.reason == "leaves long 10 at 102.25, entered at 100: its own signal"
    assert left.numbers == {"quantity": 10.0, "gross_usd": 22.5, "fees_usd": 2.0}
    assert (watch.standing(), watch.position) == ("flat", {})


def test_a_stop_price_closes_a_short() -> None:
    watch = watched(Advice(SHORT, False, 101.0, UNKNOWN, 1.0))
    entered = watch.show(bar(0, 100.0))
    assert entered is not None
    assert entered.reason == "short 10 at 100: stop 101, confidence 1"
    left = watch.show(bar(1, 101.5))
    assert left is not None
    assert (left.direction, left.reason) == (1, "leaves short 10 at 101.5, entered at 100: stop")


def test_a_part_is_told_as_a_part() -> None:
    watch = watched(Advice(LONG, False, UNKNOWN, UNKNOWN, 1.0), profit_levels=True)
    watch.show(bar(0, 100.0))
    left = watch.show(bar(1, 106.0))
    assert left is not None
    assert left.reason == "leaves long 2 of 10 at 106, entered at 100: profit level"
    assert watch.standing() == "holds long 8 at 100"


def test_nothing_is_entered_at_bars_from_before() -> None:
    watch = watched(BUY, BUY, since=300)
    assert watch.show(bar(0, 100.0)) is None
    assert watch.standing() == "flat; it asked to go long, at a bar from before it was watched"
    entered = watch.show(bar(1, 100.0))
    assert entered is not None
    assert entered.bar.start_s == OPEN_S + 300


def test_an_entry_that_is_not_admitted_says_why() -> None:
    early = watched(BUY, entry_start="10:00")
    assert early.show(bar(0, 100.0)) is None
    assert early.standing() == "flat; it asked to go long, refused by a limit: entry_window"
    once = watched(BUY, LEAVE, BUY, max_entries_per_day=1)
    for number in range(3):
        once.show(bar(number, 100.0))
    assert once.standing() == "flat; it asked to go long, refused by a limit: entries_per_day"


def test_a_limit_that_refused_an_earlier_bar_is_not_the_reason_of_a_later_one() -> None:
    once = watched(BUY, LEAVE, BUY, BUY, max_entries_per_day=1, entry_end="09:50")
    for number in range(3):
        once.show(bar(number, 100.0))
    assert once.standing().endswith("refused by a limit: entries_per_day")
    once.show(bar(4, 100.0))
    assert once.standing().endswith("refused by a limit: entry_window")
