"""Row of an instance of a strategy."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from htbot.persistence.rows.base import Base, Json


class StrategyRow(Base):
    """One instance: a type of strategy, its settings, a symbol.

    Mode `observe` records signals and sends nothing, `trade` puts its entries before the gate. `account` is the one it
    trades, without one the desk's main one.

    `first_bar` and `observed_since` say what its state is folded from in `world_id`: all bars from the one that starts
    at `first_bar` on, positions only at bars that end after `observed_since`. The evaluation sets them when it first
    sees the instance; a change of the settings clears them.
    """

    __tablename__ = "strategies"
    __table_args__ = (
        CheckConstraint("mode IN ('observe', 'trade')", name="mode"),
        CheckConstraint("minutes IN (1, 2, 3, 5, 10, 15, 30)", name="minutes"),
        CheckConstraint("warm_up_bars >= 0", name="warm_up_bars"),
        CheckConstraint(
            "(world_id IS NULL) = (first_bar IS NULL) AND (world_id IS NULL) = (observed_since IS NULL)",
            name="observed",
        ),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    symbol: Mapped[str]
    minutes: Mapped[int]
    warm_up_bars: Mapped[int]
    settings: Mapped[Json]
    config_hash: Mapped[str]
    enabled: Mapped[bool]
    mode: Mapped[str]
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    world_id: Mapped[str | None]
    first_bar: Mapped[datetime | None]
    observed_since: Mapped[datetime | None]
    account: Mapped[str | None]
