"""A backtest on a plain instrument from request to result: the loop is set up, run, and its deals become trades."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from htbot.backtest.bar_run import Progress, run_bars
from htbot.backtest.bar_trades import curve_of, trades_of
from htbot.backtest.limits import Readers, read_limits, whole
from htbot.backtest.request import BacktestRequest
from htbot.backtest.result import BacktestResult
from htbot.backtest.tape import DAY_S, Tape
from htbot.domain.errors import ConfigurationError
from htbot.engine.bar_account import BIG, MICRO, BarLimits, Refusal
from htbot.engine.bar_loop import BarLoop
from htbot.engine.bar_parts import Fill
from htbot.engine.bar_setup import FEES, loop_of
from htbot.strategies.bar_strategy import BarConfig, BarStrategy


def _micro(value: Decimal) -> int:
    return int(value * MICRO)


def _fraction(value: Decimal) -> float:
    return float(value) / 100


LIMITS: Readers = {
    "order_quantity": ("quantity", whole),
    "order_notional_usd": ("notional_u", _micro),
    "leverage": ("leverage", float),
    "entries_per_day": ("entries_per_day", whole),
    "daily_loss_usd": ("daily_loss_u", _micro),
    "drawdown_pct": ("drawdown", _fraction),
    "concurrent_trades": ("concurrent_trades", whole),
}
"""Limits by the name that a person gives: the field of `BarLimits`, and how its value is read."""

_BARS_OF_DAYS = "whole sessions; what a close decides is filled at that close, or by the rule of the next open"
_BARS_OF_HOURS = "regular hours only; where a session's bars end early, what may not stay over night leaves at the last"

_ASSUMED = {
    "close": "orders fill at the close of the bar that decided, whole",
    "next_open": "orders fill at the open of the next bar, whole; at the last bar of a session at its close",
    "book": "orders fill at the touch around the close, half a tick away at least, and stops and targets inside the bar"
    " on the path open, nearer extreme, other extreme, close: the paper gateway's rules",
}


def run_backtest(
    request: BacktestRequest, strategy: BarStrategy, tape: Tape, progress: Progress = lambda _: None
) -> BacktestResult:
    """Run a strategy over a tape that begins at the first bar of its data.

    Raises:
        ConfigurationError: a limit of an unknown name or value, or no session between `start` and `end`.
    """
    began = time.perf_counter()
    config: BarConfig = strategy.config
    loop = set_up(request, strategy)
    played = fitted(tape, strategy).between(None, request.end)
    if not len(played) or int(played.bars["session"][-1]) < loop.first_session:
        raise ConfigurationError(f"the data have no session of {tape.symbol} from {request.start} to {request.end}")
    run = run_bars(loop, played, request.folder, request.engine, progress)
    curve = curve_of(run, played, request.cash, loop.first_session)
    return BacktestResult(
        strategy=strategy.name,
        config_hash=strategy.config_hash,
        config=config.as_fields(),
        symbol=tape.symbol,
        data=request.data,
        bars=len(played),
        trades=trades_of(run, strategy, tape.symbol, request.account),
        curve=curve,
        cash=request.cash,
        assumptions=assumptions(request, [loop], [played]),
        engine="compiled" if run.compiled else "events",
        why_not=run.why_not,
        wall_s=time.perf_counter() - began,
        refusals=refusals([loop]),
        open_since=datetime.fromtimestamp(loop.filled_s, UTC) if loop.holding.side else None,
    )


def fitted(tape: Tape, strategy: BarStrategy) -> Tape:
    """The tape in bars of the length that the strategy decides on.

    Raises:
        ConfigurationError: the data's bars are too long for it.
    """
    inputs = strategy.inputs
    if inputs.shorter_too and tape.seconds <= inputs.bar_minutes * 60:
        return tape
    try:
        return tape.of_length(inputs.bar_minutes)
    except ConfigurationError as error:
        minutes = 1440 if tape.seconds == DAY_S else tape.seconds // 60
        hint = f": --set bar_minutes={minutes}" if hasattr(strategy.config, "bar_minutes") else ""
        raise ConfigurationError(f"{strategy.name}: {error}{hint}") from error


def set_up(request: BacktestRequest, strategy: BarStrategy) -> BarLoop:
    """The loop as the request and the strategy's configuration want it.

    Raises:
        ConfigurationError: a limit of an unknown name or value.
    """
    limits = BarLimits()
    for field, value in read_limits(request.limits, LIMITS).items():
        setattr(limits, field, value)
    loop = loop_of(strategy, request.cash, FEES[request.commission], limits)
    loop.fill = Fill[request.fill.upper()]
    loop.first_session = 0 if request.start is None else request.start.toordinal()
    return loop


def refusals(loops: Sequence[BarLoop]) -> dict[str, int]:
    """How many entries of all loops each rule has refused."""
    counts = [sum(counts) for counts in zip(*(loop.refusals for loop in loops), strict=True)]
    return {rule.name.lower(): int(count) for rule, count in zip(Refusal, counts, strict=True) if count}


def assumptions(request: BacktestRequest, loops: Sequence[BarLoop], tapes: Sequence[Tape]) -> dict[str, str]:
    """What a reader of the result has to know, by name; a tape to each loop."""
    told = {
        "fills": f"{request.fill}: {_ASSUMED[request.fill]}",
        "commissions": "IB's fixed plan for US shares" if request.commission == "fixed" else "none",
        "bars": "; ".join(dict.fromkeys(_bars_told(tape.seconds) for tape in tapes)),
        "account": f"USD {request.cash} at the start; nothing is paid for borrowing, and no interest earned",
        "limits": ", ".join(dict.fromkeys(name for loop in loops for name in _limits_of(loop))) or "none",
        "prices": "as recorded: splits and dividends are not adjusted for",
    }
    held = [
        f"{loop.holding.side * loop.holding.quantity:+d} {tape.symbol}"
        for loop, tape in zip(loops, tapes, strict=True)
        if loop.holding.side
    ]
    if held:
        told["at the end"] = f"{', '.join(held)} still held, marked at the last close"
    return told


def _bars_told(seconds: int) -> str:
    return _BARS_OF_DAYS if seconds == DAY_S else f"{seconds // 60} min, {_BARS_OF_HOURS}"


def _limits_of(loop: BarLoop) -> list[str]:
    """Names of the limits that are on, a strategy's own among them."""
    values = {name: getattr(loop.limits, field) for name, (field, _) in LIMITS.items()}
    values["entries_per_day"] = min(values["entries_per_day"], loop.own_entries_a_day)
    return [name for name, value in values.items() if value != BIG and not math.isinf(value)]
