"""Positions as a fold of leg executions: recomputable from zero, whatever order or number of times fills arrive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import reduce

from htbot.domain.fills import Fill
from htbot.domain.positions import Position

PositionKey = tuple[str, int]


def latest(fills: Iterable[Fill]) -> list[Fill]:
    """Each execution once, in its last correction, oldest first (RULINGS 3, FAULTS 35).

    A correction reuses the execution id with a higher last part. Of two rows with the same id the one that knows its
    commission wins; a correction without a commission keeps its original's. A correction to quantity 0 is a bust.
    """
    return sorted((fill for fill in newest(fills).values() if fill.quantity), key=_place)


def newest(fills: Iterable[Fill]) -> dict[str, Fill]:
    """The last word on each execution by its key, busts (quantity 0) included."""
    chosen: dict[str, Fill] = {}
    for fill in fills:
        key = fill.execution_key
        rival = chosen.get(key)
        chosen[key] = fill if rival is None else _newer(rival, fill)
    return chosen


def corrects(fill: Fill, booked: Fill) -> bool:
    """True when `fill` is a later correction of the booked execution."""
    return fill.execution_key == booked.execution_key and _correction(fill) > _correction(booked)


def fold(fills: Iterable[Fill]) -> dict[PositionKey, Position]:
    """Net positions by (account, contract id), closed ones included with quantity 0.

    The average price is that of the opening side; a fill that passes through zero realises the old side and opens the
    new one at its own price. `realized_usd` is without commissions, `commissions_usd` the sum of the known ones.
    """
    positions: dict[PositionKey, Position] = {}
    for fill in latest(fills):
        key = (fill.account, fill.con_id)
        positions[key] = apply(positions.get(key) or _empty(fill), fill)
    return positions


@dataclass(slots=True)
class Folding:
    """The fold of one contract so far, which executions are added to as they come: equal to `fold` of all of them.

    `last` is the place in time of the last execution, `counted` the ids that count by execution key.
    """

    position: Position
    last: tuple[datetime, str]
    counted: dict[str, str]

    @classmethod
    def of(cls, fills: Iterable[Fill]) -> Folding | None:
        """The fold of every execution of a contract, None when none of them counts."""
        counted = latest(fills)
        if not counted:
            return None
        position = reduce(apply, counted, _empty(counted[0]))
        return cls(position, _place(counted[-1]), {fill.execution_key: fill.exec_id for fill in counted})

    def add(self, fill: Fill) -> bool:
        """Add an execution; False when all have to be folded anew: it is a correction, or others came after it."""
        if not fill.quantity or fill.execution_key in self.counted or _place(fill) <= self.last:
            return False
        self.position, self.last = apply(self.position, fill), _place(fill)
        self.counted[fill.execution_key] = fill.exec_id
        return True

    def charge(self, fill: Fill, commission: Decimal) -> bool:
        """Put a commission in place of the one of an execution; False when that one does not count."""
        if self.counted.get(fill.execution_key) != fill.exec_id:
            return False
        fees = self.position.commissions_usd - (fill.commission or Decimal(0)) + commission
        self.position = replace(self.position, commissions_usd=fees)
        return True


def apply(position: Position, fill: Fill) -> Position:
    """The position after one more execution of its contract."""
    signed, held = fill.signed_quantity, position.quantity
    after = held + signed
    fees = position.commissions_usd + (fill.commission or Decimal(0))
    if held == 0 or held * signed > 0:
        cost = position.average_price * abs(held) + fill.price * abs(signed)
        return replace(position, quantity=after, average_price=cost / abs(after), commissions_usd=fees)
    closed = min(abs(signed), abs(held))
    gain = (fill.price - position.average_price) * closed * fill.multiplier * (1 if held > 0 else -1)
    average = position.average_price if after * held > 0 else fill.price
    return replace(
        position,
        quantity=after,
        average_price=average if after else Decimal(0),
        realized_usd=position.realized_usd + gain,
        commissions_usd=fees,
    )


def _place(fill: Fill) -> tuple[datetime, str]:
    return fill.executed_at, fill.exec_id


def _empty(fill: Fill) -> Position:
    return Position(
        account=fill.account,
        con_id=fill.con_id,
        symbol=fill.symbol,
        expiry=fill.expiry,
        strike=fill.strike,
        right=fill.right,
        multiplier=fill.multiplier,
    )


def _correction(fill: Fill) -> int:
    """The last part of the execution id as a number; -1 for an id without one."""
    suffix = fill.exec_id.rpartition(".")[2]
    return int(suffix) if suffix.isdecimal() and "." in fill.exec_id else -1


def _newer(first: Fill, second: Fill) -> Fill:
    winner, loser = (first, second) if _rank(first) >= _rank(second) else (second, first)
    if winner.commission is None and loser.commission is not None:
        return replace(winner, commission=loser.commission)
    return winner


def _rank(fill: Fill) -> tuple[int, bool, Decimal]:
    return _correction(fill), fill.commission is not None, fill.commission or Decimal(0)
