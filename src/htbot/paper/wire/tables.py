"""Field tables and the one encoder and decoder that read them.

A table is a tuple of items: a `Field`, a `Repeat` (a count, then that many groups) or a `When` (fields that are there
only for certain values of an earlier field). `since` and `until` are the first and the last protocol version that carry
a field; a difference between versions stands in its table and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from htbot.paper.wire.framing import frame
from htbot.paper.wire.values import TEXT, Reader, WireError, Writer, read, to_text, to_whole_text

LOWEST_VERSION = 157
HIGHEST_VERSION = 178
_FOREVER = 10_000

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: what it is called, how it is read, what is written when nobody says.

    Up to version `whole_until` its number is written without a fraction; `write` is set by the layout of a version.
    """

    name: str
    reader: Reader = TEXT
    since: int = 0
    until: int = _FOREVER
    default: object = None
    whole_until: int = 0
    write: Writer = to_text


@dataclass(frozen=True, slots=True)
class Repeat:
    """A count and that many groups; the value is a list of mappings."""

    name: str
    items: tuple[Item, ...]
    since: int = 0
    until: int = _FOREVER


@dataclass(frozen=True, slots=True)
class When:
    """Fields that follow only if `test` holds for what was read or is being written so far."""

    test: Callable[[Values], bool]
    items: tuple[Item, ...]
    since: int = 0
    until: int = _FOREVER


Item = Field | Repeat | When
_Run = tuple[tuple[str, object, Writer], ...]


@dataclass(frozen=True, slots=True)
class _PlannedRepeat:
    name: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class _PlannedWhen:
    test: Callable[[Values], bool]
    plan: Plan


Plan = tuple[_Run | _PlannedRepeat | _PlannedWhen, ...]
"""What the encoder does with a layout: runs of fields (name, default, writer), groups and conditions."""


def fields(*names: str, reader: Reader = TEXT, since: int = 0) -> tuple[Field, ...]:
    """Several fields of one type."""
    return tuple(Field(name, reader, since) for name in names)


@dataclass(frozen=True)
class Table:
    """The layout of one message after its id."""

    message_id: int
    name: str
    items: tuple[Item, ...]
    _layouts: dict[int, tuple[Item, ...]] = field(default_factory=dict, compare=False, repr=False)
    _plans: dict[int, Plan] = field(default_factory=dict, compare=False, repr=False)

    def layout(self, version: int) -> tuple[Item, ...]:
        """The items that a protocol version carries."""
        found = self._layouts.get(version)
        if found is None:
            found = self._layouts[version] = _select(self.items, version)
        return found

    def plan(self, version: int) -> Plan:
        """The layout as the encoder walks it."""
        found = self._plans.get(version)
        if found is None:
            found = self._plans[version] = _planned(self.layout(version))
        return found


def _select(items: Sequence[Item], version: int) -> tuple[Item, ...]:
    chosen: list[Item] = []
    for item in items:
        if not item.since <= version <= item.until:
            continue
        if isinstance(item, Repeat):
            chosen.append(Repeat(item.name, _select(item.items, version)))
        elif isinstance(item, When):
            chosen.append(When(item.test, _select(item.items, version)))
        elif version <= item.whole_until:
            chosen.append(replace(item, write=to_whole_text))
        else:
            chosen.append(item)
    return tuple(chosen)


def _planned(items: Sequence[Item]) -> Plan:
    """Fields that stand together as one run: messages are sent far more often than they are laid out."""
    plan: list[_Run | _PlannedRepeat | _PlannedWhen] = []
    run: list[tuple[str, object, Writer]] = []
    for item in items:
        if isinstance(item, Field):
            run.append((item.name, item.default, item.write))
            continue
        if run:
            plan.append(tuple(run))
            run = []
        inner = _planned(item.items)
        plan.append(_PlannedRepeat(item.name, inner) if isinstance(item, Repeat) else _PlannedWhen(item.test, inner))
    return (*plan, tuple(run)) if run else tuple(plan)


def encode(table: Table, values: Values, version: int) -> bytes:
    """A framed message in the layout of `version`; fields without a value are written as their default.

    A group of a repeated part is given by its values, or as `group_text` has written it.
    """
    parts = [str(table.message_id)]
    _write(table.plan(version), values, parts)
    parts.append("")
    return frame("\0".join(parts).encode("utf-8", errors="replace"))


def group_text(table: Table, name: str, values: Values, version: int) -> str:
    """One group of a repeated part of a message as it is written: long lists are written ahead, group by group."""
    found = next(step for step in table.plan(version) if isinstance(step, _PlannedRepeat) and step.name == name)
    parts: list[str] = []
    _write(found.plan, values, parts)
    return "\0".join(parts)


def _write(plan: Plan, values: Values, parts: list[str]) -> None:
    get = values.get
    for step in plan:
        if type(step) is tuple:
            parts += [write(get(name, default)) for name, default, write in step]
        elif isinstance(step, _PlannedRepeat):
            groups = get(step.name) or ()
            parts.append(str(len(groups)))
            for group in groups:
                if type(group) is str:
                    parts.append(group)
                else:
                    _write(step.plan, group, parts)
        elif isinstance(step, _PlannedWhen) and step.test(values):
            _write(step.plan, values, parts)


def decode(table: Table, texts: Sequence[str], version: int, into: dict[str, Any] | None = None) -> dict[str, Any]:
    """The values of a message whose fields after the id are `texts`; missing trailing fields read as empty.

    `into` holds what was read before an error, so that the answer can name its request.

    Raises:
        WireError: a field is not of its type, or a count is not plausible.
    """
    values: dict[str, Any] = {} if into is None else into
    _read(table.layout(version), iter(texts), values, len(texts))
    return values


def _read(items: Sequence[Item], texts: Iterator[str], values: dict[str, Any], limit: int) -> None:
    for item in items:
        if isinstance(item, Field):
            values[item.name] = read(item.name, item.reader, next(texts, ""))
        elif isinstance(item, Repeat):
            values[item.name] = _read_groups(item, texts, limit)
        elif item.test(values):
            _read(item.items, texts, values, limit)


def _read_groups(item: Repeat, texts: Iterator[str], limit: int) -> list[dict[str, Any]]:
    text = next(texts, "")
    if text and not text.isascii():
        raise WireError(f"{item.name}: {text[:40]!r} is no count")
    count = int(text) if text.isdigit() and len(text) < 6 else (0 if not text else -1)
    if not 0 <= count <= limit:
        raise WireError(f"{item.name}: {text[:40]!r} is no plausible count")
    groups = []
    for _ in range(count):
        group: dict[str, Any] = {}
        _read(item.items, texts, group, limit)
        groups.append(group)
    return groups
