"""Who plays on a day of parity: strategies with a symbol and an account each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import time
from pathlib import Path
from typing import Any

from htbot.adapters.replay import read_market_data
from htbot.bootstrap.research_several import settings_of
from htbot.bootstrap.strategy import STRATEGY_NAME
from htbot.domain.errors import ConfigurationError, NotFound
from htbot.domain.instruments import INDEX_EXCHANGES, UNDERLYINGS
from htbot.domain.suggestions import suggestion
from htbot.persistence.records import TRADE
from htbot.services.strategies import NewStrategy, as_json
from htbot.strategies.bar_strategy import BarConfig
from htbot.strategies.kinds import ON_OPTIONS
from htbot.strategies.registry import Entry, create_bar

SYNTHETIC_SYMBOLS = ("SPX", "SPY", "QQQ", "AAPL", "MSFT", "NVDA", "TSLA", "AMZN", "GOOG", "META")
"""What is handed out, in this order, where no data say what there is."""
EXIT_TIME = time(15, 40)
# No bar of the session has closed in the first minute, so that strategy 1 has nothing to break out of, and no chain is
# quoted for it.
QUIET: Mapping[str, str] = {"HTBOT_ENTRY_START": "09:30", "HTBOT_ENTRY_END": "09:31"}
MAIN = "DU0000001"
"""The account of strategy 1 on a day of several."""
# One login streams what all of them look at.
LINES = 1000


@dataclass(frozen=True, slots=True)
class Cast:
    """The strategies of a day. `own` is the symbol of strategy 1, which always runs and trades only when `breakout`."""

    own: str
    breakout: bool
    instances: tuple[NewStrategy, ...]

    @property
    def names(self) -> list[str]:
        """The names under which those that take part are recorded."""
        return [*([STRATEGY_NAME] if self.breakout else []), *(one.name for one in self.instances)]

    @property
    def settings(self) -> dict[str, str]:
        """What is set for this day, by variable."""
        return {**(_accounts(self.accounts) if self.accounts else {}), **({} if self.breakout else QUIET)}

    @property
    def accounts(self) -> list[str]:
        """The accounts of a day of several, the main one first; one alone trades the only one of its login."""
        others = [one.account for one in self.instances if one.account is not None]
        return [MAIN, *others] if others else []


@dataclass(frozen=True, slots=True)
class CastWanted:
    """Names of types, a symbol for each or for all (none: from the data), and settings of instances by name.

    `overnight`: what has no exit time is held over the close, as the days that are played have more than one session.
    """

    names: Sequence[str]
    symbols: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    overnight: bool = False


def cast_of(wanted: CastWanted, data: Sequence[Path], bar: str | None, catalogue: Mapping[str, Entry]) -> Cast:
    """Strategies by the names of their types, each with the symbol at its place, or one of its own from the data.

    What a setting must be to be traded, and was not given otherwise, is set: one dollar a point. So that one session
    sees its trades closed, an exit within it is set too.

    Raises:
        NotFound: no strategy has such a name.
        ConfigurationError: a setting that nobody has, or too few symbols.
    """
    names = wanted.names
    seated = [name for name in names if name != STRATEGY_NAME]
    for name in names:
        _require_run(name, catalogue)
    breakout = STRATEGY_NAME in names
    if wanted.settings and not seated:
        raise ConfigurationError(f"--set: {STRATEGY_NAME} is set by the HTBOT_ variables, as in the stack")
    chosen = _symbols(names, wanted.symbols, data, bar)
    own = chosen.get(STRATEGY_NAME) or _own(list(chosen.values()), data, bar)
    given = settings_of(seated, wanted.settings, catalogue) if seated else {}
    instances = [_seat((name, chosen[name]), given[name], catalogue, wanted.overnight) for name in seated]
    if len(names) > 1:
        instances = [replace(one, account=_account(number)) for number, one in enumerate(instances, 2)]
    return Cast(own, breakout, tuple(instances))


def _account(number: int) -> str:
    return f"{MAIN[:2]}{number:07d}"


def _accounts(names: Sequence[str]) -> dict[str, str]:
    """The variables that give a login these accounts, and have the desk trade them."""
    main, *others = names
    return {
        "PAPER_ACCOUNTS": ",".join(names),
        "IB_ACCOUNT": main,
        "IB_ACCOUNTS": ",".join(others),
        "PAPER_LINES": str(LINES),
    }


def every_name(catalogue: Mapping[str, Entry]) -> list[str]:
    """Strategy 1, then every other that the stack runs."""
    return [STRATEGY_NAME, *sorted(name for name in catalogue if name != STRATEGY_NAME)]


def _require_run(name: str, catalogue: Mapping[str, Entry]) -> None:
    if name not in catalogue:
        raise NotFound(f"no strategy is called {name}: {suggestion(name, sorted(catalogue))}")


def _seat(
    place: tuple[str, str], given: Mapping[str, str], catalogue: Mapping[str, Entry], overnight: bool
) -> NewStrategy:
    """An instance of a type on a symbol that trades.

    One on options needs another name than its type, whose name is for spreads by hand.
    """
    name, symbol = place
    if catalogue[name].plain:
        settings = _tradable(name, given, catalogue, overnight)
        return NewStrategy(name, name, symbol, settings, enabled=True, mode=TRADE)
    return NewStrategy(f"{name}.1", name, symbol, given, enabled=True, mode=TRADE)


def _symbols(names: Sequence[str], symbols: Sequence[str], data: Sequence[Path], bar: str | None) -> dict[str, str]:
    """A symbol for each name: one of its own as long as there are any, options before shares.

    What is left without goes where others are: options to the underlying of strategy 1, shares to any stock or fund.
    """
    if symbols and len(symbols) not in {1, len(names)}:
        raise ConfigurationError(f"--symbol {','.join(symbols)}: give one for each of {', '.join(names)}, or one")
    if symbols:
        found = {name: symbols[place % len(symbols)] for place, name in enumerate(names)}
        return _checked(found)
    there = _there(data, bar)
    found, free = {}, list(there)
    for name in sorted(ON_OPTIONS.intersection(names)):
        found[name] = next((symbol for symbol in UNDERLYINGS if symbol in free), found.get(STRATEGY_NAME, ""))
        free = [symbol for symbol in free if symbol != found[name]]
    traded = [symbol for symbol in there if symbol not in INDEX_EXCHANGES]
    free = [symbol for symbol in free if symbol in traded] or traded
    others = [name for name in names if name not in ON_OPTIONS]
    if others and not free:
        raise ConfigurationError(f"the data have no stock or fund for {others[0]}: {', '.join(there) or 'no symbol'}")
    found |= {name: free[place % len(free)] for place, name in enumerate(others)}
    return _checked(found)


def _checked(found: dict[str, str]) -> dict[str, str]:
    for name, symbol in found.items():
        if name in ON_OPTIONS and symbol not in UNDERLYINGS:
            raise ConfigurationError(f"--symbol {symbol or 'none'}: {name} trades {', '.join(UNDERLYINGS)}")
        if name not in ON_OPTIONS and symbol in INDEX_EXCHANGES:
            raise ConfigurationError(f"--symbol {symbol}: an index is not traded itself, give {name} a stock or fund")
    return found


def _own(chosen: Sequence[str], data: Sequence[Path], bar: str | None) -> str:
    """An underlying for strategy 1 where it does not take part: it is watched all the same."""
    there = [*chosen, *_there(data, bar)]
    found = next((symbol for symbol in there if symbol in UNDERLYINGS), None)
    if found is None:
        raise ConfigurationError(f"the stack watches one of {', '.join(UNDERLYINGS)}: add data of one of them")
    return found


def _there(data: Sequence[Path], bar: str | None) -> tuple[str, ...]:
    """The symbols that have bars or trades."""
    if not data:
        return SYNTHETIC_SYMBOLS
    read = read_market_data(data, bar)
    return tuple(sorted({*read.bars, *read.ticks}))


def _tradable(name: str, given: Mapping[str, str], catalogue: Mapping[str, Entry], overnight: bool) -> dict[str, Any]:
    """The settings with what trading asks for in place of defaults that cannot be traded."""
    config: BarConfig = create_bar(name, given, catalogue).config
    needed: dict[str, Any] = {}
    if config.exit_time is None and not overnight:
        needed["exit_time"] = as_json(EXIT_TIME)
    if config.point_value != 1:
        needed["point_value"] = 1
    return {**{key: value for key, value in needed.items() if key not in given}, **given}
