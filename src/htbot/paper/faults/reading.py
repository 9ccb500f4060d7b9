"""From names and texts to a fault, or to the one line that says what is wrong with them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields
from typing import Any, cast

from htbot.domain.errors import CallerMistake
from htbot.paper.faults.kinds import KINDS, Fault
from htbot.paper.faults.values import Reader, shown


def read_fault(name: str, given: Mapping[str, str]) -> Fault:
    """The fault that is described.

    Raises:
        CallerMistake: an unknown fault or field, or a value that the field does not take.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise CallerMistake(f"unknown fault '{_short(name)}'{_nearest(name, KINDS)}: {', '.join(KINDS)}")
    known = {field.name: field for field in fields(kind)}
    values = {}
    for key, text in given.items():
        if key not in known:
            hint = _nearest(key, known)
            raise CallerMistake(f"{name} has no field '{_short(key)}'{hint}: {', '.join(known)}")
        reader = reader_of(known[key])
        try:
            values[key] = reader.read(text)
        except (ValueError, KeyError):
            raise CallerMistake(f"{name}: {key}={_short(text)} is not {reader.allowed}") from None
    try:
        return kind(**values)
    except ValueError as error:
        raise CallerMistake(f"{name}: {error}") from None


def words_to_fields(words: Iterable[str]) -> dict[str, str]:
    """`symbol=SPY above=100` as a mapping.

    Raises:
        CallerMistake: a word without `=`, or a field twice.
    """
    found: dict[str, str] = {}
    for word in words:
        key, sign, text = word.partition("=")
        if not sign:
            raise CallerMistake(f"'{_short(word)}' is not FIELD=VALUE, such as symbol=SPY")
        if key in found:
            raise CallerMistake(f"field '{_short(key)}' is given twice: keep one")
        found[key] = text
    return found


def fields_of(fault: Fault) -> dict[str, str]:
    """What a fault says beyond the defaults of its kind, as `read_fault` takes it back."""
    values = [(field.name, getattr(fault, field.name), field.default) for field in fields(fault)]
    return {name: shown(value) for name, value, default in values if value != default}


def reader_of(field: Field[Any]) -> Reader:
    """How a field is read."""
    return cast("Reader", field.metadata["reader"])


def _nearest(word: str, known: Iterable[str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _short(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else "·" for letter in text)
    return plain if len(plain) <= 40 else f"{plain[:40]}…"
