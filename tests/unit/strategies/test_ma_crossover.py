from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from tests.support.shared_data import sessions, shared_file
from tests.support.strategy_readings import wilder_rsi
from tests.support.strategy_suite import PROJECT_ANSWERS, Held, StrategySuite
from tests.support.strategy_tapes import deals_text, final_state, loop_of, random_tape

from htbot.adapters.replay.reader import read_market_data
from htbot.backtest.bar_run import run_bars
from htbot.backtest.tape import BAR_RECORD, Tape
from htbot.domain.bars import TapeBar, tick_bar
from htbot.domain.errors import ConfigurationError
from htbot.strategies.bar_strategy import LEAVE, LONG, NONE, SHORT, UNKNOWN, WAIT, Advice, Holding
from htbot.strategies.ma_crossover import MaCrossover, MaCrossoverConfig


def gap_at(bars: tuple[TapeBar, ...], row: int, config: MaCrossoverConfig) -> Fraction:
    """(short - long) / long, exactly, of prices in whole cents."""
    cents = [round(bar.close * 100) for bar in bars[max(0, row + 1 - config.long_window) : row + 1]]
    short = Fraction(sum(cents[-config.short_window :]), config.short_window)
    return short / Fraction(sum(cents), config.long_window) - 1


class TestMaCrossover(StrategySuite):
    strategy = MaCrossover
    answers = PROJECT_ANSWERS / "ma_crossover.csv"
    default_hash = "31f8178260dc"
    variants = (
        {"allow_short": True, "short_window": 2, "long_window": 6, "emit_initial": True, "confidence_mode": "raw"},
        {"short_window": 3, "long_window": 10, "rsi_filter": True, "allow_short": True, "sizing": "confidence"},
        {"profit_target_usd": "20", "stop_loss_usd": "10", "profit_levels": True, "cooldown_minutes": 30},
    )

    @staticmethod
    def reading(bars: tuple[TapeBar, ...], row: int, config: MaCrossoverConfig, held: Held) -> Advice:
        """Spec 04 section 3 and 05 section 3: the side is that of the last gap that was one."""
        if row + 1 < config.long_window or (gap := gap_at(bars, row, config)) == 0:
            return WAIT
        sides = (gap_at(bars, age, config) for age in range(row - 1, config.long_window - 2, -1))
        before = next((LONG if old > 0 else SHORT for old in sides if old), NONE)
        now = LONG if gap > 0 else SHORT
        if now == before or (before == NONE and not config.emit_initial):
            return WAIT
        if held.side != NONE:
            return LEAVE if now == -held.side else WAIT
        if config.rsi_filter:
            rsi = wilder_rsi(tuple(bar.close for bar in bars), config.rsi_window)[row]
            if rsi is None or not (rsi < config.rsi_high if now == LONG else rsi > config.rsi_low):
                return WAIT
        size = float(abs(gap))
        sure = size if config.confidence_mode == "raw" else 0.5 + size / (2 * config.confidence_scale)
        return Advice(now, False, UNKNOWN, UNKNOWN, min(1.0, sure))

    def test_the_short_window_is_the_shorter_one(self) -> None:
        with pytest.raises(ConfigurationError, match=r"^short_window=20 is out of range: less than long_window=20$"):
            self.make({"short_window": 20})

    def test_prices_that_do_not_move_never_cross(self) -> None:
        """Sums of equal prices differ by rounding; that is no crossing."""
        strategy = self.make({"emit_initial": True, "short_window": 3, "long_window": 7})
        bar = TapeBar._make(random_tape(0).bars[0].tolist())
        for price in (0.07, 100.01, 1234.56):
            for _ in range(10):
                strategy.on_bar(bar._replace(close=price), Holding())
            said = {strategy.on_bar(bar._replace(close=price), Holding()).side for _ in range(500)}
            assert said == {NONE}

    # --- ticks --------------------------------------------------------------------------------------------------------

    def test_ticks_as_bars_without_length_signal_each_crossing_once(self) -> None:
        """The sample of seed 003: a price that rises by one a tick from 100."""
        session = random_session()
        strategy = MaCrossover(MaCrossoverConfig(emit_initial=True, confidence_mode="raw"))
        up = [100.0 + step for step in range(40)]
        down = [139.0 - step for step in range(40)]
        ticks = [tick_bar(session[1] + at, session[0], price) for at, price in enumerate(up + down)]
        told = [(at, advice) for at, bar in enumerate(ticks) if (advice := strategy.on_bar(bar, Holding())).side]
        # down tick k: short mean 141 - k, long mean 139 - (2 k^2 - 36 k + 342) / 40: below it from k = 7 on
        assert [(at, advice.side) for at, advice in told] == [(19, LONG), (40 + 7, SHORT)]
        assert round(told[0][1].confidence, 3) == 0.068

    def test_both_ways_agree_on_the_ticks_of_a_day(self, folder) -> None:  # noqa: ANN001
        tape = spy_ticks(20_000)
        settings = {"short_window": 50, "long_window": 200, "allow_short": True}
        events = run_bars(loop_of(self.make(settings)), tape, folder, "events")
        compiled = run_bars(loop_of(self.make(settings)), tape, folder, "compiled")
        assert len(events.deals) > 50
        assert deals_text(compiled.deals) == deals_text(events.deals)
        assert final_state(compiled.loop) == final_state(events.loop)


def random_session():  # noqa: ANN201
    from tests.support.strategy_tapes import weekdays

    session = weekdays().all()[0]
    return session, int(session.opens.timestamp())


def spy_ticks(count: int) -> Tape:
    """The first trades of regular hours on 2013-10-07."""
    data = read_market_data([shared_file("market/spy_trade_ticks_20131007.parquet")])
    session = sessions(shared_file("oracle/us_sessions_2012_2027.csv")).all()
    ticks = data.ticks["SPY"]
    first = ticks.at_ms[0] // 1000
    day = next(one for one in session if one.opens.timestamp() <= first + 86_400 and one.closes.timestamp() > first)
    rows = [
        tick_bar(at_ms // 1000, day, price, size)
        for at_ms, price, size in zip(ticks.at_ms, ticks.price, ticks.size, strict=True)
        if day.opens.timestamp() * 1000 <= at_ms < day.closes.timestamp() * 1000
    ][:count]
    bars = np.array([tuple(row) for row in rows], BAR_RECORD)
    bars["ends_session"][-1] = True
    return Tape("SPY", 0, bars)
