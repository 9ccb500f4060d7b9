"""The market that a backtest of a strategy on options plays in, and what no such backtest can do."""

from __future__ import annotations

import os
from datetime import date, datetime
from pathlib import Path

from htbot.adapters.calendar import load_sessions
from htbot.adapters.replay import read_market_data
from htbot.bootstrap.paper import PaperOptions, build_market
from htbot.bootstrap.research_options import BacktestOptions, days_told
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import UNDERLYINGS
from htbot.domain.recorded import RecordedData
from htbot.domain.sessions import NEW_YORK
from htbot.market.ports import Market
from htbot.settings import Settings

SEED = 7


def require_possible(options: BacktestOptions) -> None:
    """What any strategy on options cannot do.

    Raises:
        ConfigurationError: one line that names the option.
    """
    if options.engine == "compiled":
        raise ConfigurationError("--engine compiled: strategies on options run in the event loop; use auto or events")
    if options.symbol not in UNDERLYINGS:
        raise ConfigurationError(f"--symbol {options.symbol}: options are known on {', '.join(UNDERLYINGS)}")
    if options.settings.get("symbol", options.symbol).upper() != options.symbol:
        raise ConfigurationError(f"--set symbol={options.settings['symbol']}: the underlying is given by --symbol")
    if options.commission != "fixed":
        raise ConfigurationError(f"--commission {options.commission}: options pay IB's fixed plan here; use fixed")
    if not options.data and options.start is None:
        raise ConfigurationError("give --data FILE, or --start (and --end) for days of the synthetic market")
    if options.start is not None and options.end is not None and options.end < options.start:
        raise ConfigurationError(f"--end {options.end} is before --start {options.start}")


def market_of(options: BacktestOptions, settings: Settings) -> Market:
    """The world that is played: the files, or without any the synthetic one.

    Raises:
        ConfigurationError: files or days that make none.
    """
    cache = settings.paths.var / "cache"
    recorded = read_market_data(options.data, options.bar) if options.data else None
    first, last = _days(options, recorded, cache)
    if recorded is None:
        world = PaperOptions(state_dir=cache, start=first, end=last, seed=SEED, calendar_dir=cache)
        return build_market(world, first)
    world = PaperOptions(
        state_dir=cache,
        market="replay",
        data=options.data,
        bar=options.bar,
        symbol=options.symbol,
        end=last,
        calendar_dir=cache,
    )
    return build_market(world, first, recorded)


def _days(options: BacktestOptions, recorded: RecordedData | None, cache: Path) -> tuple[date, date]:
    """The first and the last session that were asked for; every one of the files, where nothing was."""
    first, last = options.start, options.end
    if recorded is not None:
        columns = recorded.bars.get(options.symbol)
        if columns is None:
            raise ConfigurationError(f"{os.fspath(options.data[0])}: no bars of {options.symbol}")
        begins, ends = (datetime.fromtimestamp(columns.start_s[at], NEW_YORK).date() for at in (0, -1))
        first, last = max(first or begins, begins), min(last or ends, ends)
    last = last or first
    days = []
    if first is not None and last is not None and first <= last:
        days = [one.day for one in load_sessions(first, last, cache).all() if first <= one.day <= last]
    if not days:
        where = "the data have" if options.data else "there is"
        raise ConfigurationError(f"{where} no session of {options.symbol} {days_told(options.start, options.end)}")
    return days[0], days[-1]


def world_of(options: BacktestOptions) -> str:
    """What was played, for the first page."""
    if options.data:
        return "the days of the data files"
    return f"SYNTHETIC: no recorded prices at all; days made up from seed {SEED}, not from any market"
