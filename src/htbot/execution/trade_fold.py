"""A trade as a fold of what happened to it: the same for the desk's memory and for the record (decision 0004)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason
from htbot.domain.trades import Trade, TradeState
from htbot.portfolio.pnl import trade_result


@dataclass(frozen=True, slots=True)
class TradeFacts:
    """What is known of one trade. `entry_over`: the entry can fill no further; `exit_live`: its close is under way.

    `exit_reason` is that of the last close, None before the first; `reasons` those of all exits by reference, with what
    stands at the broker: the order that filled last has closed the trade. An ended order whose executions have not
    all come is not over: its status may be told before them.
    """

    entry_fills: Sequence[Fill]
    exit_fills: Sequence[Fill]
    entry_over: bool
    exit_live: bool
    exit_reason: ExitReason | None
    reasons: Mapping[str, ExitReason] = field(default_factory=dict)


def fold_trade(trade: Trade, facts: TradeFacts, as_of: datetime) -> Trade:
    """The trade as its facts make it; folding the same facts again changes nothing.

    Raises:
        StopTrading: a fill is of a contract that is no leg, or the exits closed more than was opened.
    """
    result = trade_result(trade.legs, facts.entry_fills, facts.exit_fills)
    if result.opened == 0:
        if not facts.entry_over:
            return trade
        return replace(trade, state=TradeState.VOID, closed_at=trade.closed_at or max(as_of, trade.opened_at))
    filled = replace(
        trade,
        quantity=result.opened,
        closed=result.closed,
        credit=result.credit,
        commissions_usd=result.commissions_usd,
        closed_at=None,
    )
    if result.closed:
        filled = replace(filled, debit=result.debit, gross_pnl_usd=result.gross_usd)
    if result.closed == result.opened and facts.entry_over:
        last = max(facts.exit_fills, key=lambda fill: (fill.executed_at, fill.exec_id))
        closed_at = max(last.executed_at, trade.opened_at)
        reason = facts.reasons.get(last.ref, facts.exit_reason)
        return replace(filled, state=TradeState.CLOSED, closed_at=closed_at, exit_reason=reason)
    return replace(filled, state=TradeState.CLOSING if facts.exit_live else TradeState.OPEN)


def net_by_contract(fills: Sequence[Fill]) -> dict[int, int]:
    """Net quantity by contract id; corrected executions must have been taken out (`portfolio.positions.latest`)."""
    held: dict[int, int] = {}
    for fill in fills:
        held[fill.con_id] = held.get(fill.con_id, 0) + fill.signed_quantity
    return held
