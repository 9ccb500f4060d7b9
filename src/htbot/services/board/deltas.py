"""States as plain JSON, and what has changed between two of them.

A state is one JSON object. A delta names its members that are new or changed, whole, and those that are gone. Members
are the grain: a symbol, an order, a position. A snapshot is the delta from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

State = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delta:
    """Members that are new or changed, and names of those that are gone."""

    set: State = field(default_factory=dict)
    gone: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.set or self.gone)

    def of(self, symbols: frozenset[str]) -> Delta:
        """What of it is about these symbols: a member's name is a symbol, or begins with one and a blank."""

        def meant(name: str) -> bool:
            return name in symbols or name.partition(" ")[0] in symbols

        kept = {name: value for name, value in self.set.items() if meant(name)}
        return Delta(kept, tuple(name for name in self.gone if meant(name)))


def difference(before: State, after: State) -> Delta:
    """What leads from one state to the other."""
    changed = {name: value for name, value in after.items() if name not in before or before[name] != value}
    return Delta(changed, tuple(sorted(before.keys() - after.keys())))


def encoded(value: object) -> bytes:
    """JSON as the REST answers have it: times ISO 8601 with Z, money as text, what is no number null."""
    return orjson.dumps(value, _as_text, orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def plain(value: object) -> Any:
    """The same as plain values of Python, as a client of the JSON has it."""
    return orjson.loads(encoded(value))


def _as_text(value: object) -> str:
    if isinstance(value, Decimal | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not told over JSON")
