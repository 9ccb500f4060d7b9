"""How a `Numeric` object lies in memory: its fields as a NumPy record, its lists in one arena of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, get_origin, get_type_hints

import numpy as np
import numpy.typing as npt

from htbot.domain.numeric import Numeric

Kinds = Mapping[tuple[type[Numeric], str], type[Numeric]]
"""What a field really holds where its annotation names a base class: {(BarLoop, "strategy"): PlainBreakout}."""

_NUMBERS: dict[type, str] = {int: "i8", float: "f8", bool: "?"}


def fields_of(kind: type[Numeric], kinds: Kinds) -> Mapping[str, Any]:
    """Name and type of each field of the dialect; others (a configuration) are not part of the compiled state."""
    key = (kind, tuple(kinds.items()))
    if key not in _known:
        _known[key] = _read_fields(kind, kinds)
    return _known[key]


_known: dict[tuple[Any, ...], Mapping[str, Any]] = {}


def _read_fields(kind: type[Numeric], kinds: Kinds) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        declared = next(((one, name) for one in kind.__mro__ if (one, name) in kinds), None)
        actual = hint if declared is None else kinds[declared]
        if isinstance(actual, type) and (actual in _NUMBERS or issubclass(actual, Numeric | IntEnum)):
            found[name] = actual
        elif get_origin(actual) is list and actual.__args__ == (float,):
            found[name] = list
    return found


def size_of(name: str) -> str:
    """The field that holds a list's length."""
    return f"{name}__size"


def record_type(kind: type[Numeric], kinds: Kinds) -> np.dtype[Any]:
    """The record of a class; a list becomes its place in the arena and its length."""
    columns: list[tuple[str, Any]] = []
    for name, field in fields_of(kind, kinds).items():
        if field is list:
            columns += [(name, "i8"), (size_of(name), "i8")]
        elif issubclass(field, Numeric):
            columns.append((name, record_type(field, kinds)))
        else:
            columns.append((name, _NUMBERS.get(field, "i8")))
    return np.dtype(columns, align=True)


def pack(thing: Numeric, record: np.void, arena: list[float], kinds: Kinds) -> None:
    """Copy an object's state into a record, its lists to the end of the arena."""
    for name, field in fields_of(type(thing), kinds).items():
        value = getattr(thing, name)
        if field is list:
            record[name], record[size_of(name)] = len(arena), len(value)
            arena.extend(value)
        elif issubclass(field, Numeric):
            pack(value, record[name], arena, kinds)
        else:
            record[name] = value


def unpack(record: np.void, thing: Numeric, arena: npt.NDArray[np.float64], kinds: Kinds) -> None:
    """Copy a record's state back into the object that it was packed from."""
    for name, field in fields_of(type(thing), kinds).items():
        if field is list:
            start, values = int(record[name]), getattr(thing, name)
            values[:] = arena[start : start + len(values)].tolist()
        elif issubclass(field, Numeric):
            unpack(record[name], getattr(thing, name), arena, kinds)
        else:
            setattr(thing, name, record[name].item())
