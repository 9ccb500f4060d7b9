from __future__ import annotations

from tests.support.strategy_readings import day_before
from tests.support.strategy_suite import PROJECT_ANSWERS, Held, StrategySuite

from htbot.domain.bars import TapeBar
from htbot.strategies.bar_strategy import LEAVE, LONG, NONE, SHORT, WAIT, Advice
from htbot.strategies.range_bound import RangeBound, RangeBoundConfig


class TestRangeBound(StrategySuite):
    strategy = RangeBound
    answers = PROJECT_ANSWERS / "range_bound.csv"
    default_hash = "3d9df26bbc05"
    variants = (
        {"allow_short": True, "volume_confirmation": False, "proximity": 0.004, "min_range_proximities": 1},
        {"proximity": 0.003, "volume_ratio": 0.5, "sizing": "confidence", "exit_time": "15:00"},
    )

    @staticmethod
    def reading(bars: tuple[TapeBar, ...], row: int, config: RangeBoundConfig, held: Held) -> Advice:
        """Spec 03 section 6a."""
        before, price = day_before(bars, row), bars[row].close
        if not before:
            return WAIT
        high, low = max(bar.high for bar in before), min(bar.low for bar in before)
        if held.side != NONE:
            opposite = high if held.side == LONG else low
            return LEAVE if abs(price - opposite) / opposite <= config.exit_proximity else WAIT
        volumes = [bar.volume for bar in bars[: row + 1]][-config.volume_window :]
        mean = sum(volumes) / config.volume_window if len(volumes) == config.volume_window else 0
        ratio = bars[row].volume / mean if mean else 0.0
        quiet = config.volume_confirmation and ratio < config.volume_ratio
        if quiet or (high - low) / low < config.min_range_proximities * config.proximity:
            return WAIT
        sides = [(LONG, low, high), *([(SHORT, high, low)] if config.allow_short else [])]
        for way, level, goal in sides:
            stop = level * (1 - way * config.stop_beyond)
            near = 1 - abs(price - level) / level / config.proximity
            fits = way * (price - level) >= 0 and near >= 0
            if fits and abs(goal - price) / abs(price - stop) >= config.min_reward_risk:
                sure = 0.5 + 0.3 * near + 0.2 * min(ratio / config.volume_ratio, 1) + 0.2 * 0.9
                return Advice(way, False, stop, goal, min(sure, 1.0))
        return WAIT
