"""The gateway's order book: what clients ask of their orders, answered and recorded.

The book decides and records; what clients are told goes out through `Reports`. Nothing in here reads a clock.
Orders stand on the `Shelf`, are worked on the `Floor`, and become executions in `Fills`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from htbot.domain.orders import Action
from htbot.domain.sessions import Session
from htbot.matching.fills import touch
from htbot.matching.terms import Progress
from htbot.matching.triggers import is_held
from htbot.paper.accounts.bookings import Booking
from htbot.paper.accounts.credit import Credit, WhatIf
from htbot.paper.book.entry import Entry, check_tradable, ticket_from
from htbot.paper.book.fills import Fills
from htbot.paper.book.floor import Floor
from htbot.paper.book.orders import Execution, PaperOrder, Portion, Status, Ticket
from htbot.paper.book.parts import BookRules, Parts
from htbot.paper.book.shelf import Reports, Shelf
from htbot.paper.errors import (
    CANCEL_IMPOSSIBLE,
    CANCEL_NOT_FOUND,
    DUPLICATE_ORDER,
    FILLED_ORDER,
    MODIFY_MISMATCH,
    NO_SUCH_ORDER,
    RequestError,
    rejected,
)

__all__ = ["Book", "BookRules", "Parts", "Reports", "Submission"]

_ALGO_CHANGED = 440
_OCA_CHANGED = 10326


@dataclass(frozen=True, slots=True)
class Submission:
    """A placeOrder message with its sender; `frame` is the message as it came.

    `shares` are the accounts that an adviser's order is for, each with its part; a plain order has none.
    """

    client_id: int
    version: int
    frame: tuple[str, ...]
    values: Mapping[str, Any]
    account: str
    shares: Mapping[str, Decimal] = field(default_factory=dict)


class Book:
    """Orders of all clients, from acceptance to their end."""

    def __init__(self, parts: Parts, reports: Reports, world_id: str) -> None:
        self._contracts = parts.contracts
        self._prices = parts.prices
        self._records = parts.records
        self._reports = reports
        self._world = zlib.crc32(world_id.encode())
        self._fills = Fills(parts, self._world)
        self._shelf = Shelf(parts.records, reports, Credit(parts.prices, parts.valuer))
        self._floor = Floor(self._shelf, self._fills, parts)

    def restore(self) -> None:
        """Read the book from the records of an earlier run."""
        for order in self._records.orders(self._contracts):
            self._shelf.enter(order)
        self._fills.restore()

    @property
    def working(self) -> list[PaperOrder]:
        """Orders that may still fill, oldest permId first; parked ones (transmit=0) are not among them."""
        return self._shelf.working()

    @property
    def busy(self) -> bool:
        """Whether any order works."""
        return self._shelf.busy

    @property
    def executions(self) -> list[Execution]:
        """Every execution in the order in which it happened, each as last corrected."""
        return list(self._fills.executions.values())

    def orders(self) -> Iterator[PaperOrder]:
        """Every order, parked and ended ones included, oldest permId first."""
        return self._shelf.all()

    def completed(self) -> Iterator[PaperOrder]:
        """Orders that are filled, cancelled or rejected, oldest permId first."""
        return (order for order in self._shelf.all() if not order.live)

    def find(self, client_id: int, order_id: int) -> PaperOrder | None:
        """The order that a client knows under this id."""
        return self._shelf.find(client_id, order_id)

    def by_perm_id(self, perm_id: int) -> PaperOrder | None:
        """The order with a permanent id."""
        return self._shelf.by_perm_id(perm_id)

    def next_order_id(self, client_id: int) -> int:
        """A number above every order id that the client ever used."""
        return self._records.next_order_id(client_id)

    def has_due(self) -> bool:
        """Whether an order waits for its first look at the market."""
        return self._shelf.has_due

    def flush(self) -> None:
        """Write what changed; the caller commits."""
        self._records.flush()

    # --- requests -----------------------------------------------------------------------------------------------

    def place(self, message: Submission, at: datetime) -> PaperOrder | None:
        """Accept a new order or a modification; None when it was refused by the account's risk (reported as 201).

        A modification that is refused is reported and leaves the order as it was.

        Raises:
            RequestError: a new order is answered with an error and nothing changed.
        """
        order_id = message.values["orderId"]
        known = self._shelf.find(message.client_id, order_id)
        if known is not None and known.live:
            return self._modify(known, message, at)
        if known is None and order_id < self.next_order_id(message.client_id):
            raise RequestError(DUPLICATE_ORDER, "Duplicate order id")
        order = self._drafted(message, at)
        if known is not None:
            same = _same_order(known, order) and known.ticket.ref == order.ticket.ref
            filled = known.status is Status.FILLED and same
            raise RequestError(*(FILLED_ORDER if filled else (DUPLICATE_ORDER, "Duplicate order id")))
        self._attach(order)
        order.perm_id = self._records.new_perm_id(self._world)
        self._records.use_order_id(message.client_id, order_id)
        self._shelf.enter(order)
        self._shelf.save(order)
        if not order.ticket.transmit or self._floor.transmit(order, at):
            return order
        return None

    def what_if(self, message: Submission, at: datetime) -> tuple[PaperOrder, WhatIf]:
        """Margins and commission of an order that is not placed.

        Raises:
            RequestError: the order would not be accepted.
        """
        order = self._drafted(message, at)
        order.status = Status.PRE_SUBMITTED
        return order, self._shelf.credit.what_if(order)

    def cancel(self, client_id: int, order_id: int, at: datetime) -> PaperOrder:
        """Cancel an order of this client, and with it the rest of an OCA group that it was put into.

        Raises:
            RequestError: 10147 when there is none, 10148 when it is over.
        """
        order = self._shelf.find(client_id, order_id)
        if order is None:
            raise RequestError(CANCEL_NOT_FOUND, f"OrderId {order_id} that needs to be cancelled is not found.")
        if not order.live:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {order.status}."
            raise RequestError(CANCEL_IMPOSSIBLE, text)
        siblings = self._shelf.families.siblings(order) if order.ticket.oca_group else []
        self._withdraw_all([order, *siblings], at, "")
        return order

    def cancel_all(self, at: datetime) -> None:
        """Cancel every live order of every client."""
        self._withdraw_all(self._shelf.live(), at, "Global cancel")

    # --- the market moves -----------------------------------------------------------------------------------------

    def look_all(self, at: datetime) -> None:
        """Let every working order look at the market; commissions that are due are told."""
        self._floor.look_all(at)

    def look_due(self, at: datetime) -> None:
        """Let orders that arrived or changed look at the market for the first time."""
        self._floor.look_due(at)

    def clear_due(self) -> None:
        """Orders that could not look at a closed market wait for the next instant, not for another barrier."""
        for order in self._shelf.due():
            order.due = False
            self._shelf.save(order)

    def expire(self, at: datetime) -> None:
        """End orders whose good-till date is over."""
        for order in self._shelf.live():
            if order.ticket.good_till is not None and order.ticket.good_till <= at:
                self._floor.end(order, at, "good-till date reached")

    def close_session(self, session: Session, at: datetime) -> None:
        """The closing auction, then the end of the day's orders."""
        self._floor.close_session(session, at)

    def forget(self, before: datetime) -> None:
        """Drop what ended before an instant and nobody can ask for any more: a gateway may run for months.

        Executions stay while a live order has a condition that may be about them.
        """
        self._shelf.forget(before)
        for order in self._shelf.live():
            self._shelf.credit.note(order)  # a day is over: what it ties up is reckoned anew
        asking = (order.since for order in self._shelf.live() if order.ticket.conditions.items)
        self._fills.forget(min([before, *asking]))

    def end(self, order: PaperOrder, at: datetime, reason: str) -> None:
        """Cancel or expire a live order: status Cancelled and error 202."""
        self._floor.end(order, at, reason)

    def broker_trade(self, trade: Booking, contract: dict[str, Any], at: datetime) -> Execution:
        """A trade that the broker makes by itself, such as an expiry: no order, no client."""
        execution = self._fills.broker_trade(trade, contract, at)
        self._reports.executed([execution], None)
        self._reports.charged([execution], None)
        return execution

    def correct(self, exec_id: str, price: Decimal, quantity: Decimal) -> Execution:
        """Put an execution right: reported anew under the same id with a higher last part; quantity 0 busts it.

        Raises:
            KeyError: there is no such execution.
            ValueError: it belongs to a combination or to no order, or the quantity is not within the old one.
        """
        wrong = self._fills.executions[exec_id.rpartition(".")[0]]
        order = self._shelf.by_perm_id(wrong.perm_id)
        if order is None or order.tradable.is_combination or not 0 <= quantity <= wrong.quantity:
            raise ValueError(
                f"execution {exec_id}: only a single contract's fill can be corrected, and not made larger"
            )
        right = self._fills.correct(order, wrong, price, quantity)
        self._shelf.save(order)
        self._reports.executed([right], order)
        self._reports.charged([right], order)
        return right

    # --- inside ---------------------------------------------------------------------------------------------------

    def _drafted(self, message: Submission, at: datetime) -> PaperOrder:
        """The order that a message asks for, checked, but in no book yet."""
        values = message.values
        tradable = self._contracts.tradable(values, at)
        ticket = ticket_from(values, tradable, Entry(at, message.version, self._contracts.exists, self._touch))
        check_tradable(tradable, at)
        shares = message.shares or {message.account: ticket.quantity}
        return PaperOrder(
            client_id=message.client_id,
            order_id=values["orderId"],
            perm_id=0,
            account=message.account,
            frame=message.frame,
            version=message.version,
            created_at=at,
            since=at,
            tradable=tradable,
            ticket=ticket,
            quantity=sum(shares.values(), Decimal(0)),
            echo=dict(values),
            portions=tuple(Portion(account, share) for account, share in shares.items()),
            leg_values=(Decimal(0),) * len(tradable.legs),
            oca_group=ticket.oca_group,
        )

    def _touch(self, con_id: int, side: Action) -> Decimal | None:
        return touch(self._prices.quote(con_id), side, in_combination=False)

    def _attach(self, order: PaperOrder) -> None:
        """Tie a new child to its parent: without a group of its own it shares one with its siblings."""
        if not order.ticket.parent_id:
            return
        parent = self._shelf.find(order.client_id, order.ticket.parent_id)
        if parent is None:
            raise RequestError(NO_SUCH_ORDER, f"Can't find order with id ={order.ticket.parent_id}")
        if not parent.live and parent.status is not Status.FILLED:
            raise rejected("The parent order is over")
        order.parent_perm_id = parent.perm_id
        order.oca_group = order.oca_group or str(parent.perm_id)

    def _withdraw_all(self, orders: Iterable[PaperOrder], at: datetime, reason: str) -> None:
        """Cancel on request what an earlier one has not taken along; at the exchange it is PendingCancel first."""
        for order in orders:
            if not order.live:
                continue
            if order.status is Status.SUBMITTED:
                order.status = Status.PENDING_CANCEL
                self._reports.order_changed(order)
            self._floor.end(order, at, reason)

    def _modify(self, order: PaperOrder, message: Submission, at: datetime) -> PaperOrder | None:
        """Change a live order, or say why not and how it stands: libraries take the error for the order's end."""
        try:
            return self._change(order, message, at)
        except RequestError as error:
            self._reports.order_error(order, error.code, error.text)
            if order.working:
                self._reports.order_changed(order)
            return order

    def _change(self, order: PaperOrder, message: Submission, at: datetime) -> PaperOrder | None:
        draft = self._drafted(message, at)
        ticket = draft.ticket
        _check_change(order, draft)
        draft.perm_id, draft.progress = order.perm_id, Progress(order.filled)
        draft.portions = _portions_after(order, draft)
        waits = self._shelf.families.waits_for_parent(order)
        refusal = None if order.parked or waits else self._shelf.credit.refusal(draft, at)
        if refusal is not None:
            raise refusal
        order.progress = _progress_after(order, ticket)
        order.released = order.released and not _holds_again(order.ticket, ticket, at)
        order.ticket, order.quantity, order.tradable = ticket, draft.quantity, draft.tradable
        order.portions, order.reduced = draft.portions, Decimal(0)
        order.frame, order.version, order.echo, order.since = draft.frame, draft.version, draft.echo, at
        if order.parked:
            self._shelf.save(order)
            return order if not ticket.transmit or self._floor.transmit(order, at) else None
        if not order.released or is_held(ticket.terms, order.progress):
            order.status = Status.PRE_SUBMITTED
        self._floor.changed(order, at)
        return order


def _same_order(order: PaperOrder, draft: PaperOrder) -> bool:
    asked = (draft.tradable.legs, draft.ticket.action, draft.account)
    return asked == (order.tradable.legs, order.ticket.action, order.account)


def _check_change(order: PaperOrder, draft: PaperOrder) -> None:
    """What a modification may not change; the order lives on unchanged.

    Raises:
        RequestError: 105, 440 for the algorithm, 10326 for the OCA group.
    """
    old, new = order.ticket, draft.ticket
    same_parent = new.parent_id in {0, old.parent_id}
    if not _same_order(order, draft) or not same_parent or new.quantity <= order.filled:
        raise RequestError(MODIFY_MISMATCH, "Order being modified does not match original order")
    if new.algo != old.algo:
        raise RequestError(_ALGO_CHANGED, "Order modify failed. Algorithm cannot be modified.")
    if new.oca_group not in {"", old.oca_group, order.oca_group}:
        raise RequestError(_OCA_CHANGED, "OCA group revision is not allowed.")


def _holds_again(old: Ticket, new: Ticket, at: datetime) -> bool:
    """Whether a change gives a released order something to wait for: other conditions, or a time to come."""
    conditions = new.conditions.hold and new.conditions != old.conditions
    return conditions or (new.good_after is not None and new.good_after > at)


def _portions_after(order: PaperOrder, draft: PaperOrder) -> tuple[Portion, ...]:
    """What each account has got so far, with its share of the changed order.

    Raises:
        RequestError: 105, the order is for other accounts.
    """
    shares = {portion.account: portion.share for portion in draft.portions}
    if shares.keys() != {portion.account for portion in order.portions}:
        raise RequestError(MODIFY_MISMATCH, "Order being modified does not match original order")
    return tuple(replace(portion, share=shares[portion.account]) for portion in order.portions)


def _progress_after(order: PaperOrder, ticket: Ticket) -> Progress:
    """Progress goes on when only quantity or time change; another price starts afresh, another type wholly."""
    old, new = order.ticket.terms, ticket.terms
    if replace(new, quantity=old.quantity, minimum=old.minimum) == old:
        return order.progress
    return order.progress.repriced() if new.kind is old.kind else Progress(order.filled)
