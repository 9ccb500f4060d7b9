"""Executions and their commissions, booked together: one fold of the positions, however many came at once.

Works inside its caller's transaction and may be repeated: what is booked already changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.domain.fills import Fill
from htbot.persistence.repositories import FillRepository, PositionRepository
from htbot.portfolio.positions import PositionKey, fold


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a leg, and the market time that it became known at."""

    fill: Fill
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Charge:
    """What the broker took for an execution."""

    exec_id: str
    commission_usd: Decimal
    known_at: datetime


Booking = Execution | Charge


def book(session: Session, bookings: Sequence[Booking]) -> list[bool]:
    """Book what the broker told, each execution once; of each booking whether its execution is in the record.

    Of several commissions of one execution the last one stands.

    Raises:
        StopTrading: no intent has the reference of an execution; it is not ours to book.
    """
    charges = {one.exec_id: one.commission_usd for one in bookings if isinstance(one, Charge)}
    executions = {one.fill.exec_id: one for one in reversed(bookings) if isinstance(one, Execution)}
    added = FillRepository(session).add_all([_charged(one, charges) for one in executions.values()])
    moved = {(one.fill.account, one.fill.con_id) for exec_id, one in executions.items() if exec_id in added}
    late = {exec_id: amount for exec_id, amount in charges.items() if exec_id not in added}
    known = FillRepository(session).of_ids(late)
    changed = {exec_id: late[exec_id] for exec_id, fill in known.items() if fill.commission != late[exec_id]}
    FillRepository(session).set_commissions(changed)
    moved |= {(known[exec_id].account, known[exec_id].con_id) for exec_id in changed}
    if moved:
        refold_positions(session, moved, max(one.known_at for one in bookings))
    return [isinstance(one, Execution) or one.exec_id in added or one.exec_id in known for one in bookings]


def _charged(one: Execution, charges: Mapping[str, Decimal]) -> tuple[Fill, datetime]:
    amount = charges.get(one.fill.exec_id)
    return one.fill if amount is None else replace(one.fill, commission=amount), one.known_at


def refold_positions(session: Session, contracts: Collection[PositionKey], as_of: datetime) -> None:
    """The positions in some contracts, each of an account, from all of their fills."""
    positions, held = PositionRepository(session), fold(FillRepository(session).of_contracts(contracts))
    positions.put(held.values(), as_of)
    for account, con_id in contracts:
        if (account, con_id) not in held:  # every execution of it was busted
            positions.drop(account, con_id)
