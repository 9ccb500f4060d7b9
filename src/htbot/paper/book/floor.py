"""What holds a working order back, what the market does to it, and how it ends.

`advance` brings an order's status to what holds it, `look` lets it look at the market, `end` closes it together with
what hangs on it. Nothing in here reads a clock.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from htbot.domain.sessions import Session
from htbot.matching.look import CLOSING, look
from htbot.matching.triggers import TRAILING, advance, is_held
from htbot.matching.view import Phase, Scene
from htbot.paper.book.conditions import Owner
from htbot.paper.book.families import reduced
from htbot.paper.book.fills import Fills
from htbot.paper.book.orders import Execution, PaperOrder, Status
from htbot.paper.book.parts import Parts
from htbot.paper.book.quiet import Quiet
from htbot.paper.book.shelf import Shelf
from htbot.paper.book.views import BookViews, MarketFacts
from htbot.paper.errors import CANCELLED, ORDER_WARNING, RequestError

_LASTING = frozenset({"GTC", "GTD"})


class Floor:
    """Works the orders of the shelf at the market of its parts."""

    def __init__(self, shelf: Shelf, fills: Fills, parts: Parts) -> None:
        self._whims = parts.whims
        self._shelf = shelf
        self._families = shelf.families
        self._reports = shelf.reports
        self._fills = fills
        self._rules = parts.rules
        self._views = BookViews(parts.prices)
        self._quiet = Quiet(parts.prices, self._views)
        self._facts = MarketFacts(parts.prices, parts.valuer, fills.executions)
        self.credit = shelf.credit
        self._uncharged: list[tuple[datetime, list[Execution], PaperOrder]] = []
        self._looked_at = parts.prices.at

    # --- into the market ------------------------------------------------------------------------------------------

    def transmit(self, order: PaperOrder, at: datetime) -> bool:
        """The order and everything parked in its bracket goes to the market, parents first; whether it works now."""
        for member in self._families.tree(order):
            if member.parked:
                self._accept(member, at)
        return order.working

    def _accept(self, order: PaperOrder, at: datetime) -> None:
        waits = self._families.waits_for_parent(order)
        refusal = None if waits else self.credit.refusal(order, at)
        refusal = self._whims.refusal(order) or refusal
        if refusal is not None:
            self._refuse(order, refusal, at)
            return
        order.status = Status.PRE_SUBMITTED
        self.changed(order, at)

    def changed(self, order: PaperOrder, at: datetime) -> None:
        """A new or modified order is told, its warnings first; then it moves on as far as it may.

        Libraries take a warning about an order for a change of its state: a status always follows one.
        """
        order.due = True
        waits = self._families.waits_for_parent(order)
        order.why_held = _why_held(order, waits_for_parent=waits)
        if order.ticket.kind in TRAILING and not waits:
            self._begin_to_trail(order)
        for code, text in order.ticket.hints:
            self._reports.order_error(order, code, text)
        self._shelf.tell(order)
        if not self._advance(order, at) and order.working and not self._views.trades(order):
            self._reports.order_error(order, ORDER_WARNING, self._views.opening_note(order))
            self._reports.order_changed(order)

    def _begin_to_trail(self, order: PaperOrder) -> None:
        """Fill in the stop price of a new trailing order, as TWS does when it accepts one."""
        view = self._views.view(order, self._looked_at, Phase.CONTINUOUS)
        progress = advance(Scene(order.ticket.terms, order.tradable.legs, view), order.progress)
        if not progress.triggered:
            order.progress = progress

    def _refuse(self, order: PaperOrder, refusal: RequestError, at: datetime) -> None:
        """The reason first: libraries that know the order for ended by its status would not write it down."""
        order.status = Status.INACTIVE
        self._reports.order_error(order, refusal.code, refusal.text)
        self._finish(order, at, refusal.text)
        self._orphan(order, at)

    # --- at the market --------------------------------------------------------------------------------------------

    def look_all(self, at: datetime) -> None:
        """Let every working order look at the market; commissions that are due are told."""
        for order in self._shelf.working():
            if not self._quiet.holds(order, self._looked_at):
                self._look(order, at)
        self._looked_at = at
        self._charge(at)

    def look_due(self, at: datetime) -> None:
        """Let orders that arrived or changed look at the market for the first time."""
        for order in self._shelf.due():
            self._look(order, at)
        self._charge(at)

    def close_session(self, session: Session, at: datetime) -> None:
        """The closing auction, then the end of the day's orders, those for extended hours included.

        Orders of any kind end with a contract that expires.
        """
        for order in self._shelf.working():
            if order.ticket.kind in CLOSING and order.released and order.created_at < session.closes:
                self._match(order, at, Phase.CLOSING_AUCTION)
        for order in self._shelf.live():
            if _expires_by(order, session.day):
                self.end(order, at, "the contract has expired")
            elif order.ticket.tif not in _LASTING and order.created_at < session.closes:
                self.end(order, at, "end of the trading day")
        self._charge(at)

    def _look(self, order: PaperOrder, at: datetime) -> None:
        ticket = order.ticket
        if not order.working:
            return  # it ended with another order of this instant
        if ticket.good_till is not None and ticket.good_till <= at:
            self.end(order, at, "good-till date reached")
            return
        if ticket.conditions.cancel and self._conditions_met(order):
            self.end(order, at, "condition to cancel is met")
            return
        if order.due:
            order.due = False
            self._shelf.save(order)
        if self._advance(order, at):
            opens = order.since < at and self._views.opened_since(order, self._looked_at)
            self._match(order, at, Phase.OPENING_AUCTION if opens else Phase.CONTINUOUS)

    def _advance(self, order: PaperOrder, at: datetime) -> bool:
        """Bring the status to what holds the order back now; whether it may look at the market."""
        waits_for_parent = self._families.waits_for_parent(order)
        if not order.released and not waits_for_parent and self._time_has_come(order, at):
            if order.parent_perm_id:
                refusal = self.credit.refusal(order, at)
                if refusal is not None:
                    self._refuse(order, refusal, at)
                    return False
            order.released = True
            self._shelf.save(order)
        trades = self._views.trades(order)
        free = order.released and trades and not is_held(order.ticket.terms, order.progress)
        standing = (Status.SUBMITTED if free else order.status, _why_held(order, waits_for_parent=waits_for_parent))
        if standing != (order.status, order.why_held):
            order.status, order.why_held = standing
            self._shelf.tell(order)
        return order.released and trades and not self._views.halted(order)

    def _time_has_come(self, order: PaperOrder, at: datetime) -> bool:
        good_after = order.ticket.good_after
        if good_after is not None and good_after > at:
            return False
        return not order.ticket.conditions.hold or self._conditions_met(order)

    def _conditions_met(self, order: PaperOrder) -> bool:
        conditions = order.ticket.conditions
        if not conditions.ignore_rth and not self._views.in_regular_hours(order):
            return False
        return conditions.met(self._facts, Owner(order.account, order.since))

    def _match(self, order: PaperOrder, at: datetime, phase: Phase) -> None:
        workable = self._whims.most(order, self._families.workable(order))
        terms = replace(order.ticket.terms, quantity=workable)
        if terms.quantity <= order.filled:
            return  # a child that has done its part of what its parent filled
        before = order.progress
        legs = order.tradable.legs
        outcome = look(terms, before, legs, self._views.view(order, self._looked_at, phase), self._rules.fills)
        if outcome.progress.triggered and not before.triggered:
            order.progress = replace(outcome.progress, filled=before.filled)
            self._advance(order, at)
        if outcome.quantity:
            self._views.took(outcome, legs, terms.action)
            opened = order.remaining
            executions = self._fills.fill(order, outcome, at)
            self._after_fill(order, executions, opened, at)
        elif outcome.progress != order.progress:
            order.progress = outcome.progress
            self._shelf.save(order)
        if outcome.progress.trail_stop != before.trail_stop and order.working:
            self._shelf.tell(order)
        if outcome.cancel_rest and order.working:
            self.end(order, at, "")

    def _after_fill(self, order: PaperOrder, executions: list[Execution], opened: Decimal, at: datetime) -> None:
        if not order.remaining:
            order.status = Status.FILLED
            self._shelf.leave(order, at)
        self._shelf.save(order)
        self._reports.executed(executions, order)
        delay = timedelta(seconds=self._rules.commission_delay_s)
        self._uncharged.append((at + delay, executions, order))
        for sibling in self._families.siblings(order):
            self._balance(sibling, order, opened, at)
        for child in self._families.children(order):
            if child.working:
                child.due = True
                self._shelf.save(child)
                self._advance(child, at)

    def _balance(self, sibling: PaperOrder, order: PaperOrder, opened: Decimal, at: datetime) -> None:
        """A fill in its OCA group cancels or reduces an order."""
        quantity = reduced(sibling, order, opened)
        if quantity <= sibling.filled:
            self.end(sibling, at, "")
        elif quantity != sibling.quantity:
            sibling.reduced += sibling.quantity - quantity
            sibling.quantity = quantity
            self._shelf.tell(sibling)

    def end(self, order: PaperOrder, at: datetime, reason: str) -> None:
        """Cancel or expire a live order: status Cancelled and error 202; what hangs on it goes with it."""
        if not order.live and order.status is not Status.PENDING_CANCEL:
            return
        order.status = Status.API_CANCELLED if order.parked else Status.CANCELLED
        self._finish(order, at, reason)
        self._reports.order_error(order, CANCELLED, f"Order Canceled - reason:{reason}")
        self._orphan(order, at)
        parent = self._families.parent(order)
        if order.ticket.auto_cancel_parent and parent is not None and parent.live:
            self.end(parent, at, "")

    def _orphan(self, order: PaperOrder, at: datetime) -> None:
        """The children of an order that ended without being filled: gone, or left with its filled part."""
        for child in self._families.children(order):
            left = self._families.workable(child)
            if left <= child.filled:
                self.end(child, at, "")  # its quantity stays: filled + remaining is still the whole
                continue
            child.quantity = left
            if child.working:
                self._shelf.tell(child)

    def _charge(self, at: datetime) -> None:
        due = [row for row in self._uncharged if row[0] <= at]
        if due:
            self._uncharged = [row for row in self._uncharged if row[0] > at]
            for _at, executions, order in due:
                self._reports.charged(executions, order)

    def _finish(self, order: PaperOrder, at: datetime, reason: str) -> None:
        self._shelf.leave(order, at, reason)
        self._shelf.tell(order)


def _expires_by(order: PaperOrder, day: date) -> bool:
    """Whether a leg's contract is over with a day's session."""
    expiries = (details.contract.expiry for details in order.tradable.details)
    return any(expiry is not None and expiry <= day for expiry in expiries)


def _why_held(order: PaperOrder, *, waits_for_parent: bool) -> str:
    """What TWS writes: `child` for its parent's sake, `trigger` for a price that has not come yet."""
    terms = order.ticket.terms
    reasons = (("child", waits_for_parent), ("trigger", not terms.at_open and is_held(terms, order.progress)))
    return ",".join(name for name, holds in reasons if holds)
