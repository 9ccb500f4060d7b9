"""Charts: well-formed, inside of their frame, and with every trade on them."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from tests.support.results import TRADES, WEEK, a_result, a_spread, a_trade, at, drawn_results

from htbot.backtest import report_charts as charts
from htbot.backtest.metrics import measure
from htbot.backtest.metrics_curve import Drawdown
from htbot.backtest.result import BacktestResult, EquityCurve
from htbot.domain.signals import Direction

WHOLE = slice(None)


def parsed(svg: str) -> ET.Element:
    root = ET.fromstring(svg)
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    for element in root.iter():
        for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", element.attrib.get("d", "")):
            assert -0.1 <= float(x) <= width + 0.1
            assert -0.1 <= float(y) <= height + 0.1
        if element.tag == "text":
            assert 0 <= float(element.attrib["x"]) <= width
            assert 0 <= float(element.attrib["y"]) <= height
    return root


def marks(root: ET.Element, look: str) -> int:
    return sum(path.attrib["d"].count("M") for path in root.iter("path") if path.attrib["class"] == look)


def test_the_equity_has_a_point_for_the_cash_and_each_session() -> None:
    root = parsed(charts.equity_chart(a_result(), measure(a_result()).drawdown))
    curve = next(path for path in root.iter("path") if path.attrib["class"] == "curve")
    assert curve.attrib["d"].count("L") == len(WEEK)
    assert "\N{MINUS SIGN}3.00 %" in [text.text for text in root.iter("text")]


def test_a_flat_curve_is_drawn_too() -> None:
    flat = a_result(curve=EquityCurve(WEEK[:1], (Decimal(10_000),), (400.0,)))
    parsed(charts.equity_chart(flat, Drawdown(Decimal(0), 0.0)))
    assert marks(parsed(charts.price_chart(replace(flat, trades=()), WHOLE)), "price one") == 1


def test_long_curves_are_thinned() -> None:
    days = tuple(date(2000, 1, 1) + timedelta(days=step) for step in range(6000))
    equity = tuple(Decimal(10_000 + step * 7 % 990) for step in range(6000))
    long = a_result(curve=EquityCurve(days, equity, tuple(map(float, equity))), trades=())
    svg = charts.equity_chart(long, None)
    assert len(svg) < 80_000
    parsed(svg)


def test_every_trade_has_its_entry_and_its_exit() -> None:
    root = parsed(charts.price_chart(a_result(), WHOLE))
    assert (marks(root, "entry win"), marks(root, "entry loss")) == (3, 3)
    assert (marks(root, "exit win"), marks(root, "exit loss")) == (3, 3)
    assert (marks(root, "held win"), marks(root, "held loss")) == (3, 3)


def test_up_is_long_and_down_is_short() -> None:
    longs = parsed(charts.price_chart(a_result(trades=TRADES[:1]), WHOLE))
    shorts = parsed(charts.price_chart(a_result(trades=(replace(TRADES[0], direction=Direction.BEAR),)), WHOLE))
    shapes = [next(p.attrib["d"] for p in root.iter("path") if p.attrib["class"] == "entry win")
              for root in (longs, shorts)]  # fmt: skip
    assert shapes[0].endswith("m0-4l3.5 7h-7z")
    assert shapes[1].endswith("m0 4l3.5-7h-7z")


def test_a_plain_trade_is_at_its_fills_and_a_spread_at_the_close() -> None:
    plain = parsed(charts.price_chart(a_result(trades=TRADES[:1]), WHOLE))
    spread = parsed(charts.price_chart(a_result(trades=(a_spread(1, at(8, 10), at(8, 11), "9", WEEK[1]),)), WHOLE))
    # fills at 100 and 110 pull the axis down to them; the spread stays on the line of closes
    assert any(text.text == "100" for text in plain.iter("text"))
    assert not any(text.text == "100" for text in spread.iter("text"))


def test_a_part_of_the_sessions_has_its_own_trades_only() -> None:
    root = parsed(charts.price_chart(a_result(), slice(4, None)))
    assert marks(root, "entry win") + marks(root, "entry loss") == 2


def test_a_crowd_of_trades_is_dots() -> None:
    crowd = tuple(a_trade(number, at(7, 10), at(7, 11), str(number)) for number in range(charts.MOST_DRAWN + 1))
    root = parsed(charts.price_chart(a_result(trades=crowd), WHOLE))
    assert marks(root, "many win") >= 1
    assert marks(root, "entry win") == 0


def test_prices_that_are_unknown_are_left_out() -> None:
    nan = math.nan
    some = a_result(curve=EquityCurve(WEEK, a_result().curve.equity, (nan, 416.0, nan, 425.0, 420.0)))
    assert "nan" not in charts.price_chart(some, WHOLE)
    spreads = (a_spread(1, at(7, 10), at(9, 11), "9", WEEK[4]),)
    assert "nan" not in charts.price_chart(replace(some, trades=spreads), WHOLE)
    none = replace(some, curve=EquityCurve(WEEK, a_result().curve.equity, (nan,) * 5))
    assert charts.price_chart(none, WHOLE) == ""


def test_columns_count_every_value_and_split_at_zero() -> None:
    root = parsed(charts.pnl_chart([Decimal(one) for one in (-202, -202, 100, 195, 300, 0)]))
    notes = [(box.attrib["class"], box[0].text) for box in root.iter("rect")]
    assert sum(int(note.rsplit(": ", 1)[1]) for _, note in notes if note) == 6
    assert {look for look, note in notes if note and note.startswith("-")} == {"column loss"}


def test_a_single_trade_is_one_column_beside_zero() -> None:
    root = parsed(charts.pnl_chart([Decimal(-202)]))
    column = next(box for box in root.iter("rect"))
    assert float(column.attrib["width"]) < 40
    assert "$0" in [text.text for text in root.iter("text")]


@pytest.mark.parametrize(
    ("seconds", "unit"), [((60, 3600), "minutes"), ((3600, 20_000), "hours"), ((3600, 900_000), "days")]
)
def test_durations_have_a_fitting_unit(seconds: tuple[float, ...], unit: str) -> None:
    root = parsed(charts.duration_chart(seconds))
    assert any(text.text == f"duration, {unit}" for text in root.iter("text"))


def test_nothing_to_draw_is_no_chart() -> None:
    empty = a_result(trades=(), curve=EquityCurve((), (), ()))
    assert charts.equity_chart(empty, None) == ""
    assert charts.price_chart(empty, WHOLE) == ""
    assert charts.pnl_chart([]) == charts.duration_chart([]) == charts.excursion_chart(()) == charts.day_chart([]) == ""


def test_excursions_show_winners_and_losers_by_shape() -> None:
    root = parsed(charts.excursion_chart(TRADES))
    assert (marks(root, "dot win"), marks(root, "cross loss")) == (3, 3)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "$0"), (-250, "-$250"), (2_500, "$2,500"), (125_000, "$125k"), (1_500_000, "$1.5M"), (-2e9, "-$2B")],
)
def test_amounts_on_axes_are_short(value: float, text: str) -> None:
    assert charts._dollars(value) == text


def test_long_runs_have_a_close_look() -> None:
    assert charts.close_look(a_result().curve) is None
    days = tuple(date(2022, 1, 1) + timedelta(days=step) for step in range(100))
    assert charts.close_look(EquityCurve(days, (), ())) == slice(60, None)


@settings(max_examples=30)
@given(drawn_results())
def test_whatever_the_result_the_charts_are_whole(result: BacktestResult) -> None:
    parsed(charts.equity_chart(result, measure(result).drawdown))
    parsed(charts.price_chart(result, WHOLE))
    for svg in (
        charts.pnl_chart([trade.net_pnl for trade in result.trades]),
        charts.duration_chart([trade.duration_s for trade in result.trades]),
        charts.excursion_chart(result.trades),
    ):
        assert svg == "" or len(parsed(svg)) > 0
