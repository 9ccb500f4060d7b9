"""Types of strategies as people are told of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from htbot.services.option_instances import SYMBOL
from htbot.strategies.registry import Entry, schema


def types_in(catalogue: Mapping[str, Entry], name: str | None = None) -> list[dict[str, object]]:
    """The types that instances can be made of, or the one that is named, with their settings.

    Raises:
        NotFound: no strategy has this name.
    """
    names = sorted(catalogue) if name is None else [name]
    return [type_described(one, catalogue) for one in names]


def type_described(name: str, catalogue: Mapping[str, Entry]) -> dict[str, object]:
    """A type as people are told, without its symbol: that stands beside its settings, whatever its type.

    Raises:
        NotFound: no strategy has this name.
    """
    told: dict[str, Any] = schema(name, catalogue)
    return {**told, "settings": [one for one in told["settings"] if one["name"] != SYMBOL]}
