from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from htbot.paper.wire.times import parse_stamp, stamp
from htbot.paper.wire.values import (
    BOOL,
    INT,
    MAYBE_DECIMAL,
    MAYBE_INT,
    TAGS,
    UNSET_DOUBLE,
    Reader,
    WireError,
    read,
    to_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "1"),
        (False, "0"),
        (100.0, "100"),
        (0.05, "0.05"),
        (-1.0, "-1"),
        (Decimal("4.70"), "4.7"),
        (Decimal("1E+2"), "100"),
        (Decimal("-0.000001"), "-0.000001"),
        (float("inf"), "Infinite"),
        ("SPX", "SPX"),
        (7, "7"),
    ],
)
def test_texts(value: object, text: str) -> None:
    assert to_text(value) == text


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [
        (INT, "", 0),
        (INT, "100.0", 100),
        (MAYBE_INT, "2147483647", None),
        (MAYBE_INT, "3", 3),
        (MAYBE_DECIMAL, "", None),
        (MAYBE_DECIMAL, UNSET_DOUBLE, None),
        (MAYBE_DECIMAL, "1.7976931348623157e+308", None),
        (MAYBE_DECIMAL, "Infinite", None),
        (MAYBE_DECIMAL, "-4.70", Decimal("-4.70")),
        (BOOL, "1", True),
        (BOOL, "", False),
        (TAGS, "a=1;b=x=y;", {"a": "1", "b": "x=y"}),
    ],
)
def test_readers(reader: Reader, text: str, value: object) -> None:
    assert read("field", reader, text) == value


@pytest.mark.parametrize(
    ("reader", "text"),
    [(INT, "x"), (INT, "9" * 5000), (INT, "1.0e999999"), (INT, str(2**60)), (MAYBE_DECIMAL, "nan"),
     (MAYBE_DECIMAL, "1e-999999"), (MAYBE_DECIMAL, "1e40"), (MAYBE_DECIMAL, "four")],
)  # fmt: skip
def test_what_is_not_readable(reader: Reader, text: str) -> None:
    with pytest.raises(WireError, match="lmtPrice"):
        read("lmtPrice", reader, text)


AT = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "20240102 09:30:00 US/Eastern", "20240102 09:30:00", "20240102  09:30:00", "20240102-14:30:00",
        "20240102 09:30 EST", "20240102 08:30:00 America/Chicago", stamp(AT, 173), stamp(AT, 178),
    ],
)  # fmt: skip
def test_times_of_clients(text: str) -> None:
    assert parse_stamp(text) == AT


@pytest.mark.parametrize("text", ["2024", "20241399 09:30:00", "99991231 23:59:59", "20240102 09:30:00 ../etc"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(WireError):
        parse_stamp(text)
