"""Why a day has no trade: its looks and its signals, counted by what kept each from becoming one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from htbot.backtest.day_rows import DayRows
from htbot.domain.reasons import kind_of

MOST = 5
"""So many reasons are told, the commonest first."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What a strategy was kept back by how often; of those that differ in numbers only, `text` is the last one."""

    strategy: str
    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Untraded:
    """`accepted` entries have ended without a fill; `refused` signals and `looks` without a signal say why."""

    signals: int
    accepted: int
    refused: tuple[Reason, ...]
    looks: tuple[Reason, ...]


def untraded(rows: DayRows) -> Untraded | None:
    """Why nothing was traded on a day; None when something was."""
    if rows.fills:
        return None
    entries = [(signal, refused_by) for signal, refused_by in rows.signals if signal.action == "enter"]
    refused = [(signal.strategy, told) for signal, told in entries if told is not None]
    quiet = [(one.strategy, one.why_not) for one in rows.evaluations if one.why_not is not None]
    return Untraded(len(entries), len(entries) - len(refused), _counted(refused), _counted(quiet))


def _counted(told: Iterable[tuple[str, str]]) -> tuple[Reason, ...]:
    found: dict[tuple[str, str], Reason] = {}
    for strategy, text in told:
        kind = (strategy, kind_of(text))
        before = found.get(kind)
        found[kind] = Reason(strategy, text, 1 if before is None else before.count + 1)
    return tuple(sorted(found.values(), key=lambda one: -one.count)[:MOST])
