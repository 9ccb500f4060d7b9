from __future__ import annotations

import csv
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.breakout_world import session_on

from htbot.domain.bars import Bar
from htbot.domain.instruments import Right
from htbot.domain.sessions import Session
from htbot.domain.signals import Direction, Signal
from htbot.marketdata.sessions import trading_window
from htbot.strategies.base import Answer, Fired, Look, Measures, Quiet, Standing
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout

ANSWERS = Path(__file__).with_name("answers") / "spx_breakout.csv"
ROWS = list(csv.DictReader(ANSWERS.read_text().splitlines()))
SESSION = session_on(2022, 8, 26, opens=(13, 30))
UP, DOWN, NONE = (Measures(trend, 105.0, 95.0, {"rsi": 60.0, "rsi_ema": 61.5, "bars": 300.0}) for trend in (1, -1, 0))


def bar(number: int, high: float, low: float, session: Session = SESSION) -> Bar:
    middle = (high + low) / 2
    return Bar("SPX", session.opens + number * timedelta(minutes=5), 5, middle, high, low, middle)


CLOSED = (bar(0, 104, 96), bar(1, 105, 97), bar(2, 103, 95), bar(3, 105, 95))


def look(strategy: SpxBreakout, **changes: object) -> Look:
    """The open bar at 10:32:30, wide enough to break both sides."""
    running = bar(12, 106, 94)
    default = Look(
        as_of=running.start + timedelta(seconds=150),
        session=SESSION,
        window=trading_window(SESSION, strategy.hours),
        bar=running,
        closing=False,
        high=106.0,
        low=94.0,
        spot=100.0,
        closed=CLOSED,
        standing=Standing(),
    )
    return replace(default, **changes)  # type: ignore[arg-type]


def ask(measures: Measures, config: BreakoutConfig | None = None, **changes: object) -> Answer:
    strategy = SpxBreakout(config or BreakoutConfig())
    return strategy.decide(look(strategy, **changes), measures)


def why_not(measures: Measures, config: BreakoutConfig | None = None, **changes: object) -> str:
    answer = ask(measures, config, **changes)
    assert isinstance(answer, Quiet)
    return answer.why_not


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return SESSION.at(hour, minute) + timedelta(seconds=second)


# --- entry ------------------------------------------------------------------------------------------------------------


def test_up_through_the_high_with_the_trend_is_long() -> None:
    answer = ask(UP)
    assert answer == Fired(
        Direction.BULL, 105.0, 106.0, "106 is above the day's high 105 with the trend (RSI's EMA 61.50)"
    )


def test_down_through_the_low_with_the_trend_is_short() -> None:
    answer = ask(DOWN)
    assert isinstance(answer, Fired)
    assert (answer.direction, answer.level, answer.price) == (Direction.BEAR, 95.0, 94.0)


def test_against_the_trend_nothing_fires() -> None:
    assert why_not(UP, high=104.9) == "trend up: 104.9 is not above the day's high 105"
    assert why_not(DOWN, low=95.1) == "trend down: 95.1 is not below the day's low 95"


def test_reaching_the_level_is_not_breaking_it() -> None:
    """Spec 01 section 14."""
    assert "not above" in why_not(UP, high=105.0)
    assert "not below" in why_not(DOWN, low=95.0)


@pytest.mark.parametrize(
    ("clock", "fires"),
    [((9, 59, 59), False), ((10, 0, 0), True), ((14, 59, 59), True), ((15, 0, 0), False)],
)
def test_entry_window(clock: tuple[int, int, int], fires: bool) -> None:
    """Spec 01 section 14, RULINGS 19."""
    answer = ask(UP, as_of=at(*clock))
    assert isinstance(answer, Fired) is fires


def test_outside_the_window_the_clock_is_named() -> None:
    assert why_not(UP, as_of=at(9, 45)) == "09:45:00 is before the entry window 10:00:00 to 15:00:00"
    assert why_not(UP, as_of=at(15, 0)) == "15:00:00 is past the entry window 10:00:00 to 15:00:00"


def test_on_a_half_day_entries_end_an_hour_before_the_close() -> None:
    """RULINGS 19."""
    half = session_on(2022, 11, 25, minutes=210)
    strategy = SpxBreakout(BreakoutConfig())
    window = trading_window(half, strategy.hours)
    assert isinstance(ask(UP, window=window, as_of=half.at(11, 59)), Fired)
    assert "past the entry window" in why_not(UP, window=window, as_of=half.at(12, 0))


def test_a_busy_strategy_waits() -> None:
    assert why_not(UP, standing=Standing(flat=False)) == "a trade is open or an entry is working"


def test_the_first_bar_has_no_level() -> None:
    assert why_not(UP, closed=()) == "no bar of this session has closed yet"


def test_a_level_serves_once_per_direction() -> None:
    """RULINGS 2."""
    assert why_not(UP, standing=Standing(spent_levels=frozenset({(1, 105.0)}))) == "the level 105 has had its entry"
    assert isinstance(ask(UP, standing=Standing(spent_levels=frozenset({(-1, 105.0), (1, 104.0)}))), Fired)


def test_after_an_exit_the_level_must_be_younger() -> None:
    """RULINGS 2: bar 1 made the high first; that bar 3 reached it again does not make it newer."""
    made_at = CLOSED[1].end
    text = why_not(UP, standing=Standing(last_exit_at=made_at))
    assert text == f"the level 105 is older than the exit at {'09:40:00'}"
    assert isinstance(ask(UP, standing=Standing(last_exit_at=made_at - timedelta(seconds=1))), Fired)


def test_an_unwatched_bar_gives_no_signal() -> None:
    assert why_not(UP, high=None) == "nothing has been watched of this bar yet"


def test_no_trend_says_how_far_it_is() -> None:
    assert why_not(NONE) == "no trend: the RSI's EMA 61.50 is neither above 45 nor below 45"
    cold = Measures(0, 105.0, 95.0, {"bars": 203.0})
    assert why_not(cold) == "warming up: 203 of 204 bars"
    assert why_not(Measures(0, 105.0, 95.0, {"bars": 60.0}), BreakoutConfig(trend_warmup="seeded")) == (
        "warming up: 60 of 61 bars"
    )


def test_confirmation_by_the_last_price() -> None:
    config = BreakoutConfig(breakout_confirm="last")
    assert "100 is not above" in why_not(UP, config)
    answer = ask(UP, config, spot=105.01)
    assert isinstance(answer, Fired)
    assert answer.price == 105.01
    assert why_not(UP, config, spot=None) == "nothing has been watched of this bar yet"


def test_confirmation_by_the_close() -> None:
    config = BreakoutConfig(breakout_confirm="close")
    assert why_not(UP, config) == "a breakout is confirmed by a close, and this bar is open"
    closing = replace(bar(12, 107, 94), close=105.5)
    answer = ask(UP, config, bar=closing, closing=True)
    assert isinstance(answer, Fired)
    assert answer.price == 105.5
    assert "not above" in why_not(UP, config, bar=replace(closing, close=105.0), closing=True)


# --- trend ------------------------------------------------------------------------------------------------------------


def measured(config: BreakoutConfig, closes: list[float]) -> Measures:
    strategy = SpxBreakout(config)
    state = strategy.begin()
    for number, close in enumerate(closes):
        state = strategy.fold(state, replace(bar(number, close + 1, close - 1), close=close))
    return strategy.measure(state, CLOSED)


def test_rising_closes_have_trend_up_once_warm() -> None:
    """Spec 01 section 14: closes that rise by 1 give RSI 100 and trend +1."""
    rising = [100.0 + number for number in range(204)]
    assert measured(BreakoutConfig(), rising[:203]).trend == 0
    warm = measured(BreakoutConfig(), rising)
    assert (warm.trend, warm.indicators) == (1, {"rsi": 100.0, "rsi_ema": 100.0, "bars": 204.0})
    assert measured(BreakoutConfig(trend_warmup="seeded"), rising[:61]).trend == 1
    assert measured(BreakoutConfig(trend_warmup="seeded"), rising[:60]).trend == 0


def test_alternating_closes_have_rsi_50() -> None:
    """Spec 01 section 14: above 45, so the trend is up; between 45 and 55 it is none, at the bound itself too."""
    alternating = [100.0 + number % 2 for number in range(301)]
    both = measured(BreakoutConfig(), alternating)
    assert both.indicators["rsi"] == 50
    assert both.trend == 1
    assert measured(BreakoutConfig(rsi_ema_bull=55, rsi_ema_bear=45), alternating).trend == 0
    edge = [100.0] * 301
    assert measured(BreakoutConfig(rsi_ema_bull=50, rsi_ema_bear=50), edge).trend == 0


def test_falling_closes_have_trend_down() -> None:
    assert measured(BreakoutConfig(), [900.0 - number for number in range(204)]).trend == -1


def test_the_range_is_that_of_the_closed_bars_given() -> None:
    both = measured(BreakoutConfig(), [])
    assert (both.high, both.low, both.indicators) == (105, 95, {"bars": 0.0})
    strategy = SpxBreakout(BreakoutConfig())
    assert strategy.measure(strategy.begin(), ()) == Measures(0, None, None, {"bars": 0.0})


# --- trade ------------------------------------------------------------------------------------------------------------


def signal(direction: Direction, symbol: str = "SPX") -> Signal:
    return Signal("spx_breakout", "DU1", symbol, SESSION.day, at(11, 0), direction, 105.0, 106.0, int(direction), "")


def test_what_is_sold() -> None:
    request = SpxBreakout(BreakoutConfig()).wanted(signal(Direction.BULL))
    assert (request.right, request.expiry, request.quantity) == (Right.PUT, SESSION.day, 1)
    assert (request.short_index, request.long_index, request.width, request.strike_range) == (1, 9, 40, 150)
    spy = SpxBreakout(BreakoutConfig(symbol="SPY")).wanted(signal(Direction.BEAR, "SPY"))
    assert (spy.right, spy.width, spy.strike_range) == (Right.CALL, 8, 30)


def test_exit_rules() -> None:
    strategy = SpxBreakout(BreakoutConfig(symbol="SPY", take_profit_pct_of_credit=Decimal(50)))
    rules = strategy.exit_rules(trading_window(SESSION, strategy.hours))
    assert (rules.profit_target_usd, rules.stop_loss_usd) == (40, 20)
    assert (rules.exit_at, rules.flat_deadline) == (at(15, 0), at(15, 30))
    assert rules.take_profit_fraction == Decimal("0.5")


def test_needs() -> None:
    needs = SpxBreakout(BreakoutConfig(bar_minutes=1)).needs
    assert (needs.symbol, needs.bar_minutes, needs.warm_up_bars, needs.strikes_out) == ("SPX", 1, 204, 10)


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_the_answers_of_the_file(row: dict[str, str]) -> None:
    """The day's high 105 was made at 09:40, its low 95 at 09:45; the bar is open."""
    measures, trend = {1: UP, -1: DOWN, 0: NONE}[int(row["trend"])], int(row["trend"])
    spent = frozenset((trend, float(level)) for level in row["spent"].split())
    standing = Standing(row["flat"] == "yes", spent, clock(row["last_exit"]) if row["last_exit"] else None)
    high, low = (float(row[name]) if row[name] else None for name in ("high", "low"))
    moment = clock(row["at"])
    answer = ask(measures, as_of=moment, high=high, low=low, spot=float(row["last"]), standing=standing)
    assert (int(answer.direction) if isinstance(answer, Fired) else 0) == int(row["answer"])
    assert (answer.reason if isinstance(answer, Fired) else answer.why_not) == row["why"]
    if isinstance(answer, Fired):
        assert answer.level == float(row["level"])


def test_the_file_of_answers_has_both_directions_and_refusals() -> None:
    assert {row["answer"] for row in ROWS} == {"+1", "-1", "0"}


def clock(text: str) -> datetime:
    found = time.fromisoformat(text)
    return at(found.hour, found.minute, found.second)
