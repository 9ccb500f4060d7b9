"""A backtest of strategies on plain instruments as the rows that parity compares."""

from __future__ import annotations

from htbot.backtest.day_rows import DayRows, KnownBar, rows_of_trades
from htbot.backtest.plain_request import PlainResult


def rows_of_plain(result: PlainResult) -> DayRows:
    """A backtest's account of its day, of all of its seats."""
    return DayRows(
        bars=[KnownBar(*known) for known in zip(result.bars, result.known_at, strict=True)],
        evaluations=result.evaluations,
        signals=[(one.signal, one.refused_by) for one in result.signals],
        intents=result.intents,
        fills=result.fills,
        trades=rows_of_trades(result.trades),
    )
