"""A backtest of a strategy on options as the rows that parity compares."""

from __future__ import annotations

from htbot.backtest.day_rows import DayRows, KnownBar, trade_row
from htbot.backtest.spread_request import SpreadResult


def rows_of_result(result: SpreadResult) -> DayRows:
    """A backtest's account of its day."""
    return DayRows(
        bars=[KnownBar(*known) for known in zip(result.bars, result.known_at, strict=True)],
        evaluations=result.evaluations,
        signals=[(one.signal, one.refused_by) for one in result.signals],
        intents=result.intents,
        fills=result.fills,
        trades=[
            trade_row(
                (trade.id, trade.strategy, trade.closed_at),
                (trade.credit, trade.debit, trade.gross_pnl, trade.commissions, trade.net_pnl, trade.max_gain),
                (trade.direction, trade.quantity, trade.opened_at, trade.exit_reason, trade.config_hash),
            )
            for trade in result.trades
        ],
    )
