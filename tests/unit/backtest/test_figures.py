"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from htbot.backtest import figures


@pytest.mark.parametrize(
    ("amount", "plain", "signed"),
    [
        (Decimal("1234.5"), "$1,234.50", "+$1,234.50"),
        (Decimal("-0.125"), "-$0.12", "-$0.12"),
        (Decimal("-0.001"), "$0.00", "$0.00"),
        (Decimal(0), "$0.00", "$0.00"),
        (None, "-", "-"),
    ],
)
def test_money(amount: Decimal | None, plain: str, signed: str) -> None:
    assert figures.money(amount) == plain
    assert figures.money(amount, sign=True) == signed


def test_shares_and_ratios() -> None:
    assert [figures.percent(value) for value in (0.12345, -0.5, -0.00001, 12.0)] == [
        *("12.35 %", "-50.00 %", "0.00 %", "1,200.00 %"),
    ]
    assert [figures.percent(value, sign=True, digits=1) for value in (0.1, -0.1, 0.0)] == [
        "+10.0 %",
        "-10.0 %",
        "0.0 %",
    ]
    assert [figures.ratio(value) for value in (1.005, -0.001, 1234.5)] == ["1.00", "0.00", "1,234.50"]
    assert (figures.percent(None), figures.ratio(None), figures.count(None), figures.day(None)) == ("-",) * 4
    assert (figures.count(12_345), figures.day(date(2022, 3, 7))) == ("12,345", "2022-03-07")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 min"), (2_100, "35 min"), (3_599, "1 h 00 min"), (7_500, "2 h 05 min"), (273_600, "3 d 4 h"), (None, "-")],
)
def test_durations_have_two_units(seconds: float | None, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [("439.595", "439.595"), ("438.38", "438.38"), ("4150", "4,150.00"), ("0.00005", "0.00")]
)
def test_prices_have_two_to_four_decimals(value: str, text: str) -> None:
    assert figures.price(Decimal(value)) == text
    assert figures.price(None) == "-"


def test_times_are_those_of_new_york() -> None:
    late = datetime(2022, 3, 8, 2, 30, tzinfo=UTC)
    assert figures.moment(late) == "2022-03-07 21:30"
    assert figures.local_day(late) == date(2022, 3, 7)
    assert (figures.wall(0.254), figures.wall(600)) == ("0.25 s", "10 min")
