"""Executions and their commissions, booked together: one fold of the positions, however many came at once.

Works inside its caller's transaction and may be repeated: what is booked already changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.domain.fills import Fill
from htbot.domain.positions import Position
from htbot.persistence.repositories import FillRepository, PositionRepository
from htbot.portfolio.positions import Folding, PositionKey


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


@dataclass(frozen=True, slots=True)
class _Kept:
    """A fold, and what was written of it when."""

    folding: Folding
    written: Position
    written_at: datetime


@dataclass(slots=True)
class PositionFolds:
    """Folds of contracts that went on lately, so that an execution costs the same however many there were before it.

    A fold goes on only from a row that is what it has written last. So it matters to nobody whether the transaction
    before was committed, or who else has booked: then all executions of the contract are folded anew.
    """

    _kept: dict[PositionKey, _Kept] = field(default_factory=dict)

    def book(self, session: Session, bookings: Sequence[Booking]) -> list[bool]:
        """Book what the broker told, each execution once; of each booking whether its execution is in the record.

        Of several commissions of one execution the last one stands.

        Raises:
            StopTrading: no intent has the reference of an execution; it is not ours to book.
        """
        fills = FillRepository(session)
        charges = {one.exec_id: one.commission_usd for one in bookings if isinstance(one, Charge)}
        executions = {one.fill.exec_id: one for one in reversed(bookings) if isinstance(one, Execution)}
        told = [(_charged(one.fill, charges), one.known_at) for one in executions.values()]
        added = fills.add_all(told)
        late = {exec_id: amount for exec_id, amount in charges.items() if exec_id not in added}
        known = fills.of_ids(late)
        changed = {exec_id: late[exec_id] for exec_id, fill in known.items() if fill.commission != late[exec_id]}
        fills.set_commissions(changed)
        news = [fill for fill, _known_at in told if fill.exec_id in added]
        if news or changed:
            charged = [(known[exec_id], amount) for exec_id, amount in changed.items()]
            self._move(session, news, charged, max(one.known_at for one in bookings))
        return [isinstance(one, Execution) or one.exec_id in added or one.exec_id in known for one in bookings]

    def _move(
        self, session: Session, news: Iterable[Fill], charged: Iterable[tuple[Fill, Decimal]], as_of: datetime
    ) -> None:
        """Positions go on by what is new of their contracts; what fails on the way is kept no longer."""
        in_time, charged = sorted(news, key=lambda fill: (fill.executed_at, fill.exec_id)), tuple(charged)
        moved = {_contract(fill) for fill in (*in_time, *(fill for fill, _amount in charged))}
        going_on = {key: self._kept.pop(key) for key in moved & self._kept.keys()}
        for fill in in_time:
            if (kept := going_on.get(_contract(fill))) and not kept.folding.add(fill):
                del going_on[_contract(fill)]
        for fill, amount in charged:
            if (kept := going_on.get(_contract(fill))) and not kept.folding.charge(fill, amount):
                del going_on[_contract(fill)]
        steps = [(kept.written, kept.written_at, kept.folding.position) for kept in going_on.values()]
        followed = PositionRepository(session).follow(steps, as_of)
        for key in followed:
            self._kept[key] = _Kept(going_on[key].folding, going_on[key].folding.position, as_of)
        if anew := moved - followed:
            self.refold(session, anew, as_of)

    def refold(self, session: Session, contracts: Collection[PositionKey], as_of: datetime) -> None:
        """The positions in some contracts, each of an account, from all of their executions."""
        by_contract: dict[PositionKey, list[Fill]] = {key: [] for key in contracts}
        for fill in FillRepository(session).of_contracts(contracts):
            by_contract[_contract(fill)].append(fill)
        positions, held = PositionRepository(session), []
        for key, fills in by_contract.items():
            folding = Folding.of(fills)
            if folding is None:  # every execution of it was busted
                self._kept.pop(key, None)
                positions.drop(*key)
            else:
                self._kept[key] = _Kept(folding, folding.position, as_of)
                held.append(folding.position)
        positions.put(held, as_of)


def _charged(fill: Fill, charges: Mapping[str, Decimal]) -> Fill:
    amount = charges.get(fill.exec_id)
    return fill if amount is None else replace(fill, commission=amount)


def _contract(fill: Fill) -> PositionKey:
    return fill.account, fill.con_id
