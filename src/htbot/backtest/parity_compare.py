"""Two accounts of one day held against each other: where they part first, and what each side knew there.

Pure. Which two they are is the caller's business: parity compares the record of the real stack with a backtest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from htbot.backtest.day_rows import KINDS, DayRows, Row
from htbot.domain.sessions import Session

_HINTS: Mapping[tuple[str, str], str] = {
    ("evaluation", "indicators"): "the indicators began at another bar, or with other settings: compare history_from",
    ("bar", "known_at"): "the bar was told at another instant",
    ("evaluation", "why_not"): "the same measures led to another answer: compare spent levels, limits and halts",
    ("intent", "ts"): "it was sent at another instant: compare latency_s and the fills before it",
    ("intent", "limit"): "the legs were quoted otherwise at the decision",
    ("fill", "at"): "the order reached the exchange later, or its limit walked otherwise: compare latency_s",
    ("fill", "price"): "the legs were quoted otherwise, or the limit was another",
    ("fill", "commission"): "another price plan: compare plan",
}
_HINTS_BY_KIND: Mapping[str, str] = {
    "bar": "the two sides read other data: compare data and seed",
    "signal": "the decision differs, its evaluation did not: compare limits and the account",
    "intent": "the same signal led to another order",
    "fill": "compare the fill rules, latency_s and plan",
    "trade": "the same fills were summed up otherwise",
}


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference in time; a side that has nothing there is None.

    `of` is the strategy that it belongs to, or the symbol of a bar. `bar` and `looked` are the last bar of its symbol
    that had closed and its last look, as each side has them.
    """

    at: datetime
    kind: str
    key: str
    of: str
    differing: tuple[str, ...]
    stack: Mapping[str, Any] | None
    backtest: Mapping[str, Any] | None
    bar: Mapping[str, Mapping[str, Any] | None]
    looked: Mapping[str, Mapping[str, Any] | None]
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many rows of each kind were held against each other, how many differ of what, and where they part first.

    `differing` counts rows by strategy, or by the symbol of a bar; what is not in it is identical.
    """

    compared: Mapping[str, int]
    differing: Mapping[str, int]
    divergence: Divergence | None

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return self.divergence is None


def compare(stack: DayRows, backtest: DayRows, *sessions: Session) -> Comparison:
    """Hold two accounts of the same sessions against each other."""
    ours, theirs = _by_key(stack.rows(*sessions)), _by_key(backtest.rows(*sessions))
    keys = sorted({*ours, *theirs}, key=lambda key: _when(key, ours, theirs))
    apart = [key for key in keys if not _alike(ours.get(key), theirs.get(key))]
    counts = Counter(f"{kind}s" for kind, _key in keys)
    return Comparison(
        compared={f"{kind}s": counts[f"{kind}s"] for kind in KINDS},
        differing=Counter(_owner(key, ours, theirs) for key in apart),
        divergence=_divergence(apart[0], ours, theirs) if apart else None,
    )


_Key = tuple[str, str]
_Side = Mapping[_Key, Row]


def _by_key(rows: Iterable[Row]) -> dict[_Key, Row]:
    """Rows by kind and key; what a side tells twice is numbered, so that none of them is left out."""
    found: dict[_Key, Row] = {}
    seen: Counter[_Key] = Counter()
    for row in rows:
        key = (row.kind, row.key)
        seen[key] += 1
        found[key if seen[key] == 1 else (row.kind, f"{row.key} #{seen[key]}")] = row
    return found


def _when(key: _Key, ours: _Side, theirs: _Side) -> tuple[datetime, int, str]:
    times = [side[key].at for side in (ours, theirs) if key in side]
    return min(times), KINDS.index(key[0]), key[1]


def _owner(key: _Key, ours: _Side, theirs: _Side) -> str:
    """The strategy, or the symbol of a bar."""
    return next(side[key].of for side in (ours, theirs) if key in side)


def _alike(one: Row | None, other: Row | None) -> bool:
    return one is not None and other is not None and one.fields == other.fields


def _divergence(key: _Key, ours: _Side, theirs: _Side) -> Divergence:
    one, other = ours.get(key), theirs.get(key)
    at, of = _when(key, ours, theirs)[0], _owner(key, ours, theirs)
    differing: tuple[str, ...] = ()
    if one is not None and other is not None:
        differing = tuple(name for name in one.fields if one.fields[name] != other.fields.get(name))
    return Divergence(
        at=at,
        kind=key[0],
        key=key[1],
        of=of,
        differing=differing,
        stack=None if one is None else one.fields,
        backtest=None if other is None else other.fields,
        bar={"stack": _last_bar(ours, of, at), "backtest": _last_bar(theirs, of, at)},
        looked={"stack": _last_look(ours, of, at), "backtest": _last_look(theirs, of, at)},
        reason=_reason(key, one, other, differing),
    )


def _last_look(side: _Side, of: str, at: datetime) -> Mapping[str, Any] | None:
    """The last look of a strategy, or of any at a symbol."""
    return _last(
        row
        for row in side.values()
        if row.kind == "evaluation" and of in {row.of, row.fields["symbol"]} and row.at <= at
    )


def _last_bar(side: _Side, of: str, at: datetime) -> Mapping[str, Any] | None:
    """The last bar of a symbol, or of the one that a strategy looks at."""
    symbols = {of} | {row.fields["symbol"] for row in side.values() if row.kind == "evaluation" and row.of == of}
    return _last(row for row in side.values() if row.kind == "bar" and row.of in symbols and row.at <= at)


def _last(known: Iterable[Row]) -> Mapping[str, Any] | None:
    row = max(known, key=lambda one: one.at, default=None)
    return None if row is None else {"at": row.at, **row.fields}


def _reason(key: _Key, one: Row | None, other: Row | None, differing: Sequence[str]) -> str:
    kind, name = key
    if one is None or other is None:
        has, has_not = ("stack", "backtest") if other is None else ("backtest", "stack")
        return (
            f"the {has} has the {kind} {name}, the {has_not} does not: {_HINTS_BY_KIND.get(kind, 'compare the looks')}"
        )
    field = differing[0]
    hint = _HINTS.get((kind, field)) or _HINTS_BY_KIND.get(kind, "compare the looks before it")
    values = f"is {one.fields[field]} in the stack, {other.fields[field]} in the backtest"
    return f"{field} of the {kind} {name} {values}: {hint}"
