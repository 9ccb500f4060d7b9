"""Composition root of backtests: settings, strategies by name, data files and calendar become a request that runs."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from htbot.adapters.calendar import load_sessions
from htbot.adapters.replay.reader import read_market_data
from htbot.backtest.bars import run_backtest
from htbot.backtest.request import BacktestRequest
from htbot.backtest.result import BacktestResult
from htbot.backtest.tape import Tape, make_tape
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.research_options import BacktestOptions, days_told
from htbot.bootstrap.research_several import Cast, cast_of, seats_of
from htbot.domain.errors import ConfigurationError, HtbotError
from htbot.settings import Settings, load_settings
from htbot.strategies.registry import Entry, create_bar

Progress = Callable[[float], None]
# What options need (market models, the record's limits) is imported where they are backtested: it takes a second.


def _silent(_fraction: float) -> None:
    """Nobody is looking."""


def backtest(options: BacktestOptions, progress: Progress = _silent) -> BacktestResult:
    """Run a backtest.

    Raises:
        NotFound: no strategy has this name.
        ConfigurationError: data, settings or limits that cannot be used; one line each.
        HtbotError: the strategy failed; the text names it, its settings and the error.
    """
    settings = load_settings()
    catalogue = strategies(settings)
    cast = cast_of(options.strategy, options.symbol)
    if cast.several:
        return _several(cast, options, settings, catalogue, progress)
    entry = catalogue.get(options.strategy)
    if entry is not None and not entry.plain:
        from htbot.bootstrap.research_spreads import backtest_options

        return backtest_options(entry, options, settings, progress)
    with told_if_it_fails(options.strategy, options.settings, entry):
        strategy = create_bar(options.strategy, options.settings, catalogue)
    tape = read_tape(options, settings.paths.var / "cache")
    require_sessions(tape, options)
    with told_if_it_fails(options.strategy, options.settings, entry):
        return run_backtest(_request(options, settings), strategy, tape, progress)


def _several(
    cast: Cast, options: BacktestOptions, settings: Settings, catalogue: Mapping[str, Entry], progress: Progress
) -> BacktestResult:
    """Each strategy on each symbol, in one account; what one raises is told with all names."""
    from htbot.backtest.several import run_several

    tapes = read_tapes(options, cast.symbols, settings.paths.var / "cache")
    for tape in tapes.values():
        require_sessions(tape, options)
    with told_if_it_fails(options.strategy, options.settings, None):
        seats = seats_of(cast, tapes, options.settings, catalogue)
        return run_several(_request(options, settings), seats, progress)


def _request(options: BacktestOptions, settings: Settings) -> BacktestRequest:
    return BacktestRequest(
        folder=settings.paths.var / "cache" / "compiled",
        data=tuple(str(path) for path in options.data),
        start=options.start,
        end=options.end,
        fill=options.fill,
        commission=options.commission,
        cash=options.cash,
        limits=options.limits,
        engine=options.engine,
    )


@contextmanager
def told_if_it_fails(strategy: str, settings: Mapping[str, object], entry: Entry | None) -> Iterator[None]:
    """A strategy is anybody's code: what it raises becomes one line with its name, settings, error and place.

    Raises:
        HtbotError: instead of anything that is none.
    """
    try:
        yield
    except HtbotError:
        raise
    except Exception as error:
        told = " ".join(f"{name}={value}" for name, value in settings.items()) or "its defaults"
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise HtbotError(f"{strategy} with {told}: {why}{_place(error, entry)}") from error


def _place(error: Exception, entry: Entry | None) -> str:
    """The last line of the strategy's own file that was running, where it is known."""
    if entry is None or entry.file is None:
        return ""
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(entry.file)]
    return f" ({entry.file.name} line {lines[-1]})" if lines else ""


def require_sessions(tape: Tape, options: BacktestOptions) -> None:
    """Refuse days that the data do not have.

    Raises:
        ConfigurationError: no session between `start` and `end`.
    """
    if not len(tape.between(options.start, options.end)):
        raise ConfigurationError(f"the data have no session of {tape.symbol} {days_told(options.start, options.end)}")


def read_tape(options: BacktestOptions, cache: Path) -> Tape:
    """The bars of the one symbol in the files, in regular hours.

    Raises:
        ConfigurationError: files that cannot be used, or without bars of the symbol.
    """
    return read_tapes(options, (options.symbol,), cache)[options.symbol]


def read_tapes(options: BacktestOptions, symbols: Sequence[str], cache: Path) -> dict[str, Tape]:
    """The bars of each symbol in the files, in regular hours; the files are read once.

    Raises:
        ConfigurationError: files that cannot be used, or without bars of a symbol.
    """
    if not options.data:
        raise ConfigurationError("a backtest needs data: --data FILE (Parquet or CSV)")
    data = read_market_data(options.data, options.bar)
    tapes = {}
    for symbol in symbols:
        columns = data.bars.get(symbol)
        if columns is None:
            have = ", ".join(sorted(data.bars)) or "no bars at all"
            raise ConfigurationError(f"{os.fspath(options.data[0])}: no bars of {symbol}; it has {have}")
        first, last = (datetime.fromtimestamp(columns.start_s[at], UTC).date() for at in (0, -1))
        tapes[symbol] = make_tape(symbol, columns, load_sessions(first, last, cache))
    return tapes
