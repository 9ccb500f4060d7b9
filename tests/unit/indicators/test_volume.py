from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import talib
from tests.support.indicators import Market, agree, case, market, pandas_ta

from htbot.indicators import batch, stream

DATA = market("cents", 14, 1500)


def test_obv_by_hand() -> None:
    obv = stream.Obv()
    assert [obv.add(*bar) for bar in ((10, 5), (11, 7), (11, 9), (9, 2))] == [5, 12, 12, 10]


def test_volume_ratio_by_hand() -> None:
    ratio = stream.VolumeRatio(4)
    assert [ratio.add(volume) for volume in (100, 100, 100, 300)][-1] == 2


def test_no_volume_at_all_has_no_ratio() -> None:
    volumes = [0.3, 0.7, 0.0, 0.0, 0.0, 0.1]
    ratio = stream.VolumeRatio(2)
    found = [ratio.add(volume) for volume in volumes]
    assert [math.isnan(value) for value in found] == [True, False, False, True, True, False]
    agree(found, batch.volume_ratio(np.array(volumes), 2))


def test_vwap_by_hand_and_anew_with_each_session() -> None:
    data = Market(
        np.array([1, 1, 1, 2]),
        np.array([12.0, 12.0, 30.0, 6.0]),
        np.array([9.0, 9.0, 30.0, 6.0]),
        np.array([9.0, 12.0, 30.0, 6.0]),
        np.array([0.0, 10.0, 30.0, 7.0]),
    )
    vwap = case(stream.SessionVwap, "bar")
    found = vwap.streamed(data)[0]
    assert math.isnan(found[0])
    assert found[1:].tolist() == pytest.approx([11, 25.25, 6], rel=1e-15)


def test_vwap_is_that_of_a_group_by() -> None:
    frame = pd.DataFrame(vars(DATA))
    frame["money"] = (frame["high"] + frame["low"] + frame["close"]) / 3 * frame["volume"]
    sums = frame.groupby("session")[["money", "volume"]].cumsum()
    agree(case(stream.SessionVwap, "bar").streamed(DATA)[0], sums["money"] / sums["volume"])


def test_talib_and_pandas_ta_have_the_same() -> None:
    obv = case(stream.Obv, "close volume").streamed(DATA)[0]
    agree(obv, talib.OBV(DATA.close, DATA.volume), rtol=0)
    agree(obv, pandas_ta().obv(pd.Series(DATA.close), pd.Series(DATA.volume), talib=False), rtol=0)
    volume = pd.Series(DATA.volume)
    agree(case(stream.VolumeRatio, "volume").streamed(DATA)[0], volume / volume.rolling(20).mean())
