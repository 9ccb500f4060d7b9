"""Every indicator compiled is, to the last bit, what it is as plain Python; so are the errors."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from tests.support.compiled import bars_of, bits, run_compiled, run_plain, state_of

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import Numeric
from htbot.indicators import stream
from htbot.indicators.stream import (
    Bollinger,
    Ema,
    Highest,
    LinearSlope,
    Lowest,
    Macd,
    Obv,
    PreviousDay,
    Roc,
    SessionVwap,
    SimpleAtr,
    SimpleRsi,
    Sma,
    SmaSeededEma,
    StandardDeviation,
    Stochastic,
    VolumeRatio,
    WilderAtr,
    WilderRsi,
)


class Values(Numeric):
    sma: float
    ema: float
    seeded: float
    slope: float
    rsi: float
    simple_rsi: float
    macd: float
    roc: float
    stochastic: float
    atr: float
    simple_atr: float
    deviation: float
    bollinger: float
    obv: float
    ratio: float
    vwap: float
    highest: float
    lowest: float
    day: float

    def __init__(self) -> None:
        for name in Values.__annotations__:
            setattr(self, name, math.nan)


class Everything(Numeric):
    deal: Values
    sma: Sma
    ema: Ema
    seeded: SmaSeededEma
    slope: LinearSlope
    rsi: WilderRsi
    simple_rsi: SimpleRsi
    macd: Macd
    roc: Roc
    stochastic: Stochastic
    atr: WilderAtr
    simple_atr: SimpleAtr
    deviation: StandardDeviation
    bollinger: Bollinger
    obv: Obv
    ratio: VolumeRatio
    vwap: SessionVwap
    highest: Highest
    lowest: Lowest
    day: PreviousDay

    def __init__(self) -> None:
        self.deal = Values()
        self.sma, self.ema, self.seeded, self.slope = Sma(7), Ema(7), SmaSeededEma(7), LinearSlope(9)
        self.rsi, self.simple_rsi, self.macd, self.roc = WilderRsi(5), SimpleRsi(6), Macd(3, 7, 4), Roc(4)
        self.stochastic, self.atr, self.simple_atr = Stochastic(6, 3, 2), WilderAtr(5), SimpleAtr(5)
        self.deviation, self.bollinger = StandardDeviation(8), Bollinger(10, 2.0, ddof=0)
        self.obv, self.ratio, self.vwap = Obv(), VolumeRatio(6), SessionVwap()
        self.highest, self.lowest, self.day = Highest(8), Lowest(8), PreviousDay()

    def step(self, bar: TapeBar) -> int:
        told = self.deal
        close = bar.close
        told.sma = self.sma.add(close)
        told.ema = self.ema.add(close)
        told.seeded = self.seeded.add(close)
        told.slope = self.slope.add(close)
        told.rsi = self.rsi.add(close)
        told.simple_rsi = self.simple_rsi.add(close)
        told.macd = self.macd.add(close)
        told.roc = self.roc.add(close)
        told.stochastic = self.stochastic.add(bar.high, bar.low, close)
        told.atr = self.atr.add(bar.high, bar.low, close)
        told.simple_atr = self.simple_atr.add(bar.high, bar.low, close)
        told.deviation = self.deviation.add(close)
        told.bollinger = self.bollinger.add(close)
        told.obv = self.obv.add(close, bar.volume)
        told.ratio = self.ratio.add(bar.volume)
        told.vwap = self.vwap.add(bar)
        told.highest = self.highest.add(close)
        told.lowest = self.lowest.add(close)
        told.day = self.day.add(bar)
        return 1


def random_bars(seed: int, count: int) -> list[TapeBar]:
    """A walk with jumps, stretches that stand still, bars without volume, and sessions of some twenty bars."""
    chance, bars, close, session = random.Random(seed), [], 100.0, 735_000
    for row in range(count):
        session += chance.random() < 0.05
        if row % 90 < 70:
            close = abs(close + chance.gauss(0, 0.3)) * (chance.choice((0.1, 10.0)) if chance.random() < 0.01 else 1.0)
        span = 0.0 if row % 90 >= 70 else abs(chance.gauss(0, 0.2))
        volume = float(chance.randrange(3) * chance.randrange(10_000))
        bars.append(TapeBar(row * 60, session, 570, 571, 960, False, close, close + span, close - span, close, volume))
    return bars


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


def test_nothing_is_left_out() -> None:
    held = {field.removesuffix("'") for field in map(str, Everything.__annotations__.values())}
    assert set(stream.__all__) <= held


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_compiled_is_plain_to_the_last_bit(seed: int, folder: Path) -> None:
    bars = bars_of(random_bars(seed, 3000))
    plain, compiled = Everything(), Everything()
    expected = run_plain(plain, bars)
    found = run_compiled(compiled, bars, folder)
    assert len(expected) == 3000
    for name in expected.dtype.names or ():
        assert bits(found[name]) == bits(expected[name]), name
    assert state_of(compiled) == state_of(plain)


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_an_error_reads_the_same(wrong: float, folder: Path) -> None:
    bars = bars_of(random_bars(1, 40))
    bars["close"][30] = wrong
    with pytest.raises(ValueError) as plain:
        run_plain(Everything(), bars)
    with pytest.raises(ValueError) as compiled:
        run_compiled(Everything(), bars, folder)
    assert str(compiled.value) == str(plain.value) == f"Sma: {wrong} is not a finite number"
