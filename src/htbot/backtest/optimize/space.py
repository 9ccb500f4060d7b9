"""Where settings are searched: lists of values for a grid, ranges for a sampler. Read and checked before any trial.

`fields` are the strategy's settings as its configuration describes them (`StrategyConfig.schema`), by name.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Any

from htbot.backtest.optimize.trial import Settings
from htbot.domain.errors import ConfigurationError
from htbot.domain.suggestions import suggestion

Field = Mapping[str, Any]
Fields = Mapping[str, Field]

COMBINATIONS = 100_000
"""More of them are a mistake in the grid."""

_FLAGS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
_WORDS = {"integer": "a whole number", "boolean": "true or false", "time": "a time as HH:MM"}
_NUMBERS = ("integer", "number", "decimal")


@dataclass(frozen=True, slots=True)
class Axis:
    """A setting and its values, in the order they are tried."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A setting and the range that a sampler draws from; with `choices`, those instead."""

    name: str
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)
    step: Decimal | None = None
    log: bool = False
    whole: bool = False
    choices: tuple[str, ...] = ()


def read_axis(text: str, fields: Fields) -> Axis:
    """`name=5,10,20` or `name=5:50:5`, both ends included; `none` is no value.

    Raises:
        ConfigurationError: an unknown setting, or a value that it does not take; the text has its range.
    """
    name, told = _named("--grid", text, fields)
    field = fields[name]
    if ":" in told and field["type"] in _NUMBERS:
        parts = [_decimal("--grid", text, part) for part in told.split(":")]
        if len(parts) != 3 or parts[2] <= 0 or parts[0] > parts[1]:
            raise ConfigurationError(f"--grid {text}: write name=low:high:step with a step above 0")
        low, high, step = parts
        count = int((high - low) / step) + 1
        if count > COMBINATIONS:
            raise ConfigurationError(f"--grid {text}: {count} values are more than {COMBINATIONS}")
        values = [str(low + index * step) for index in range(count)]
    else:
        values = told.split(",")
    return Axis(name, tuple(dict.fromkeys(_value(name, value, field) for value in values)))


def read_span(text: str, fields: Fields) -> Span:
    """`name=low:high`, `name=low:high:step`, `name=low:high:log`, or `name=a,b` to choose from.

    Raises:
        ConfigurationError: an unknown setting, or a value that it does not take; the text has its range.
    """
    name, told = _named("--search", text, fields)
    field = fields[name]
    if ":" not in told or field["type"] not in _NUMBERS:
        values = tuple(dict.fromkeys(_value(name, value, field) for value in told.split(",")))
        if len(values) < 2:
            raise ConfigurationError(f"--search {text}: write name=low:high, or name=a,b to choose from")
        return Span(name, choices=values)
    low_text, high_text, *more = told.split(":")
    log = more == ["log"]
    step = None if not more or log else _decimal("--search", text, more[0])
    low, high = (Decimal(_value(name, end, field) or "Infinity") for end in (low_text, high_text))
    if len(more) > 1 or not low < high < Decimal("Infinity") or (step is not None and step <= 0) or (log and low <= 0):
        raise ConfigurationError(
            f"--search {text}: write name=low:high with low below high, then :step above 0, or :log with low above 0"
        )
    if field["type"] == "integer" and step is not None and step != int(step):
        raise ConfigurationError(f"--search {text}: {name} is a whole number, and so is its step")
    return Span(name, low, high, step, log=log, whole=field["type"] == "integer")


def unique(names: Sequence[str], fixed: Sequence[str]) -> None:
    """No setting is searched twice, or searched and set.

    Raises:
        ConfigurationError: one is.
    """
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{name} is searched twice")
        if name in fixed:
            raise ConfigurationError(f"{name} is searched and set: drop --set {name}")


def combinations(axes: Sequence[Axis]) -> list[Settings]:
    """Every combination; the last axis changes fastest.

    Raises:
        ConfigurationError: too many.
    """
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > COMBINATIONS:
        raise ConfigurationError(
            f"{count} combinations are more than {COMBINATIONS}; --search with --trials samples them"
        )
    names = [axis.name for axis in axes]
    return [tuple(zip(names, values, strict=True)) for values in itertools.product(*(axis.values for axis in axes))]


def _named(option: str, text: str, fields: Fields) -> tuple[str, str]:
    name, equals, told = (part.strip() for part in text.partition("="))
    if not equals or not name or not told:
        raise ConfigurationError(f"{option} {text}: write name=values")
    if name not in fields:
        raise ConfigurationError(f"unknown setting {name}: {suggestion(name, sorted(fields))}")
    return name, told


def _decimal(option: str, text: str, part: str) -> Decimal:
    try:
        value = Decimal(part.strip())
    except InvalidOperation:
        raise ConfigurationError(f"{option} {text}: {part} is no number") from None
    if not value.is_finite():
        raise ConfigurationError(f"{option} {text}: {part} is no number")
    return value


def _value(name: str, text: str, field: Field) -> str:
    """One spelling per value, so that 5 and 5.0 are the same trial; no value is the empty text."""
    told, kind = text.strip(), field["type"]
    if told.lower() == "none":
        if not field["optional"]:
            raise ConfigurationError(f"{name}=none is out of range: a value is needed")
        return ""
    try:
        value = _spelled(told, kind)
    except (ValueError, KeyError, InvalidOperation):
        raise ConfigurationError(
            f"{name}={told} is out of range: it must be {_WORDS.get(kind, 'a number')}{_range(field)}"
        ) from None
    if "low" in field and not float(field["low"]) <= float(value) <= float(field["high"]):
        raise ConfigurationError(f"{name}={told} is out of range:{_range(field).removeprefix(',')}")
    if "choices" in field and value not in [str(choice) for choice in field["choices"]]:
        raise ConfigurationError(f"{name}={told} is out of range: {' or '.join(map(str, field['choices']))}")
    return value


def _spelled(told: str, kind: str) -> str:
    if kind == "boolean":
        return _FLAGS[told.lower()]
    if kind == "time":
        return time.fromisoformat(told).isoformat("minutes")
    if kind not in _NUMBERS:
        return told
    number = Decimal(told)
    if not number.is_finite() or (kind == "integer" and number != int(number)):
        raise ValueError(told)
    return format(number.quantize(Decimal(1)) if number == int(number) else number.normalize(), "f")


def _range(field: Field) -> str:
    return f", {field['low']:g} to {field['high']:g}" if "low" in field else ""
