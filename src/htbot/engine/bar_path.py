"""What happens inside a bar under the rule `book` (dialect of `domain.numeric`).

The path is the paper gateway's: open, nearer extreme, other extreme, close; of extremes equally near the low comes
first in a bar that rises (RULINGS 19). A stop or target that the path reaches is taken there, or at the open when the
bar opens beyond it. Orders fill at the touch that the gateway quotes around a stock's price: the nearest ticks at least
half a tick away.
"""

from __future__ import annotations

from typing import NamedTuple

from htbot.domain.bars import TapeBar
from htbot.engine.bar_account import CENT_U, to_micro
from htbot.engine.bar_parts import Leave


class Hit(NamedTuple):
    """Why a position leaves inside a bar, and the price in micro-dollars that was reached; reason 0: it stays."""

    reason: int
    price_u: int


def touch_u(price_u: int, side: int) -> int:
    """The ask for a buyer (+1), the bid for a seller (-1), of a stock with a tick of a cent."""
    half = CENT_U // 2
    if side > 0:
        return -((-price_u - half) // CENT_U) * CENT_U
    return (price_u - half) // CENT_U * CENT_U


def first_hit(bar: TapeBar, side: int, stop_u: int, target_u: int) -> Hit:
    """The first of stop and target that the path reaches, for a position long (+1) or short (-1)."""
    open_u = to_micro(bar.open)
    if side * (open_u - stop_u) <= 0:
        return Hit(Leave.STOP_LOSS, open_u)
    if side * (open_u - target_u) >= 0:
        return Hit(Leave.PROFIT_TARGET, open_u)
    up = bar.high - bar.open
    down = bar.open - bar.low
    low_first = down < up or (down == up and bar.close >= bar.open)
    worst_u = to_micro(bar.low) if side > 0 else to_micro(bar.high)
    best_u = to_micro(bar.high) if side > 0 else to_micro(bar.low)
    stopped = side * (worst_u - stop_u) <= 0
    won = side * (best_u - target_u) >= 0
    worst_first = low_first == (side > 0)
    if stopped and (worst_first or not won):
        return Hit(Leave.STOP_LOSS, stop_u)
    if won:
        return Hit(Leave.PROFIT_TARGET, target_u)
    return Hit(0, 0)
