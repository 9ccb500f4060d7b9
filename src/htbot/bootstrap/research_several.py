"""Several strategies or symbols in one backtest: names and settings become seats that share an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from htbot.backtest.several import Seat
from htbot.backtest.tape import Tape
from htbot.domain.errors import ConfigurationError, NotFound
from htbot.domain.suggestions import suggestion
from htbot.strategies.registry import Entry, create_bar

SEPARATOR = ","


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: each strategy on each symbol."""

    strategies: tuple[str, ...]
    symbols: tuple[str, ...]

    @property
    def several(self) -> bool:
        """True when it takes more than one seat."""
        return len(self.strategies) * len(self.symbols) > 1


def cast_of(strategies: str, symbols: str) -> Cast:
    """Names joined by commas.

    Raises:
        ConfigurationError: a name is missing or given twice.
    """
    return Cast(names_of("strategies", strategies), names_of("--symbol", symbols))


def seats_of(
    cast: Cast, tapes: Mapping[str, Tape], settings: Mapping[str, str], catalogue: Mapping[str, Entry]
) -> list[Seat]:
    """A seat for each strategy on each symbol, in the order of their names; each has a strategy object of its own.

    A setting `name=value` is for every strategy that has it, `strategy.name=value` for that one.

    Raises:
        NotFound: no strategy has such a name.
        ConfigurationError: a strategy on options, or a setting that does not fit.
    """
    own = settings_of(cast.strategies, settings, catalogue)
    for name in cast.strategies:
        if not catalogue[name].plain:
            raise ConfigurationError(f"{name} trades options and is backtested alone: leave out the others")
    return [
        Seat(create_bar(name, own[name], catalogue), tapes[symbol])
        for name in cast.strategies
        for symbol in cast.symbols
    ]


def settings_of(
    names: Sequence[str], settings: Mapping[str, str], catalogue: Mapping[str, Entry]
) -> dict[str, dict[str, str]]:
    """The settings of each strategy: `name=value` is for every one that has it, `strategy.name=value` for that one.

    Raises:
        NotFound: no strategy has such a name.
        ConfigurationError: a setting that nobody has.
    """
    own = {name: _settings(name, names, settings, catalogue) for name in names}
    _require_used(names, settings, own)
    return own


def names_of(what: str, text: str, *, repeated: bool = False) -> tuple[str, ...]:
    """The names of a list; one may be there twice only when it may be `repeated`.

    Raises:
        ConfigurationError: a name is missing or given twice.
    """
    names = tuple(name.strip() for name in text.split(SEPARATOR))
    if "" in names:
        raise ConfigurationError(f"{what} {text}: a name is missing; write them as A{SEPARATOR}B")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None and not repeated:
        raise ConfigurationError(f"{what} {text}: {twice} is named twice")
    return names


def _settings(
    name: str, all_names: Sequence[str], settings: Mapping[str, str], catalogue: Mapping[str, Entry]
) -> dict[str, str]:
    """The settings that one strategy is given; its own count before those for all."""
    entry = catalogue.get(name)
    if entry is None:
        raise NotFound(f"no strategy is called {name}: {suggestion(name, sorted(catalogue))}")
    known = {str(field["name"]) for field in entry.config.schema()}
    shared = {key: value for key, value in settings.items() if key in known}
    own = {}
    for key, value in settings.items():
        whose, dot, field = key.partition(".")
        if dot and whose == name:
            own[field] = value
        elif dot and whose not in all_names:
            raise ConfigurationError(f"--set {key}={value}: {whose} does not take part; {suggestion(whose, all_names)}")
    return shared | own


def _require_used(names: Sequence[str], settings: Mapping[str, str], own: Mapping[str, Mapping[str, str]]) -> None:
    """A setting that nobody has is a mistake, as it is for one strategy."""
    for key, value in settings.items():
        if "." not in key and not any(key in given for given in own.values()):
            raise ConfigurationError(f"--set {key}={value}: none of {', '.join(names)} has such a setting")
