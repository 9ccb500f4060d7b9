from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from tests.support.strategy_readings import macd_histogram, wilder_rsi
from tests.support.strategy_suite import PROJECT_ANSWERS, Held, StrategySuite

from htbot.domain.bars import TapeBar
from htbot.domain.errors import ConfigurationError
from htbot.strategies.bar_strategy import LEAVE, LONG, NONE, SHORT, WAIT, Advice
from htbot.strategies.momentum import Momentum, MomentumConfig


def points_of(way: int, rsi: float, hist: tuple[float, float], roc: float, config: MomentumConfig) -> list[float]:
    """What RSI, MACD and rate of change say for a side; `hist` is the histogram before and now."""
    level, before, now = (rsi if way == LONG else 100 - rsi), way * hist[0], way * hist[1]
    points = []
    if config.rsi_from <= level <= config.rsi_until:
        points.append(0.3 if level <= config.rsi_strong else 0.2)
    if now > 0:
        points.append(0.3 if now > before else 0.2)
    if way * roc > config.min_roc / 2:
        points.append(0.2 if way * roc > config.min_roc else 0.1)
    return points


def ends(
    side: int, rsi: Sequence[float | None], hist: tuple[float, float], rose: float, config: MomentumConfig
) -> bool:
    """Whether a position is left: an exhausted move, or a price that goes on without its RSI."""
    last = rsi[-1] or 0.0
    strong = last > config.rsi_strong if side == LONG else last < 100 - config.rsi_strong
    against = side * hist[1] < 0 and side * (hist[1] - hist[0]) < 0
    changes = [after - before for before, after in pairwise(rsi) if before is not None and after is not None]
    known = len(changes) == config.divergence_bars
    turned = known and side * sum(changes) / len(changes) < -config.divergence_rsi and side * rose > 0
    return (strong and against) or turned


class TestMomentum(StrategySuite):
    strategy = Momentum
    answers = PROJECT_ANSWERS / "momentum.csv"
    default_hash = "89ad50ada623"
    variants = (
        {"min_roc": 0.002, "stop_loss": 0.004, "take_profit": 0.01, "volume_ratio": 0.8},
        {"rsi_window": 5, "macd_fast": 3, "macd_slow": 8, "macd_signal": 4, "roc_window": 4, "allow_short": False},
    )

    @staticmethod
    def reading(bars: tuple[TapeBar, ...], row: int, config: MomentumConfig, held: Held) -> Advice:
        """Spec 03 section 6b, with MACD seeded by simple means."""
        closes = tuple(bar.close for bar in bars)
        rsi = wilder_rsi(closes, config.rsi_window)
        hist = macd_histogram(closes, config.macd_fast, config.macd_slow, config.macd_signal)
        volumes = [bar.volume for bar in bars[: row + 1]][-config.volume_window :]
        price, ago = closes[row], max(0, row - config.divergence_bars)
        whole = row >= config.roc_window and len(volumes) == config.volume_window
        before, now, last = hist[row - 1] if row else None, hist[row], rsi[row]
        if not whole or before is None or now is None or last is None:
            return WAIT
        if held.side != NONE:
            left = ends(held.side, rsi[ago : row + 1], (before, now), price - closes[ago], config)
            return LEAVE if left else WAIT
        loud = sum(volumes) > 0 and volumes[-1] >= config.volume_ratio * sum(volumes) / config.volume_window
        roc = price / closes[row - config.roc_window] - 1
        found = {way: points_of(way, last, (before, now), roc, config) + [0.2] * loud for way in (LONG, SHORT)}
        for way in (LONG, SHORT):
            mine, other = found[way], found[-way]
            if len(mine) >= config.min_conditions and round(sum(mine), 9) > round(sum(other), 9):
                stop, goal = price * (1 - way * config.stop_loss), price * (1 + way * config.take_profit)
                return Advice(way, False, stop, goal, min(0.95, 0.5 + sum(mine) / 2))
        return WAIT

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"rsi_strong": 60}, r"rsi_strong=60 is out of range: from rsi_from=65 to rsi_until=85"),
            ({"macd_fast": 26}, r"macd_fast=26 is out of range: less than macd_slow=26"),
        ],
    )
    def test_settings_that_contradict_each_other(self, settings: dict[str, object], message: str) -> None:
        with pytest.raises(ConfigurationError, match=f"^{message}$"):
            self.make(settings)
