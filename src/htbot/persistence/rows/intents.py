"""Row of an intent: a committed decision to send one order."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from htbot.domain.orders import Action, ExitReason, IntentState, PriceStyle, Purpose
from htbot.persistence.columns import words
from htbot.persistence.rows.base import Base, BigInt, Json, JsonList
from htbot.persistence.states import LIVE_INTENT_STATES, sql_words

_LIVE = f"state IN ({sql_words(LIVE_INTENT_STATES)})"


class IntentRow(Base):
    """One intent; `ref` is the broker's `orderRef`, the epoch that of the desk that claimed it (ARCHITECTURE 7).

    Protective orders of one `order_group` exclude each other at the broker; beside them a trade has one live exit. One
    with a `level` sells a part at that profit level, once.
    """

    __tablename__ = "intents"
    __table_args__ = (
        UniqueConstraint("trade_id", "purpose", "sequence"),
        UniqueConstraint("client_id", "order_id"),
        Index(
            "uq_intents_live_exit",
            "trade_id",
            unique=True,
            postgresql_where=text(f"purpose = 'exit' AND order_group IS NULL AND {_LIVE}"),
        ),
        Index("uq_intents_level", "trade_id", "level", unique=True, postgresql_where=text("level IS NOT NULL")),
        Index("ix_intents_live", "state", "created_at", postgresql_where=text(_LIVE)),
        Index("ix_intents_account_created_at", "account", "created_at"),
        CheckConstraint("sequence > 0 AND quantity > 0 AND tick > 0", name="size"),
        CheckConstraint("(purpose = 'entry') = (decision_id IS NOT NULL)", name="approval"),
        CheckConstraint("(purpose = 'exit') = (exit_reason IS NOT NULL)", name="reason_of_exit"),
        CheckConstraint("state IN ('PENDING', 'WITHDRAWN', 'EXPIRED') OR claim_epoch IS NOT NULL", name="claimed"),
        CheckConstraint("(client_id IS NULL) = (order_id IS NULL)", name="reserved_id"),
    )

    ref: Mapped[str] = mapped_column(primary_key=True)
    trade_id: Mapped[str] = mapped_column(ForeignKey("trades.id"))
    strategy: Mapped[str]
    account: Mapped[str]
    session: Mapped[date]
    purpose: Mapped[Purpose] = mapped_column(words(Purpose, "purpose"))
    sequence: Mapped[int]
    action: Mapped[Action] = mapped_column(words(Action, "action"))
    symbol: Mapped[str]
    quantity: Mapped[int]
    legs: Mapped[JsonList]
    limit_price: Mapped[Decimal]
    worst_limit: Mapped[Decimal]
    tick: Mapped[Decimal]
    style: Mapped[PriceStyle] = mapped_column(words(PriceStyle, "style"))
    created_at: Mapped[datetime]
    good_till: Mapped[datetime | None]
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("risk_decisions.id"), unique=True)
    exit_reason: Mapped[ExitReason | None] = mapped_column(words(ExitReason, "exit_reason"))
    order_group: Mapped[str | None]
    level: Mapped[int | None]
    evidence: Mapped[Json]
    state: Mapped[IntentState] = mapped_column(words(IntentState, "state"))
    changed_at: Mapped[datetime]
    reason: Mapped[str]
    claim_epoch: Mapped[BigInt | None]
    client_id: Mapped[int | None]
    order_id: Mapped[BigInt | None]
