"""What working orders tie up of the accounts they are for, kept as they change: a gateway may hold thousands."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from htbot.paper.book.orders import PaperOrder

_ZERO = Decimal(0)
_CENT = Decimal("0.01")


class Reserve:
    """USD tied up by account. An order counts as it was when it was first asked about after its last change or fill.

    The children of a bracket wait for their parent and tie up nothing; of an OCA group the dearest alone counts.
    `taken` says what an order alone takes of an account's funds.
    """

    def __init__(self, taken: Callable[[PaperOrder, str, Decimal], Decimal]) -> None:
        self._taken = taken
        self._changed: dict[int, PaperOrder] = {}
        self._amounts: dict[int, dict[str, Decimal]] = {}
        self._groups: dict[int, str] = {}
        self._single: dict[str, Decimal] = {}
        self._members: dict[str, dict[str, dict[int, Decimal]]] = {}

    def note(self, order: PaperOrder) -> None:
        """An order was placed, changed, filled or ended."""
        self._changed[order.perm_id] = order

    def beside(self, order: PaperOrder, account: str, taken: Decimal) -> Decimal:
        """What all other orders tie up of an account beside one that takes `taken`."""
        for other in self._changed.values():
            self._count(other)
        self._changed.clear()
        own = order.perm_id
        total = self._single.get(account, _ZERO)
        if own not in self._groups:
            total -= self._amounts.get(own, {}).get(account, _ZERO)
        for group, amounts in self._members.get(account, {}).items():
            dearest = max((amount for perm_id, amount in amounts.items() if perm_id != own), default=_ZERO)
            total += dearest if group != order.oca_group else max(_ZERO, dearest - taken)
        return total

    def _count(self, order: PaperOrder) -> None:
        self._drop(order.perm_id)
        if not order.working or order.parent_perm_id:
            return
        amounts = {}
        for account, units in open_units(order):
            if units > 0:
                amounts[account] = self._taken(order, account, units).quantize(_CENT, ROUND_HALF_UP)
        self._amounts[order.perm_id] = amounts
        if order.oca_group:
            self._groups[order.perm_id] = order.oca_group
        for account, amount in amounts.items():
            if order.oca_group:
                groups = self._members.setdefault(account, {})
                groups.setdefault(order.oca_group, {})[order.perm_id] = amount
            else:
                self._single[account] = self._single.get(account, _ZERO) + amount

    def _drop(self, perm_id: int) -> None:
        group = self._groups.pop(perm_id, None)
        for account, amount in self._amounts.pop(perm_id, {}).items():
            if group is None:
                self._single[account] -= amount
                continue
            members = self._members[account][group]
            del members[perm_id]
            if not members:
                del self._members[account][group]


def open_units(order: PaperOrder) -> list[tuple[str, Decimal]]:
    """Units that are not filled yet by account: an adviser's order has several."""
    if len(order.portions) == 1:
        return [(order.portions[0].account, order.remaining)]
    return [(portion.account, portion.share - portion.filled) for portion in order.portions]
