"""The gate: each rule with its limit and what it looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from htbot.dashboard.parts.markup import Column, Row, badge, empty, table
from htbot.dashboard.parts.numbers import UNKNOWN, words

_COLUMNS = (
    Column("Rule"),
    Column("Outcome"),
    Column("Limit", text=True),
    Column("Value", text=True),
    Column("Why", wide=True),
)


def gate(outcomes: Iterable[Mapping[str, Any]]) -> Markup:
    """The rules in the order in which they were asked; the first that refuses is the last."""
    return table("Rules of the gate", _COLUMNS, [Row(rule(one)) for one in outcomes], empty("No rule was asked."))


def rule(outcome: Mapping[str, Any]) -> tuple[object, ...]:
    """Name, outcome, limit, value, reason."""
    passed = bool(outcome.get("passed"))
    return (
        words(str(outcome.get("rule", ""))),
        badge("✓ passed", "good") if passed else badge("✗ refused", "bad"),
        outcome.get("limit") or UNKNOWN,
        outcome.get("value") or UNKNOWN,
        outcome.get("reason") or "",
    )
