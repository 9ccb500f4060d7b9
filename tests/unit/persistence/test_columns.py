from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from htbot.domain.trades import plain_money
from htbot.persistence.columns import Money, UtcDateTime

DIALECT = postgresql.dialect()


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("1.200000", "1.20"),
        ("-4.250000", "-4.25"),
        ("400.000000", "400.00"),
        ("0.000000", "0.00"),
        ("0.062500", "0.0625"),
        ("12345.678901", "12345.678901"),
    ],
)
def test_amounts_are_shown_with_cents_and_what_lies_behind_them(stored: str, shown: str) -> None:
    assert str(Money().process_result_value(Decimal(stored), DIALECT)) == shown


@given(st.decimals(min_value=-(10**11), max_value=10**11, places=6))
def test_plain_money_never_changes_an_amount(amount: Decimal) -> None:
    shown = plain_money(amount)
    assert shown == amount
    assert "E" not in str(shown)


def test_amounts_are_rounded_to_the_sixth_decimal() -> None:
    assert Money().process_bind_param(Decimal(10) / 3, DIALECT) == Decimal("3.333333")
    assert Money().process_bind_param(7, DIALECT) == Decimal(7)
    assert Money().process_bind_param(None, DIALECT) is None


@pytest.mark.parametrize("wrong", [1.1, float("nan"), Decimal("NaN"), Decimal("Infinity")])
def test_a_float_or_nothing_finite_is_no_money(wrong: object) -> None:
    with pytest.raises(ValueError, match="finite Decimal"):
        Money().process_bind_param(wrong, DIALECT)  # type: ignore[arg-type]


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware UTC"):
        UtcDateTime().process_bind_param(datetime(2022, 8, 26, 12, 0), DIALECT)  # noqa: DTZ001


def test_times_come_back_as_utc() -> None:
    noon = datetime(2022, 8, 26, 12, 0, tzinfo=ZoneInfo("America/New_York"))
    read = UtcDateTime().process_result_value(noon, DIALECT)
    assert read == noon
    assert read is not None
    assert read.tzinfo is UTC
