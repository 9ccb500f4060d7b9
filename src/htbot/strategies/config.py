"""Configuration of strategies: frozen dataclasses whose fields know their ranges, and a hash of their values."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from datetime import time
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Self, cast, get_args, get_type_hints

from htbot.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Range:
    """The values a number may take, bounds included."""

    low: float
    high: float

    def complaint(self, value: Any) -> str | None:
        """What was expected, None when the value fits."""
        if math.isfinite(value) and self.low <= float(value) <= self.high:
            return None
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The values there are."""

    choices: tuple[object, ...]

    def complaint(self, value: Any) -> str | None:
        """What was expected, None when the value is one of them."""
        return None if value in self.choices else " or ".join(str(choice) for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a setting is, as people are told; `unit` is what its number counts, empty where the words say it all."""

    text: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What a strategy does, as people are told: in a sentence, then when it enters and when it leaves."""

    does: str
    enters: str = ""
    leaves: str = ""


@dataclass(frozen=True, kw_only=True)
class StrategyConfig:
    """Base of every strategy's configuration.

    Fields say what they may be, and what they are: `quantity: Annotated[int, Range(1, 100), Meaning("spreads of an
    entry", "spreads")] = 1`. A value that does not fit is a ConfigurationError that names field, value and range; None,
    where it is allowed, is not compared. A field that a subclass gives another default keeps its meaning.
    """

    def __post_init__(self) -> None:
        for name, kind in _kinds(cast(Any, type(self)), rules=True).items():
            value = getattr(self, name)
            for rule in _rules(kind):
                expected = None if value is None else rule.complaint(value)
                if expected is not None:
                    raise reject(name, value, expected)
        self.check()

    def check(self) -> None:
        """Rules that tie several fields together; a strategy overrides it and calls `reject`."""

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> Self:
        """The configuration from names and values; text is converted, as it comes from a command line.

        Raises:
            ConfigurationError: for an unknown name (with the nearest known one) or a value that does not fit.
        """
        kinds = _kinds(cast(Any, cls), rules=False)
        known = {declared.name for declared in fields(cls)}
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f": did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"
                raise ConfigurationError(f"unknown setting {name}{hint}")
        return cls(**{name: _convert(name, value, kinds[name]) for name, value in values.items()})

    @classmethod
    def schema(cls) -> list[dict[str, object]]:
        """Each setting as a JSON-ready dict: name, type, optional, default, low and high or choices if it has them.

        And `meaning` and `unit`, empty where the field has none. Defaults are spelled as `from_mapping` takes them;
        times, and numbers that are money, are text.
        """
        kinds = _kinds(cast(Any, cls), rules=True)
        return [_described(declared, kinds[declared.name]) | _meant(cls, declared.name) for declared in fields(cls)]

    def as_fields(self) -> dict[str, object]:
        """The values in force, defaults resolved."""
        return {declared.name: getattr(self, declared.name) for declared in fields(self)}

    def hashed_fields(self) -> dict[str, object]:
        """What the hash is made of: settings that came later are in it only where they are used."""
        return self.as_fields()


def reject(name: str, value: object, expected: str) -> ConfigurationError:
    """The error for a value that does not fit."""
    return ConfigurationError(f"{name}={_text(value)} is out of range: {expected}")


def config_hash(strategy: str, config: StrategyConfig) -> str:
    """First 12 hex digits of the SHA-256 of the strategy's name and the values in force, as canonical JSON."""
    document = {"strategy": strategy, **{name: _text(value) for name, value in config.hashed_fields().items()}}
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _text(value: object) -> str:
    """One spelling per value: 45 and 45.0 are the same number, and so are Decimal 400 and 400.00."""
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, Decimal) and value.is_finite():
        return format(value.normalize(), "f")
    if isinstance(value, time):
        return value.isoformat()
    return str(value)


@cache
def _kinds(config: type[Any], *, rules: bool) -> dict[str, Any]:
    """The types of a configuration's fields, with or without their rules; a search asks for them thousands of times."""
    return get_type_hints(config, include_extras=rules)


def _rules(kind: Any) -> list[Range | OneOf]:
    return [extra for extra in getattr(kind, "__metadata__", ()) if isinstance(extra, Range | OneOf)]


def _meant(config: type[StrategyConfig], name: str) -> dict[str, object]:
    """What a field means, by the class itself or by the one that it has the field from."""
    above = [kind for kind in config.__mro__ if issubclass(kind, StrategyConfig)]
    extras = (getattr(_kinds(cast(Any, kind), rules=True).get(name), "__metadata__", ()) for kind in above)
    found = next((one for extra in extras for one in extra if isinstance(one, Meaning)), Meaning(""))
    return {"meaning": found.text, "unit": found.unit}


def _described(declared: Field[Any], kind: Any) -> dict[str, object]:
    plain = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    kinds = get_args(plain) or (plain,)
    wanted = next(one for one in kinds if one is not type(None))
    default = declared.default
    told: dict[str, object] = {
        "name": declared.name,
        "type": _TYPES.get(wanted, "text"),
        "optional": type(None) in kinds,
        "default": default if default is None or isinstance(default, bool | int | float) else _text(default),
    }
    for rule in _rules(kind):
        told |= {"low": rule.low, "high": rule.high} if isinstance(rule, Range) else {"choices": list(rule.choices)}
    return told


def _convert(name: str, value: object, kind: Any) -> object:
    kinds = get_args(kind) or (kind,)
    if value is None or value == "":
        if type(None) in kinds:
            return None
        raise reject(name, value, "a value is needed")
    wanted = next(one for one in kinds if one is not type(None))
    if wanted is bool:
        if str(value).lower() not in _FLAGS:
            raise reject(name, value, "true or false")
        return _FLAGS[str(value).lower()]
    if isinstance(value, wanted) and not isinstance(value, bool):
        return value
    try:
        return time.fromisoformat(str(value)) if wanted is time else wanted(str(value))
    except (ValueError, InvalidOperation):
        raise reject(name, value, f"it must be {_ARTICLES.get(wanted, wanted.__name__)}") from None


_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", Decimal: "decimal", time: "time"}
_ARTICLES: dict[type, str] = {int: "a whole number", float: "a number", Decimal: "a number", time: "a time as HH:MM"}
