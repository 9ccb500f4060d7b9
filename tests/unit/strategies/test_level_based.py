from __future__ import annotations

import pytest
from tests.support.strategy_readings import day_before
from tests.support.strategy_suite import PROJECT_ANSWERS, Held, StrategySuite

from htbot.domain.bars import TapeBar
from htbot.domain.errors import ConfigurationError
from htbot.strategies.bar_strategy import LEAVE, LONG, NONE, SHORT, WAIT, Advice
from htbot.strategies.level_based import LevelBased, LevelBasedConfig

Levels = list[tuple[float, float]]


def swings(prices: list[float], order: int, sign: int) -> list[float]:
    """Local extremes: strictly beyond `order` prices on either side, all of which are there."""
    found = []
    for at in range(order, len(prices) - order):
        around = prices[at - order : at] + prices[at + 1 : at + order + 1]
        if all(sign * prices[at] > sign * other for other in around):
            found.append(prices[at])
    return found


def clusters(prices: list[float], config: LevelBasedConfig) -> Levels:
    levels = []
    for centre in prices:
        touches = [price for price in prices if abs(price - centre) <= config.cluster_tolerance * centre]
        if len(touches) >= config.min_touches:
            levels.append((round(sum(touches) / len(touches), 9), min(1.0, len(touches) / 5)))
    return levels


class TestLevelBased(StrategySuite):
    strategy = LevelBased
    answers = PROJECT_ANSWERS / "level_based.csv"
    default_hash = "25558d7f7c5d"
    variants = (
        {"allow_short": True, "proximity": 0.003, "min_strength": 0.4, "min_reward_risk": 0.5, "volume_ratio": 1.5},
        {"lookback": 40, "swing_order": 1, "cluster_tolerance": 0.004, "proximity": 0.002, "exit_time": "15:30"},
    )

    @staticmethod
    def reading(bars: tuple[TapeBar, ...], row: int, config: LevelBasedConfig, held: Held) -> Advice:
        """Spec 03 section 6c."""
        bar = bars[row]
        if held.side != NONE:
            return LEAVE if abs(bar.close - held.target) / held.target <= config.exit_proximity else WAIT
        way = LONG if bar.close > bar.open else SHORT
        if bar.close == bar.open or (way == SHORT and not config.allow_short):
            return WAIT
        recent = list(bars[max(0, row + 1 - config.lookback) : row + 1])
        supports = clusters(swings([one.low for one in recent], config.swing_order, -1), config)
        resistances = clusters(swings([one.high for one in recent], config.swing_order, 1), config)
        if before := day_before(bars, row):
            high, low = max(one.high for one in before), min(one.low for one in before)
            pivot = (high + low + before[-1].close) / 3
            supports += [(low, 0.9), (pivot, 0.8), (2 * pivot - high, 0.7), (pivot - (high - low), 0.6)]
            resistances += [(high, 0.9), (pivot, 0.8), (2 * pivot - low, 0.7), (pivot + (high - low), 0.6)]
        mine, others = (supports, resistances) if way == LONG else (resistances, supports)
        behind = [one for one in mine if one[1] >= config.min_strength and way * (bar.close - one[0]) >= 0]
        ahead = [level for level, strength in others if strength >= config.min_strength]
        ahead = [level for level in ahead if way * (level - bar.close) > 0]
        if not behind or not ahead:
            return WAIT
        level, strength = min(behind, key=lambda one: (way * (bar.close - one[0]), -one[1]))
        goal = min(ahead, key=lambda one: way * one)
        stop = level * (1 - way * config.stop_beyond)
        near = 1 - abs(bar.close - level) / level / config.proximity
        if near < 0 or abs(goal - bar.close) / abs(bar.close - stop) < config.min_reward_risk:
            return WAIT
        volumes = [one.volume for one in bars[: row + 1]][-config.volume_window :]
        whole = len(volumes) == config.volume_window and sum(volumes) > 0
        ratio = volumes[-1] * config.volume_window / sum(volumes) if whole else 0
        sure = 0.5 + 0.3 * near + 0.2 * min(ratio / config.volume_ratio, 1) + 0.2 * strength
        return Advice(way, False, stop, goal, min(sure, 1.0))

    def test_a_swing_fits_into_the_bars_that_are_looked_at(self) -> None:
        with pytest.raises(
            ConfigurationError, match=r"^swing_order=10 is out of range: less than half of lookback=20$"
        ):
            self.make({"swing_order": 10})
