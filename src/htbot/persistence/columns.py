"""Column types that keep the house's promises: money is `Decimal`, time is aware UTC, words are enumerations."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import DateTime, Dialect, Enum, Numeric
from sqlalchemy.types import TypeDecorator

from htbot.domain.trades import RECORDED, plain_money


class Money(TypeDecorator[Decimal]):
    """`numeric(18,6)`. Binary floats, NaN and infinity are refused; PostgreSQL would store all three."""

    impl = Numeric(18, 6, asdecimal=True)
    cache_ok = True

    def process_bind_param(self, value: Decimal | int | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Amounts are rounded to the sixth decimal, half to even."""
        if value is None:
            return None
        if isinstance(value, float) or not Decimal(value).is_finite():
            raise ValueError(f"money must be a finite Decimal, not {value!r}: convert at the edge, never here")
        return Decimal(value).quantize(RECORDED)

    def process_result_value(self, value: Decimal | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Amounts read back print the same whatever wrote them."""
        return None if value is None else plain_money(value)


class UtcDateTime(TypeDecorator[datetime]):
    """`timestamptz`. A naive time is refused, every time read is aware UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """A naive time names no instant."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"time must be aware UTC, not naive {value!r}")
        return value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Whatever zone the connection speaks, the caller sees UTC."""
        return None if value is None else value.astimezone(UTC)


def words(enumeration: type[StrEnum], name: str) -> Enum:
    """A text column that holds the values of an enumeration, checked by a constraint called `name`.

    Text and check rather than PostgreSQL's enum type: a new word is then one constraint in one migration.
    """

    def values(members: Any) -> list[str]:
        return [member.value for member in members]

    return Enum(enumeration, name=name, native_enum=False, create_constraint=True, length=24, values_callable=values)
