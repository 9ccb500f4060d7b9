"""Limits of a backtest as a person gives them: names and texts become the numbers that its gate compares with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from htbot.domain.errors import ConfigurationError
from htbot.domain.suggestions import suggestion

Readers = Mapping[str, tuple[str, Callable[[Decimal], Any]]]
"""By the name that a person gives: the field that holds the limit, and what makes its value of the number."""


def read_limits(wanted: Mapping[str, object], readers: Readers) -> dict[str, Any]:
    """The limits that were given, by field.

    Raises:
        ConfigurationError: an unknown name, or a value that does not fit; one line.
    """
    limits: dict[str, Any] = {}
    for name, text in wanted.items():
        if name not in readers:
            raise ConfigurationError(f"unknown limit {name}: {suggestion(name, readers)}")
        field, read = readers[name]
        try:
            limits[field] = read(number_above_0(name, text))
        except ValueError as expected:
            raise ConfigurationError(f"limit {name}={text} is out of range: {expected}") from None
    return limits


def number_above_0(name: str, text: object) -> Decimal:
    """The number that a limit is given as.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        raise ConfigurationError(f"limit {name}={text} is no number") from None
    if not value.is_finite() or value <= 0:
        raise ConfigurationError(f"limit {name}={text} is out of range: a number above 0")
    return value


def whole(value: Decimal) -> int:
    """A number of things.

    Raises:
        ValueError: a part of one.
    """
    if value != int(value):
        raise ValueError("a whole number")
    return int(value)
