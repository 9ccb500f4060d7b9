"""Rows of what the broker made of an intent: orders, their permanent ids, fills."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from htbot.domain.instruments import Right
from htbot.domain.orders import Action, OrderState, Purpose
from htbot.persistence.columns import words
from htbot.persistence.rows.base import Base, BigInt


class OrderRow(Base):
    """The order of one intent as the broker last told it; prices signed as IB (RULINGS 32)."""

    __tablename__ = "orders"
    __table_args__ = (CheckConstraint("quantity > 0 AND filled >= 0", name="size"),)

    ref: Mapped[str] = mapped_column(ForeignKey("intents.ref"), primary_key=True)
    order_id: Mapped[BigInt]
    client_id: Mapped[int]
    account: Mapped[str]
    purpose: Mapped[Purpose] = mapped_column(words(Purpose, "purpose"))
    action: Mapped[Action] = mapped_column(words(Action, "action"))
    quantity: Mapped[int]
    limit_price: Mapped[Decimal]
    state: Mapped[OrderState] = mapped_column(words(OrderState, "state"))
    filled: Mapped[int]
    average_price: Mapped[Decimal | None]
    perm_id: Mapped[BigInt | None]
    error_code: Mapped[int | None]
    error_text: Mapped[str]
    submitted_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class OrderPermIdRow(Base):
    """One permanent id that a reference was seen under; a reference may own several (RULINGS 15)."""

    __tablename__ = "order_perm_ids"

    ref: Mapped[str] = mapped_column(ForeignKey("intents.ref"), primary_key=True)
    perm_id: Mapped[BigInt] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[OrderState] = mapped_column(words(OrderState, "state"))
    changed_at: Mapped[datetime]


class FillRow(Base):
    """One execution of one leg; `commission` stays null until the broker has reported it (RULINGS 3)."""

    __tablename__ = "fills"
    __table_args__ = (
        CheckConstraint("quantity >= 0 AND multiplier > 0", name="size"),
        CheckConstraint("price >= 0", name="price"),
        Index("ix_fills_account_executed_at", "account", "executed_at"),
        Index("ix_fills_account_con_id", "account", "con_id"),
    )

    exec_id: Mapped[str] = mapped_column(primary_key=True)
    execution_key: Mapped[str] = mapped_column(index=True)
    ref: Mapped[str] = mapped_column(ForeignKey("intents.ref"), index=True)
    account: Mapped[str]
    con_id: Mapped[BigInt]
    symbol: Mapped[str]
    expiry: Mapped[date | None]
    strike: Mapped[Decimal | None]
    right: Mapped[Right | None] = mapped_column(words(Right, "right"))
    side: Mapped[Action] = mapped_column(words(Action, "side"))
    quantity: Mapped[int]
    price: Mapped[Decimal]
    multiplier: Mapped[int]
    executed_at: Mapped[datetime]
    perm_id: Mapped[BigInt]
    commission: Mapped[Decimal | None]
    modelled: Mapped[bool]
    known_at: Mapped[datetime]
