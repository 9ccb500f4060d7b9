"""From the deals that a run wrote down to trades in dollars, and to equity at the end of each session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from htbot.backtest.bar_run import BarRun
from htbot.backtest.result import EquityCurve, ResultLeg, ResultTrade
from htbot.backtest.tape import Tape
from htbot.domain.orders import ExitReason
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Direction
from htbot.engine.bar_account import MICRO
from htbot.engine.bar_parts import Leave
from htbot.strategies.bar_strategy import BarStrategy

REASONS = {
    Leave.PROFIT_TARGET: ExitReason.PROFIT_TARGET,
    Leave.STOP_LOSS: ExitReason.STOP_LOSS,
    Leave.TIME: ExitReason.TIME,
    Leave.MARKET_CLOSE: ExitReason.MARKET_CLOSE,
    Leave.SIGNAL: ExitReason.SIGNAL,
    Leave.PROFIT_LEVEL: ExitReason.PROFIT_TARGET,
}
_DETAIL = {Leave.PROFIT_LEVEL: "the last profit level"}
_CENT = Decimal("0.01")


def trades_of(
    run: BarRun, strategy: BarStrategy, symbol: str, account: str, among: str | None = None
) -> tuple[ResultTrade, ...]:
    """Trades in order of their exit; parts of a position that was closed in several make one trade.

    A position of which a part is still held at the end is left out. `among` begins the trades' ids instead of the
    strategy's name, where that alone would not tell them from another's.
    """
    names = run.deals.dtype.names or ()
    rows = (dict(zip(names, row, strict=True)) for row in run.deals.tolist())
    unfinished = run.loop.number if run.loop.holding.side else -1
    whole = ((number, list(parts)) for number, parts in groupby(rows, lambda row: row["number"]))
    begins = f"{among or strategy.name}-{account}"
    trades = (_trade(parts, strategy, symbol, account) for number, parts in whole if number != unfinished)
    return tuple(replace(trade, id=f"{begins}-{trade.id}") for trade in trades)


def _trade(parts: list[dict[str, Any]], strategy: BarStrategy, symbol: str, account: str) -> ResultTrade:
    """A trade; its id is the day and the number only."""
    first, last = parts[0], parts[-1]
    opened_at = datetime.fromtimestamp(first["opened_s"], UTC)
    quantity = sum(part["quantity"] for part in parts)
    reason = Leave(last["reason"])
    details = [f"sold in {len(parts)} parts"] if len(parts) > 1 else []
    details += [_DETAIL[reason]] if reason in _DETAIL else []
    entry = _exact(first["entry_u"])
    leg = ResultLeg(
        symbol=symbol,
        side="BUY" if first["side"] > 0 else "SELL",
        quantity=quantity,
        fill=entry,
        exit_fill=_exact(round(sum(part["exit_u"] * part["quantity"] for part in parts) / quantity)),
    )
    return ResultTrade(
        id=f"{opened_at.astimezone(NEW_YORK):%Y%m%d}-{first['number']}",
        strategy=strategy.name,
        account=account,
        symbol=symbol,
        direction=Direction(first["side"]),
        opened_at=opened_at,
        closed_at=datetime.fromtimestamp(last["closed_s"], UTC),
        legs=(leg,),
        exit_reason=REASONS[reason],
        gross_pnl=_exact(sum(part["gross_u"] for part in parts)),
        commissions=_exact(sum(part["fees_u"] for part in parts)),
        max_gain=_exact(max(part["best_u"] for part in parts)),
        max_loss=_exact(min(part["worst_u"] for part in parts)),
        exposure=_exact(quantity * first["entry_u"] * strategy.config.point_value),
        config_hash=strategy.config_hash,
        detail=", ".join(details),
    )


def curve_of(run: BarRun, tape: Tape, cash: Decimal, first_session: int) -> EquityCurve:
    """Equity at the last bar of each session from `first_session` on: realised, and what is open at that close."""
    bars = tape.bars[tape.bars["ends_session"] & (tape.bars["session"] >= first_session)]
    ends_s = bars["start_s"] + (bars["end_minute"] - bars["minute"]) * 60
    deals = run.deals
    order = np.argsort(deals["closed_s"], kind="stable")
    net_u = np.concatenate(([0], np.cumsum((deals["gross_u"] - deals["fees_u"])[order])))
    equity_u = net_u[np.searchsorted(deals["closed_s"][order], ends_s, "right")]
    for held, signed, entry_u, fees_u in _spans(run, ends_s):
        equity_u[held] -= fees_u
        close_u = np.floor(bars["close"][held] * MICRO + 0.5).astype(np.int64)
        equity_u[held] += signed * (close_u - entry_u) * run.loop.point_value
    return EquityCurve(
        days=tuple(date.fromordinal(day) for day in bars["session"].tolist()),
        equity=tuple(cash + _exact(amount) for amount in equity_u.tolist()),
        prices=tuple(bars["close"].tolist()),
    )


def _spans(run: BarRun, ends_s: npt.NDArray[np.int64]) -> Iterator[tuple[slice, int, int, int]]:
    """The session ends over which something was held, with its signed quantity, entry price and entry fees."""
    deals: npt.NDArray[Any] = run.deals
    first = np.searchsorted(ends_s, deals["filled_s"], "left")
    last = np.searchsorted(ends_s, deals["closed_s"], "left")
    for at in np.flatnonzero(first < last).tolist():
        row = deals[at]
        signed = int(row["side"] * row["quantity"])
        yield slice(int(first[at]), int(last[at])), signed, int(row["entry_u"]), int(row["entry_fees_u"])
    loop, held = run.loop, run.loop.holding
    if held.side:
        opened = int(np.searchsorted(ends_s, loop.filled_s, "left"))
        yield slice(opened, len(ends_s)), held.side * held.quantity, loop.entry_u, loop.entry_fees_u


def _exact(amount_u: int) -> Decimal:
    """Micro-dollars in dollars, exact, with two digits at least."""
    dollars = Decimal(amount_u).scaleb(-6)
    cents = dollars.quantize(_CENT)
    return cents if cents == dollars else dollars.normalize()
