"""The strategies there are: one line each."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from htbot.domain.errors import NotFound
from htbot.strategies.base import Strategy
from htbot.strategies.config import StrategyConfig
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout


@dataclass(frozen=True, slots=True)
class Entry:
    """A strategy's class with the class of its configuration."""

    strategy: Any
    config: type[StrategyConfig]


STRATEGIES: dict[str, Entry] = {
    SpxBreakout.name: Entry(SpxBreakout, BreakoutConfig),
}


def create(name: str, values: Mapping[str, object] | None = None) -> Strategy[Any]:
    """A configured strategy by name.

    Raises:
        NotFound: no strategy has this name.
        ConfigurationError: a value has an unknown name or does not fit.
    """
    entry = STRATEGIES.get(name)
    if entry is None:
        near = difflib.get_close_matches(name, STRATEGIES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(STRATEGIES))}"
        raise NotFound(f"no strategy is called {name}: {hint}")
    strategy: Strategy[Any] = entry.strategy(entry.config.from_mapping(values or {}))
    return strategy
