from __future__ import annotations

import csv
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from htbot.domain.bars import Bar
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import Right
from htbot.domain.sessions import NEW_YORK, Session
from htbot.domain.signals import Direction, Signal
from htbot.marketdata.sessions import trading_window
from htbot.services import manual_signal
from htbot.strategies.base import Answer, Fired, Look, Quiet, Standing
from htbot.strategies.registry import create, schema
from htbot.strategies.vertical_spread import DailyCloses, VerticalSpread, VerticalSpreadConfig

ANSWERS = Path(__file__).with_name("answers") / "vertical_spread.csv"
DAY = date(2024, 7, 17)
OPENS = datetime(2024, 7, 17, 13, 30, tzinfo=UTC)
SESSION = Session(DAY, OPENS, OPENS + timedelta(minutes=390), early_close=False)
ROWS = list(csv.DictReader(ANSWERS.read_text().splitlines()))


def strategy(**changes: Any) -> VerticalSpread:
    return VerticalSpread(VerticalSpreadConfig(**{"sma_short": 2, "sma_long": 4, **changes}))


def bars_of(close: float, opens: datetime) -> list[Bar]:
    """Two bars of a session; what counts is the close of the second."""
    return [
        Bar("QQQ", opens + number * timedelta(minutes=5), 5, value, value + 1, value - 1, value)
        for number, value in enumerate((close * 3, close))
    ]


def answer_to(row: dict[str, str], **changes: Any) -> Answer:
    asked = strategy(**changes)
    closes = [float(text) for text in row["closes"].split()]
    state = asked.begin()
    for ago, close in zip(range(len(closes), 0, -1), closes, strict=True):
        for bar in bars_of(close, OPENS - timedelta(days=ago)):
            state = asked.fold(state, bar)
    today = tuple(bars_of(float(row["today"]), OPENS)) if row["today"] else ()
    for bar in today:
        state = asked.fold(state, bar)
    at = datetime.combine(DAY, time.fromisoformat(row["at"]), tzinfo=NEW_YORK).astimezone(UTC)
    spent = frozenset((1, float(number)) for number in range(int(row["spent"])))
    look = Look(
        as_of=at,
        session=SESSION,
        window=trading_window(SESSION, asked.hours),
        bar=bars_of(100.0, OPENS)[1],
        closing=False,
        high=None,
        low=None,
        spot=470.25,
        closed=today,
        standing=Standing(flat=row["flat"] == "yes", spent_levels=spent),
    )
    return asked.decide(look, asked.measure(state, today))


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_the_answers_of_the_file(row: dict[str, str]) -> None:
    answer = answer_to(row)
    said = answer.direction if isinstance(answer, Fired) else 0
    assert said == int(row["answer"])
    words = answer.reason if isinstance(answer, Fired) else answer.why_not
    assert words == row["why"].replace("; ", ", ")
    if isinstance(answer, Fired):
        assert answer.price == 470.25
        assert answer.level == float(row["why"].rpartition(" ")[2])


def test_the_file_has_both_directions_and_refusals() -> None:
    assert {row["answer"] for row in ROWS} == {"+1", "-1", "0"}


def test_a_close_is_known_when_the_next_session_has_begun() -> None:
    state = DailyCloses()
    for bar in bars_of(10.0, OPENS - timedelta(days=1)):
        state = state.add(bar, 4)
    assert state.finished == ()
    assert state.before(()) == (10.0,)
    first = bars_of(11.0, OPENS)[0]
    assert state.add(first, 4).before((first,)) == (10.0,)


def test_no_more_closes_are_kept_than_are_needed() -> None:
    state = DailyCloses()
    for ago in range(9, 0, -1):
        for bar in bars_of(float(ago), OPENS - timedelta(days=ago)):
            state = state.add(bar, 4)
    assert state.before(()) == (5.0, 4.0, 3.0, 2.0, 1.0)
    assert len(state.finished) == 4


def test_the_spread_that_is_asked_for() -> None:
    signal = Signal("vertical_spread", "DU1", "QQQ", DAY, OPENS, Direction.BULL, 1.0, 470.0, 1, "")
    wanted = VerticalSpread(VerticalSpreadConfig()).wanted(signal)
    assert (wanted.short_delta, wanted.long_delta, wanted.right, wanted.expiry) == (0.30, 0.15, Right.PUT, DAY)
    assert wanted.strike_range == 21


def test_exits_by_underlying() -> None:
    for symbol, target, stop, deadline in (("SPX", 100, 200, (15, 45)), ("QQQ", 10, 20, (15, 30))):
        made = strategy(symbol=symbol)
        rules = made.exit_rules(trading_window(SESSION, made.hours))
        assert (rules.profit_target_usd, rules.stop_loss_usd) == (target, stop)
        assert rules.take_profit_fraction == Decimal("0.5")
        assert rules.flat_deadline == SESSION.at(*deadline)
        assert rules.exit_at == SESSION.at(15, 0)


def test_bars_of_as_many_sessions_as_the_long_mean_are_declared() -> None:
    needs = VerticalSpread(VerticalSpreadConfig()).needs
    assert (needs.symbol, needs.warm_up_bars, needs.strikes_out) == ("QQQ", 50 * 78, 20)
    assert strategy(bar_minutes=1).needs.warm_up_bars == 4 * 390


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"sma_short": 50}, "sma_short=50 is out of range: below sma_long=50"),
        ({"long_delta": 0.3}, "long_delta=0.3 is out of range: below short_delta=0.3"),
        ({"entry_end": "09:45"}, "entry_end=09:45:00 is out of range"),
        ({"exit_time": "15:31"}, "exit_time=15:31:00 is out of range"),
        pytest.param(
            {"symbol": "SPY", "exit_time": "19:00", "flat_deadline": "20:00"},
            "flat_deadline=20:00:00 is out of range: at most 15:30:00 for SPY",
            marks=pytest.mark.ruling(12),
        ),
        pytest.param(
            {"symbol": "SPX", "flat_deadline": "15:46"},
            "flat_deadline=15:46:00 is out of range: at most 15:45:00 for SPX",
            marks=pytest.mark.ruling(11),
        ),
        ({"short_delta": 0.6}, "short_delta=0.6 is out of range: 0.02 to 0.49"),
        ({"short_dleta": 0.3}, "unknown setting short_dleta: did you mean short_delta?"),
    ],
)
def test_settings_that_do_not_fit_are_named(values: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        create("vertical_spread", values)
    assert str(caught.value).startswith(told)


def test_the_generator_and_spreads_by_hand_have_one_name() -> None:
    assert manual_signal.STRATEGY == VerticalSpread.name == "vertical_spread"
    assert schema("vertical_spread")["instruments"] == "options"


def test_the_hash_of_the_configuration_is_stable() -> None:
    assert VerticalSpread(VerticalSpreadConfig()).config_hash == create("vertical_spread").config_hash
    assert len({strategy().config_hash, strategy(quantity=2).config_hash}) == 2


def test_without_a_price_nothing_is_decided() -> None:
    asked = strategy()
    measures = asked.measure(DailyCloses((1.0, 2.0, 3.0, 4.0)), ())
    look = Look(
        SESSION.at(9, 45), SESSION, trading_window(SESSION, asked.hours), bars_of(1.0, OPENS)[0], False,
        None, None, None, (), Standing(),
    )  # fmt: skip
    assert asked.decide(look, measures) == Quiet("the underlying has no price")
