"""Whether an instance of a strategy may trade: what its settings have to be for that."""

from __future__ import annotations

from datetime import time

from htbot.domain.errors import CallerMistake
from htbot.persistence.records import OBSERVE, TRADE
from htbot.strategies.bar_strategy import BarConfig
from htbot.strategies.config import StrategyConfig

LATEST_EXIT = time(15, 45)
"""What is traded has left by then, New York time (RULINGS 11)."""


def require_mode(mode: str, config: StrategyConfig) -> None:
    """Let a mode and settings through that go together: what is traded closes within its session, in one piece.

    Raises:
        CallerMistake: no such mode, or settings that cannot be traded, with the way out.
    """
    if mode not in {OBSERVE, TRADE}:
        raise CallerMistake(f"mode {mode!r}: {OBSERVE} or {TRADE}")
    if mode == OBSERVE or not isinstance(config, BarConfig):  # spreads have an exit time and a deadline by their making
        return
    if config.exit_time is None:
        raise CallerMistake("exit_time is not set: nothing is traded over night yet, give one such as exit_time=15:40")
    if config.exit_time > LATEST_EXIT:
        late = f"exit_time={config.exit_time:%H:%M}: what is traded is flat by {LATEST_EXIT:%H:%M}, give that at most"
        raise CallerMistake(late)
    if config.profit_levels:
        raise CallerMistake("profit_levels=true: a position is sold in one piece, give profit_levels=false")
    if config.point_value != 1:
        raise CallerMistake(f"point_value={config.point_value}: shares are worth 1 a point")
