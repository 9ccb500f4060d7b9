"""`htbot parity`: a day through the real stack and through the backtest, held against each other.

The day is stepped, so nothing is tolerated: what could make the two differ is removed, or is an input of the backtest
that is taken from the stack and named in the report.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from htbot.backtest.day_loop import DayRun, play_session
from htbot.backtest.day_rows import DayRows, merged
from htbot.backtest.parity_compare import compare
from htbot.backtest.plain_parity import rows_of_plain
from htbot.backtest.plain_request import PlainRequest, Seat
from htbot.backtest.plain_run import PlainRun
from htbot.backtest.spread_parity import rows_of_result
from htbot.backtest.spread_request import SpreadRequest
from htbot.backtest.spread_run import SpreadRun
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.day_record import SeatRecord
from htbot.bootstrap.demo import BEFORE_OPEN, DemoOptions, DemoResult, Progress, quiet
from htbot.bootstrap.demo import run as run_demo
from htbot.bootstrap.limits import breaker_limits, plain_limits, risk_limits, spread_limits
from htbot.bootstrap.paper import build_market
from htbot.bootstrap.paper_options import options_of
from htbot.bootstrap.parity_cast import CastWanted, cast_of, every_name
from htbot.bootstrap.strategy import STRATEGY_NAME, build_strategy
from htbot.domain.sessions import Session
from htbot.market.ports import Market
from htbot.persistence.codecs import plain
from htbot.services.option_instances import with_symbol
from htbot.settings import Settings
from htbot.strategies.registry import create, create_bar

# In step with its clients the gateway lets an order look at the market of the instant at which it was sent.
STEPPED_LATENCY_S = 0.0


@dataclass(frozen=True, slots=True)
class ParityOptions:
    """The options of `htbot parity`. No `strategies`: strategy 1 and all on shares; `settings`: those of instances."""

    strategies: tuple[str, ...] = (STRATEGY_NAME,)
    day: date | None = None
    data: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()
    seed: int = 7
    bar: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What came of it; `summary` has INTERFACE's shape and more."""

    identical: bool
    summary: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Backtested:
    """A day as the backtest has it: what happened, and with what it was asked."""

    rows: DayRows
    inputs: Mapping[str, Any]
    wall_s: float


def run(options: ParityOptions, progress: Progress = quiet) -> ParityReport:
    """Play the day both ways, from the main thread.

    Raises:
        NotFound: no strategy has this name.
        ConfigurationError: a strategy that the stack does not run; data, date, symbol or settings that cannot be run
            with.
        DemoFailed: the stack's day did not come to its end.
    """
    catalogue = strategies()
    names = options.strategies or every_name(catalogue)
    cast = cast_of(CastWanted(names, options.symbols, options.settings), options.data, options.bar, catalogue)
    played = run_demo(
        DemoOptions(
            data=options.data,
            day=options.day,
            symbol=cast.own,
            seed=options.seed,
            bar=options.bar,
            environ=options.environ,
            instances=cast.instances,
            settings=cast.settings,
        ),
        progress,
    )
    return against_backtest(played, cast.names)


def against_backtest(played: DemoResult, names: Collection[str], latency_s: float = STEPPED_LATENCY_S) -> ParityReport:
    """Hold what some strategies did on a day that the stack has played against a backtest of the same day."""
    return report(played, names, backtested(played, names, latency_s))


def backtested(played: DemoResult, names: Collection[str], latency_s: float = STEPPED_LATENCY_S) -> Backtested:
    """The same day in the backtest: the strategies that take part, at the instants that they make together."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="htbot-parity-") as folder:
        options = replace(options_of(played.settings), calendar_dir=Path(folder))
        market = build_market(options, options.start)
        parts = []
        if STRATEGY_NAME in names:
            parts.append(_breakout(played, market, latency_s))
        seats = [seat for seat in played.record.seats if seat.name in names]
        parts += [_spreads(played, seat, market, latency_s) for seat in seats if seat.on_options]
        if not all(seat.on_options for seat in seats):
            parts.append(_plain(played, market, names, latency_s))
        play_session(market, played.session, [part.run for part in parts])
        inputs = {
            **inputs_of(played, market, latency_s),
            **{key: one for part in parts for key, one in part.inputs.items()},
        }
        rows = merged(part.rows() for part in parts)
    return Backtested(rows, inputs, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class _Part:
    """A backtest that takes part: what is played, what it then tells, and what it alone was asked with."""

    run: DayRun
    rows: Callable[[], DayRows]
    inputs: Mapping[str, Any]


def _breakout(played: DemoResult, market: Market, latency_s: float) -> _Part:
    return _of_spreads(played, request_of(played, market, latency_s), own=True)


def _spreads(played: DemoResult, seat: SeatRecord, market: Market, latency_s: float) -> _Part:
    own = request_of(played, market, latency_s)
    return _of_spreads(played, spread_request_of(own, seat, played.settings), own=False)


def spread_request_of(own: SpreadRequest, seat: SeatRecord, settings: Settings) -> SpreadRequest:
    """An instance on options: strategy 1's request with its own strategy, limits and history."""
    strategy = create(seat.type, with_symbol(seat.settings, seat.symbol), instance=seat.name)
    return replace(own, strategy=strategy, limits=spread_limits(settings, strategy), history_from=seat.history_from)


def _of_spreads(played: DemoResult, request: SpreadRequest, *, own: bool) -> _Part:
    run, session = SpreadRun(request), played.session
    run.begin(session)
    inputs = {
        "config_hash": request.strategy.config_hash,
        "history_from": request.history_from,
        "enabled_after": request.enabled_after,
    }
    told = inputs if own else {request.strategy.name: inputs}
    return _Part(run, lambda: rows_of_result(run.result([session])), told)


def request_of(played: DemoResult, market: Market, latency_s: float = STEPPED_LATENCY_S) -> SpreadRequest:
    """Strategy 1 of a played day: same settings, same world; what only the run could know comes from its record."""
    settings, session = played.settings, played.session
    options = options_of(settings)
    return SpreadRequest(
        strategy=build_strategy(settings),
        market=market,
        limits=risk_limits(settings, settings.strategy.symbol),
        first=session.day,
        last=session.day,
        account=played.record.account,
        cash_usd=options.cash,
        breaker=breaker_limits(settings),
        flatten_on_trip=settings.risk.breaker_flatten,
        rules=options.book.fills,
        plan=options.terms.plan,
        latency_s=latency_s,
        history_from=played.record.history_from,
        enabled_after=session.opens,
    )


def _plain(played: DemoResult, market: Market, names: Collection[str], latency_s: float) -> _Part:
    request = plain_request_of(played, market, names, latency_s)
    run, session = PlainRun(request), played.session
    run.begin(session)
    seats = [asdict(seat) for seat in played.record.seats if seat.name in names and not seat.on_options]
    inputs = {"seats": seats, "enabled_after": request.enabled_after, "told_from": request.told_from}
    return _Part(run, lambda: rows_of_plain(run.result([session])), inputs)


def plain_request_of(
    played: DemoResult, market: Market, names: Collection[str], latency_s: float = STEPPED_LATENCY_S
) -> PlainRequest:
    """Those strategies on plain instruments of a played day; where each began comes from its record."""
    settings, session = played.settings, played.session
    options, types = options_of(settings), strategies(settings)
    seats = [
        Seat(one.name, one.symbol, partial(create_bar, one.type, one.settings, types), *_began(one, session))
        for one in played.record.seats
        if one.name in names and not one.on_options
    ]
    return PlainRequest(
        seats=tuple(seats),
        market=market,
        limits_of=partial(plain_limits, settings),
        first=session.day,
        last=session.day,
        account=played.record.account,
        cash_usd=options.cash,
        breaker=breaker_limits(settings),
        flatten_on_trip=settings.risk.breaker_flatten,
        rules=options.book.fills,
        plan=options.terms.plan,
        latency_s=latency_s,
        enabled_after=session.opens,
        told_from=session.opens - BEFORE_OPEN,
        own_series=(settings.strategy.symbol, settings.strategy.bar_minutes),
    )


def _began(seat: SeatRecord, session: Session) -> tuple[datetime | None, datetime | None]:
    """From which bar on a seat knows, and since when it may enter: what began on this day begins by itself there."""
    if seat.since is not None and seat.since < session.opens:
        return seat.first_bar, seat.since
    return seat.history_from, None


def report(played: DemoResult, names: Collection[str], other: Backtested) -> ParityReport:
    """Compare, and say what was compared."""
    stack = _rows_of(played, names)
    comparison = compare(stack, other.rows, played.session)
    summary = {
        "strategies": sorted(names),
        "symbol": played.settings.strategy.symbol,
        "date": played.session.day,
        "identical": comparison.identical,
        "compared": comparison.compared,
        "differing": comparison.differing,
        "divergence": None if comparison.divergence is None else asdict(comparison.divergence),
        "pnl": {"stack": _pnl(stack), "backtest": _pnl(other.rows)},
        "inputs": other.inputs,
        "modelled_share": _modelled_share(other.rows),
        "wall_s": {"stack": played.summary["wall_s"], "backtest": round(other.wall_s, 1)},
    }
    return ParityReport(comparison.identical, plain(summary))


def _rows_of(played: DemoResult, names: Collection[str]) -> DayRows:
    """What the record has of those that take part, on the bars that they were shown."""
    own = played.settings.strategy
    series = {(seat.symbol, seat.minutes) for seat in played.record.seats if seat.name in names}
    if STRATEGY_NAME in names:
        series.add((own.symbol, own.bar_minutes))
    return played.record.only(names, series)


def _pnl(rows: DayRows) -> dict[str, Decimal]:
    """Dollars over the closed trades."""
    names = {"gross": "gross_pnl", "commissions": "commissions", "net": "net_pnl"}
    return {name: sum((row.fields[key] for row in rows.trades), Decimal(0)) for name, key in names.items()}


def _modelled_share(rows: DayRows) -> Decimal | None:
    """The part of the fills, by number, whose quote was the model's; None without a fill."""
    return Decimal(sum(fill.modelled for fill in rows.fills)) / len(rows.fills) if rows.fills else None


def inputs_of(played: DemoResult, market: Market, latency_s: float = STEPPED_LATENCY_S) -> dict[str, Any]:
    """What could make the two differ, as the backtest was given it; `settings` are those that were set for this day."""
    options = options_of(played.settings)
    return {
        "world": market.world_id,
        "settings": dict(played.chosen),
        "account": played.record.account,
        "cash_usd": options.cash,
        "latency_s": latency_s,
        "plan": options.terms.plan.value,
        "slippage_ticks": options.book.fills.slippage_ticks,
        "touch_share": options.book.fills.touch_share,
        "sizes_limit": options.book.fills.sizes_limit,
    }
