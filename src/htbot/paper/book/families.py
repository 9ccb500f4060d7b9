"""Orders that depend on each other: brackets (parent and children) and OCA groups.

Rules (https://interactivebrokers.github.io/tws-api/bracket_order.html, .../oca.html):

* A child waits until its parent fills. While the parent is filled in part, the child works for the same part of its
  own quantity, rounded down to whole lots; a parent that ends part-filled leaves its children that part.
* The children of one parent are an OCA group by themselves, named by the parent's permId, of type 3.
* OCA groups are per account and go across clients. Type 1: any fill cancels the others. Types 2 and 3: a fill reduces
  the others in proportion; nothing left cancels them. The book looks at one order at a time, so that 'with block'
  (only one of them at the exchange) and 'without' come to the same.
* A client that cancels one member of a group cancels them all; an end by the system (a rejection, an expiry) leaves
  the others (https://ibkrcampus.com/glossary-terms/one-cancels-all-oca-order/). The children of a bracket, which were
  put into no group, are cancelled one by one.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from htbot.matching.view import whole_lots
from htbot.paper.book.orders import OCA_CANCEL, PaperOrder


class Families:
    """Live orders by parent and by OCA group."""

    def __init__(self) -> None:
        self._children: dict[int, dict[int, PaperOrder]] = defaultdict(dict)
        self._groups: dict[tuple[str, str], dict[int, PaperOrder]] = defaultdict(dict)
        self._parents: dict[int, PaperOrder] = {}

    def join(self, order: PaperOrder, parent: PaperOrder | None) -> None:
        """Take in a live order; `parent` may be over by now."""
        if parent is not None:
            self._children[parent.perm_id][order.perm_id] = order
            self._parents[order.perm_id] = parent
        if order.oca_group:
            self._groups[order.account, order.oca_group][order.perm_id] = order

    def leave(self, order: PaperOrder) -> None:
        """Forget an order that is over."""
        parent = self._parents.get(order.perm_id)
        if parent is not None:
            self._children[parent.perm_id].pop(order.perm_id, None)
        group = (order.account, order.oca_group)
        members = self._groups.get(group, {})
        members.pop(order.perm_id, None)
        if not members:
            self._groups.pop(group, None)

    def forget(self, order: PaperOrder) -> None:
        """Forget an order that is over and out of the book; no live one hangs on it."""
        self._parents.pop(order.perm_id, None)
        self._children.pop(order.perm_id, None)

    def parent(self, order: PaperOrder) -> PaperOrder | None:
        """The order that this one is attached to."""
        return self._parents.get(order.perm_id)

    def children(self, order: PaperOrder) -> list[PaperOrder]:
        """Live orders that are attached to this one, oldest first."""
        found = self._children.get(order.perm_id)
        return list(found.values()) if found else []

    def siblings(self, order: PaperOrder) -> list[PaperOrder]:
        """The other live members of the order's OCA group."""
        members = self._groups.get((order.account, order.oca_group)) if order.oca_group else None
        return [member for member in members.values() if member is not order] if members else []

    def tree(self, order: PaperOrder) -> list[PaperOrder]:
        """The whole bracket of an order, its root first."""
        root = order
        while (above := self.parent(root)) is not None:
            root = above
        found = [root]
        for member in found:
            found += self.children(member)
        return found

    def waits_for_parent(self, order: PaperOrder) -> bool:
        """Whether the parent has not filled at all yet."""
        parent = self.parent(order)
        return parent is not None and not parent.filled

    def workable(self, order: PaperOrder) -> Decimal:
        """How much the order may fill in all by now: a child no more than its parent's part.

        What siblings have taken of that part (`reduced`) is taken off it.
        """
        parent = self.parent(order)
        if parent is None or parent.filled >= parent.ticket.quantity:
            return order.quantity
        terms = order.ticket.terms
        part = whole_lots(terms.quantity * parent.filled / parent.ticket.quantity, terms.lot)
        return min(order.quantity, max(Decimal(0), part - order.reduced))


def reduced(sibling: PaperOrder, filled: PaperOrder, before: Decimal) -> Decimal:
    """A sibling's whole quantity after a fill in its group; `before` is what was open of the filled order.

    The filled order's OCA type decides. A result not above what the sibling has filled means that it is over.
    """
    if filled.ticket.oca_type == OCA_CANCEL or not filled.remaining:
        return sibling.filled
    left = whole_lots(sibling.remaining * filled.remaining / before, sibling.ticket.terms.lot)
    return sibling.filled + left
