"""Row of a trade: one entry and its exit."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from htbot.domain.orders import ExitReason
from htbot.domain.trades import TradeState
from htbot.persistence.columns import words
from htbot.persistence.rows.base import Base, Json, JsonList, SmallInt
from htbot.persistence.states import LIVE_TRADE_STATES, sql_words

_LIVE = f"state IN ({sql_words(LIVE_TRADE_STATES)})"
_BOUGHT_OPTION = "(width IS NULL AND legs #>> '{0,expiry}' IS NOT NULL)"


class TradeRow(Base):
    """One trade from entry to exit. `width` is that of a vertical.

    A strategy has one live trade per account, and one for each direction of options that it has bought.
    """

    __tablename__ = "trades"
    __table_args__ = (
        Index(
            "uq_trades_live",
            "strategy",
            "account",
            unique=True,
            postgresql_where=text(f"{_LIVE} AND NOT {_BOUGHT_OPTION}"),
        ),
        Index(
            "uq_trades_live_bought",
            "strategy",
            "account",
            "direction",
            unique=True,
            postgresql_where=text(f"{_LIVE} AND {_BOUGHT_OPTION}"),
        ),
        Index("ix_trades_session_account", "session", "account"),
        CheckConstraint("direction IN (1, -1)", name="direction"),
        CheckConstraint("quantity > 0 AND width > 0", name="size"),
        CheckConstraint("closed_at IS NULL OR state IN ('closed', 'void')", name="ended"),
        CheckConstraint("state <> 'closed' OR closed_at IS NOT NULL", name="closed"),
        CheckConstraint("closed_at >= opened_at", name="order"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    strategy: Mapped[str]
    account: Mapped[str]
    symbol: Mapped[str]
    session: Mapped[date]
    direction: Mapped[SmallInt]
    state: Mapped[TradeState] = mapped_column(words(TradeState, "state"))
    legs: Mapped[JsonList]
    quantity: Mapped[int]
    closed: Mapped[int] = mapped_column(server_default=text("0"))
    width: Mapped[Decimal | None]
    rules: Mapped[Json]
    config_hash: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    credit: Mapped[Decimal | None]
    debit: Mapped[Decimal | None]
    exit_reason: Mapped[ExitReason | None] = mapped_column(words(ExitReason, "exit_reason"))
    gross_pnl_usd: Mapped[Decimal | None]
    commissions_usd: Mapped[Decimal | None]
    max_gain_usd: Mapped[Decimal | None]
