"""The strategies there are: one line each, and those in folders, which are found by looking."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from htbot.domain.errors import CallerMistake, ConfigurationError, NotFound
from htbot.domain.suggestions import suggestion
from htbot.strategies.bar_strategy import BarConfig, BarStrategy
from htbot.strategies.base import Strategy
from htbot.strategies.config import About, StrategyConfig
from htbot.strategies.level_based import LevelBased, LevelBasedConfig
from htbot.strategies.ma_crossover import MaCrossover, MaCrossoverConfig
from htbot.strategies.momentum import Momentum, MomentumConfig
from htbot.strategies.range_bound import RangeBound, RangeBoundConfig
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout
from htbot.strategies.strangle_momentum import StrangleConfig, StrangleMomentum
from htbot.strategies.vertical_spread import VerticalSpread, VerticalSpreadConfig


@dataclass(frozen=True, slots=True)
class Entry:
    """A strategy's class with the class of its configuration; `file` where it was found, unset for the built-in."""

    strategy: Any
    config: type[StrategyConfig]
    file: Path | None = None

    @property
    def plain(self) -> bool:
        """True for a strategy on plain instruments, False for one on options."""
        return issubclass(self.strategy, BarStrategy)

    @property
    def about(self) -> About:
        """What it says to people; of a file that says nothing the first line."""
        text = sys.modules[self.strategy.__module__].__doc__ or inspect.getdoc(self.strategy) or ""
        about: About | None = self.strategy.about
        return about or About(text.strip().partition("\n")[0].removesuffix("."))


STRATEGIES: dict[str, Entry] = {
    SpxBreakout.name: Entry(SpxBreakout, BreakoutConfig),
    StrangleMomentum.name: Entry(StrangleMomentum, StrangleConfig),
    VerticalSpread.name: Entry(VerticalSpread, VerticalSpreadConfig),
    MaCrossover.name: Entry(MaCrossover, MaCrossoverConfig),
    RangeBound.name: Entry(RangeBound, RangeBoundConfig),
    Momentum.name: Entry(Momentum, MomentumConfig),
    LevelBased.name: Entry(LevelBased, LevelBasedConfig),
}


def create(name: str, values: Mapping[str, object] | None = None, *, instance: str | None = None) -> Strategy[Any]:
    """A configured strategy on options by name; `instance` is the name that it is recorded under instead of its own.

    Raises:
        NotFound: no strategy has this name.
        CallerMistake: the strategy trades plain instruments.
        ConfigurationError: a value has an unknown name or does not fit.
    """
    entry = _entry(name, STRATEGIES)
    if entry.plain:
        raise CallerMistake(f"{name} trades plain instruments, not options: htbot backtest {name}")
    strategy: Strategy[Any] = entry.strategy(entry.config.from_mapping(values or {}), instance)
    return strategy


def create_bar(
    name: str, values: Mapping[str, object] | None = None, catalogue: Mapping[str, Entry] = STRATEGIES
) -> BarStrategy:
    """A configured strategy on plain instruments by name; each call makes an instance of its own.

    Raises:
        NotFound: no strategy has this name.
        CallerMistake: the strategy trades options.
        ConfigurationError: a value has an unknown name or does not fit.
    """
    entry = _entry(name, catalogue)
    if not entry.plain:
        raise CallerMistake(f"{name} trades options, not plain instruments")
    strategy: BarStrategy = entry.strategy(entry.config.from_mapping(values or {}))
    return strategy


def schema(name: str, catalogue: Mapping[str, Entry] = STRATEGIES) -> dict[str, object]:
    """What a strategy is and takes, as a JSON-ready dict.

    Raises:
        NotFound: no strategy has this name.
    """
    entry = _entry(name, catalogue)
    about = entry.about
    return {
        "name": name,
        "instruments": "plain" if entry.plain else "options",
        "description": about.does,
        "enters": about.enters,
        "leaves": about.leaves,
        "settings_description": inspect.getdoc(entry.config) or "",
        "settings": entry.config.schema(),
    }


def discover(folders: Iterable[Path], known: Mapping[str, Entry] = STRATEGIES) -> dict[str, Entry]:
    """The known strategies and those in the .py files of some folders, files that begin with _ or test_ left out.

    Raises:
        ConfigurationError: a folder is missing, a file cannot be imported or holds no strategy, a name is taken; the
            text names the file.
    """
    found = dict(known)
    for path in dict.fromkeys(path.resolve() for folder in folders for path in _files(folder)):
        for strategy in strategies_in(path):
            other = found.get(strategy.name)
            if other is not None:
                where = f"is also in {other.file}" if other.file else "is built in"
                raise ConfigurationError(f"{path}: the name {strategy.name} {where}; give one of them another")
            found[strategy.name] = Entry(strategy, strategy.Config, path)
    return found


def strategies_in(path: Path) -> list[type[BarStrategy]]:
    """The strategies that a Python file holds.

    Raises:
        ConfigurationError: the file cannot be imported or holds none; the text names it.
    """
    module = _module(path)
    own = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    strategies = [kind for kind in own if issubclass(kind, BarStrategy) and not kind.__name__.startswith("_")]
    for kind in strategies:
        if not isinstance(getattr(kind, "name", None), str):
            raise ConfigurationError(f'{path}: {kind.__name__} has no name; add name = "..."')
        if not isinstance(config := getattr(kind, "Config", None), type) or not issubclass(config, BarConfig):
            raise ConfigurationError(f"{path}: {kind.__name__} has no Config, a subclass of BarConfig")
        if kind.inputs is BarStrategy.inputs:
            raise ConfigurationError(f"{path}: {kind.__name__} has no inputs; say which bars it decides on")
    if not strategies:
        raise ConfigurationError(f"{path}: holds no strategy (a subclass of BarStrategy); files that begin with _ may")
    return strategies


def _entry(name: str, catalogue: Mapping[str, Entry]) -> Entry:
    entry = catalogue.get(name)
    if entry is None:
        raise NotFound(f"no strategy is called {name}: {suggestion(name, sorted(catalogue))}")
    return entry


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: no such folder of strategies")
    return [path for path in sorted(folder.glob("*.py")) if not path.name.startswith(("_", "test_"))]


def _module(path: Path) -> ModuleType:
    """The file as a module; the name holds a hash of place and text, so that a changed file is another module."""
    try:
        digest = hashlib.sha256(f"{path}\n".encode() + path.read_bytes()).hexdigest()[:12]
        name = f"htbot_strategy_{path.stem}_{digest}"
        if name in sys.modules:
            return sys.modules[name]
        loader = SourceFileLoader(name, str(path))
        module = importlib.util.module_from_spec(ModuleSpec(name, loader, origin=str(path)))
        module.__file__ = str(path)
        sys.modules[name] = module  # annotations are resolved through it
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    except (Exception, SystemExit) as error:
        why = " ".join(str(error).split())
        raise ConfigurationError(f"{path}: cannot be imported: {type(error).__name__}: {why}") from error
    return module
