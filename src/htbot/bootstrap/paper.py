"""Composition root of the paper gateway: world, books, clock and server."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from htbot.adapters.calendar import load_sessions
from htbot.adapters.replay import read_market_data
from htbot.domain.errors import CallerMistake, ConfigurationError
from htbot.domain.recorded import RecordedData
from htbot.domain.sessions import NEW_YORK, SessionTable
from htbot.market.ports import Market
from htbot.market.replay import ReplayMarket, ReplayWindow
from htbot.market.scenario import Scenario
from htbot.market.synthetic import Manner, SyntheticMarket
from htbot.paper.accounts.valuation import BrokerTerms
from htbot.paper.book.book import BookRules
from htbot.paper.clock import PacedTime, SteppedTime
from htbot.paper.faults.control import ControlPort, controlled
from htbot.paper.faults.plan import Script
from htbot.paper.faults.stage import ControlBoard
from htbot.paper.feeds.streams import DataRules
from htbot.paper.gateway import Gateway, GatewayConfig
from htbot.paper.limits import ClientRules
from htbot.paper.server import serving
from htbot.paper.store import Store

_MAKE_CALENDAR = """
import sys
from datetime import date
from pathlib import Path
from htbot.adapters.calendar import load_sessions
load_sessions(date.fromisoformat(sys.argv[1]), date.fromisoformat(sys.argv[2]), Path(sys.argv[3]))
"""
_LATER_EXPIRIES = timedelta(days=60)
_EARLIER_SESSIONS = timedelta(days=120)
_SYNTHETIC_HISTORY = timedelta(days=1_900)
_CLOSE_TO_MIDNIGHT = timedelta(hours=8)


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """How to run the gateway; the fields are the options of `htbot paper`.

    `start` and `end` are market times, or dates for that session; `symbol` is the one that must have bars in a replay.
    `accounts` empty = one account, numbered by the world. `state_dir` keeps clock, books and ids.
    """

    state_dir: Path
    host: str = "127.0.0.1"
    port: int = 4102
    market: Literal["synthetic", "replay"] = "synthetic"
    data: tuple[Path, ...] = ()
    bar: str | None = None
    symbol: str | None = None
    start: datetime | date | None = None
    end: datetime | date | None = None
    speed: float | Literal["max"] = 10.0
    seed: int = 7
    accounts: tuple[str, ...] = ()
    cash: Decimal = Decimal(100_000)
    listing: Literal["modelled", "historical"] = "modelled"
    scenario: Scenario = "walk"
    fresh: bool = False
    clients: ClientRules = field(default_factory=ClientRules)
    data_rules: DataRules = field(default_factory=DataRules)
    ticks_per_second: float = 1.0
    terms: BrokerTerms = field(default_factory=BrokerTerms)
    book: BookRules = field(default_factory=BookRules)
    latency_s: float = 0.1
    faults: Path | None = None
    control: ControlPort | None = None
    calendar_dir: Path | None = None


def run(options: PaperOptions, on_ready: Callable[[Gateway, int], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `on_ready` is told the gateway and its port.

    Raises:
        ConfigurationError: options, data files or a state folder that cannot be run with.
    """
    with _locked(options.state_dir):
        asyncio.run(_serve(options, on_ready))


async def _serve(options: PaperOptions, on_ready: Callable[[Gateway, int], None] | None) -> None:
    gateway = build_gateway(options)
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, done, None)
    loop.set_exception_handler(lambda loop, context: _crashed(loop, context, done))
    pace = SteppedTime(gateway) if options.speed == "max" else PacedTime(gateway, float(options.speed))
    gc.collect()
    gc.freeze()  # what the world is made of stays: a full collection need not look at it
    async with contextlib.AsyncExitStack() as open_ports:
        port = await open_ports.enter_async_context(serving(gateway, pace, options.host, options.port))
        if options.control is not None:
            board = ControlBoard(gateway, pace)
            await open_ports.enter_async_context(controlled(board, options.control, options.state_dir))
        if on_ready is not None:
            on_ready(gateway, port)
        clock = loop.create_task(pace.run())
        clock.add_done_callback(lambda task: _end(done, None if task.cancelled() else task.exception()))
        try:
            await done
        finally:
            clock.cancel()


def _end(done: asyncio.Future[None], error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _crashed(loop: asyncio.AbstractEventLoop, context: dict[str, Any], done: asyncio.Future[None]) -> None:
    """A turn that failed half-way leaves memory and record apart: stop, and start again from the record."""
    error = context.get("exception")
    if error is None or isinstance(error, OSError):
        loop.default_exception_handler(context)
    else:
        _end(done, error)


def build_gateway(options: PaperOptions) -> Gateway:
    """The gateway with its world and its books, not serving yet.

    Raises:
        ConfigurationError: options or data files that cannot be run with.
    """
    store = Store(options.state_dir / "gateway.sqlite")
    asked = _world_asked(options)
    goes_on = not options.fresh and store.meta("world_asked") == asked
    stored = store.meta("world_start") if goes_on else None
    market = build_market(options, datetime.fromisoformat(stored) if stored else options.start)
    speed = "max" if options.speed == "max" else f"{options.speed:g}"
    config = GatewayConfig(
        options.accounts,
        options.cash,
        speed,
        fresh=options.fresh,
        clients=options.clients,
        data=options.data_rules,
        ticks_per_second=options.ticks_per_second,
        terms=options.terms,
        book=options.book,
        latency_s=options.latency_s,
    )
    gateway = Gateway(market, store, config)
    _follow(gateway, options.faults)
    store.put_meta("world_asked", asked)
    store.put_meta("world_start", market.start.isoformat())
    store.commit()
    return gateway


def _follow(gateway: Gateway, path: Path | None) -> None:
    """Play a script of faults, from where it is if the stored world has played a part of it; or end the last one."""
    from htbot.paper.faults.script import read_script  # YAML is loaded for those who use it

    try:
        gateway.faults.follow(Script() if path is None else read_script(path))
    except CallerMistake as mistake:
        raise ConfigurationError(f"{path}: {mistake}") from mistake


def _world_asked(options: PaperOptions) -> str:
    """What makes a stored world the one that is asked for; a default start is the stored world's own."""
    return json.dumps(
        {
            "market": options.market,
            "data": [str(path.resolve()) for path in options.data],
            "bar": options.bar,
            "symbol": options.symbol,
            "start": options.start.isoformat() if options.start else None,
            "seed": options.seed if options.market == "synthetic" else None,
            "listing": options.listing,
            **({} if options.scenario == "walk" else {"scenario": options.scenario}),
        },
        sort_keys=True,
    )


def build_market(options: PaperOptions, start: datetime | date | None, recorded: RecordedData | None = None) -> Market:
    """The world that the options describe; `recorded` are its files where they have been read before.

    Raises:
        ConfigurationError: data files or dates that make none.
    """
    # From the regular close on, today's session is a completed one.
    today = (datetime.now(UTC).astimezone(NEW_YORK) + _CLOSE_TO_MIDNIGHT).date()
    if options.market == "replay":
        data = recorded or read_market_data(options.data, options.bar)
        first, last = data.seconds()
        first_day = datetime.fromtimestamp(first, UTC).date() - _EARLIER_SESSIONS
        last_day = datetime.fromtimestamp(last, UTC).date() + _LATER_EXPIRIES
        calendar = _calendar(first_day, last_day, options.calendar_dir)
        return ReplayMarket(data, calendar, ReplayWindow(options.symbol, start, options.end, options.listing))
    begins = start.date() if isinstance(start, datetime) else start or today
    calendar = _calendar(begins - _SYNTHETIC_HISTORY, max(begins, today) + _LATER_EXPIRIES * 6, options.calendar_dir)
    end = options.end
    if end is not None and not isinstance(end, datetime):
        session = calendar.on(end)
        if session is None:
            raise ConfigurationError(f"end {end} is no session (weekend or holiday); take a trading day")
        end = session.closes
    manner = Manner(options.scenario, options.listing)
    return SyntheticMarket(calendar, today, options.seed, start=start, end=end, manner=manner)


def _calendar(first: date, last: date, folder: Path | None) -> SessionTable:
    """The exchange's sessions.

    A table that is not kept yet is made by a process of its own: its library would stay in this one's memory, three
    times the size of the gateway.
    """
    if folder is not None and not any(folder.glob(f"xnys-{first.year}-{last.year}-*.csv")):
        command = [sys.executable, "-c", _MAKE_CALENDAR, first.isoformat(), last.isoformat(), str(folder)]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL)  # what fails there is told by the next line
    return load_sessions(first, last, folder)


@contextlib.contextmanager
def _locked(state_dir: Path) -> Iterator[None]:
    """Hold the state folder: two gateways on one book would tear it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "gateway.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            text = f"{state_dir} is in use by another paper gateway: stop it, or set HTBOT_VAR_DIR to another folder"
            raise ConfigurationError(text) from error
        yield
