"""Whether an instance of a strategy may trade: what its settings have to be for that."""

from __future__ import annotations

from htbot.domain.errors import CallerMistake
from htbot.marketdata.sessions import LATEST_PLAIN_EXIT
from htbot.persistence.records import OBSERVE, TRADE
from htbot.strategies.bar_strategy import BarConfig
from htbot.strategies.config import StrategyConfig


def require_mode(mode: str, config: StrategyConfig) -> None:
    """Let a mode and settings through that go together: what is traded leaves by 15:45 or stays over night.

    Raises:
        CallerMistake: no such mode, or settings that cannot be traded, with the way out.
    """
    if mode not in {OBSERVE, TRADE}:
        raise CallerMistake(f"mode {mode!r}: {OBSERVE} or {TRADE}")
    if mode == OBSERVE or not isinstance(config, BarConfig):  # spreads have an exit time and a deadline by their making
        return
    if config.exit_time is not None and config.exit_time > LATEST_PLAIN_EXIT:
        latest = f"{LATEST_PLAIN_EXIT:%H:%M}"
        raise CallerMistake(
            f"exit_time={config.exit_time:%H:%M}: what is traded is flat by {latest}, give that at most, or none"
        )
    if config.point_value != 1:
        raise CallerMistake(f"point_value={config.point_value}: shares are worth 1 a point")
