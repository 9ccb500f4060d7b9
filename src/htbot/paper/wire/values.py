"""Single values of the protocol: their text and back (TWS_PROTOCOL section 2, number and text rules)."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from htbot.domain.errors import CallerMistake

UNSET_DOUBLE = "1.7976931348623157E308"
UNSET_INTEGER = 2147483647
_INFINITY = "Infinite"
_UNSET_EXPONENT = 300
_MAX_EXPONENT = 18
_MAX_DIGITS = 40
_MAX_INTEGER = 2**53


class WireError(CallerMistake):
    """Bytes or fields that are not the TWS protocol."""


def _float_text(value: float) -> str:
    text = repr(value)
    if text.endswith(".0"):
        return text[:-2]
    return _INFINITY if math.isinf(value) else text


def _decimal_text(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


Writer = Callable[[Any], str]

_WRITERS: dict[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    float: _float_text,
    Decimal: _decimal_text,
    bool: lambda value: "1" if value else "0",
    type(None): lambda _value: "",
}


def to_text(value: object) -> str:
    """A value as the protocol writes it: None is empty, booleans are 1 and 0, whole numbers carry no fraction."""
    return _WRITERS.get(type(value), str)(value)


def to_escaped_text(value: object) -> str:
    """A text whose backslashes survive a reader that takes it as unicode-escaped."""
    return to_text(value).replace("\\", "\\\\")


def to_whole_text(value: float | Decimal | str | None) -> str:
    """A number, or its text, rounded to a whole one; None and no text are empty."""
    if value is None or value == "":
        return ""
    return str(round(Decimal(value) if isinstance(value, str) else value))


def _integer(text: str) -> int:
    """Empty is 0; a whole number written as a double (`100.0`) is taken."""
    if not text:
        return 0
    if len(text) > _MAX_DIGITS:
        raise ValueError(text[:_MAX_DIGITS])
    number = int(text) if "." not in text else int(_bounded(Decimal(text)))
    if not -_MAX_INTEGER <= number <= _MAX_INTEGER:
        raise ValueError(text)
    return number


def _bounded(number: Decimal) -> Decimal:
    """A number whose text is not longer than a message should be."""
    if not number.is_finite() or not -_MAX_EXPONENT <= number.adjusted() <= _MAX_EXPONENT:
        raise ValueError(str(number)[:_MAX_DIGITS])
    return number


def _optional_integer(text: str) -> int | None:
    if not text:
        return None
    number = _integer(text)
    return None if number == UNSET_INTEGER else number


def _optional_decimal(text: str) -> Decimal | None:
    if not text or text == _INFINITY:
        return None
    if text == UNSET_DOUBLE:
        return None
    number = Decimal(text)
    if number.is_finite() and number.adjusted() >= _UNSET_EXPONENT:
        return None
    return number if number == 0 else _bounded(number)


def _decimal(text: str) -> Decimal:
    return _optional_decimal(text) or Decimal(0)


def _float(text: str) -> float:
    return float(_decimal(text))


def _optional_float(text: str) -> float | None:
    number = _optional_decimal(text)
    return None if number is None else float(number)


def _boolean(text: str) -> bool:
    return text.lower() not in {"", "0", "false"}


def _tags(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(";") if "=" in pair)


Reader = Callable[[str], Any]

TEXT: Reader = str
INT: Reader = _integer
MAYBE_INT: Reader = _optional_integer
DECIMAL: Reader = _decimal
MAYBE_DECIMAL: Reader = _optional_decimal
FLOAT: Reader = _float
MAYBE_FLOAT: Reader = _optional_float
BOOL: Reader = _boolean
TAGS: Reader = _tags


def read(name: str, reader: Reader, text: str) -> Any:
    """One field's value.

    Raises:
        WireError: the text is not of the field's type.
    """
    try:
        return reader(text)
    except (ValueError, InvalidOperation, OverflowError) as error:
        raise WireError(f"{name}: {text[:40]!r} is not readable") from error
