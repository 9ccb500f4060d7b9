from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.instruments import Right
from htbot.domain.recorded import OptionSeries
from htbot.market.con_ids import CLASSES, OPTIONS_FROM, option_id, option_series, underlying_id
from htbot.market.universe import LISTED

every_class = st.sampled_from(CLASSES)


@given(every_class, st.data(), st.dates(date(2000, 1, 1), date(2039, 12, 31)), st.sampled_from(list(Right)))
def test_every_option_is_read_back_from_its_id(row: object, data: st.DataObject, day: date, right: Right) -> None:
    kind = next(kind for kind in CLASSES if kind is row)
    strike = kind.unit * data.draw(st.integers(1, kind.slots))
    series = OptionSeries(kind.name, day, strike, right)
    con_id = option_id(series)
    assert con_id is not None
    assert OPTIONS_FROM <= con_id < 2**31
    assert option_series(con_id) == series


def test_ids_do_not_move() -> None:
    # stored in books and journals: a change here orphans them
    spx = OptionSeries("SPXW", date(2026, 11, 20), Decimal(5500), Right.PUT)
    spy = OptionSeries("SPY", date(2022, 8, 26), Decimal(415), Right.CALL)
    assert (option_id(spx), option_id(spy)) == (1_032_132_421, 1_199_559_926)
    assert (underlying_id("SPX"), underlying_id("SPY"), underlying_id("QQQ")) == (416904, 756733, 320227571)
    assert underlying_id("TWX") == 579_580_459


def test_what_an_id_cannot_carry_has_none() -> None:
    day = date(2026, 11, 20)
    assert option_id(OptionSeries("SPXW", day, Decimal("5502.5"), Right.CALL)) is None
    assert option_id(OptionSeries("SPXW", day, Decimal(0), Right.CALL)) is None
    assert option_id(OptionSeries("SPXW", date(2040, 1, 1), Decimal(5500), Right.CALL)) is None
    assert option_id(OptionSeries("XYZ", day, Decimal(5), Right.CALL)) is None


def test_ids_of_underlyings_are_no_options() -> None:
    ids = {underlying_id(symbol) for symbol in (*LISTED, "TWX", "XYZW", "FOXA")}
    assert len(ids) == len(LISTED) + 3
    assert max(ids) < OPTIONS_FROM
    assert [option_series(con_id) for con_id in ids] == [None] * len(ids)
    assert option_series(2**31 - 1) is None
