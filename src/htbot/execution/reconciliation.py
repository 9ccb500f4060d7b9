"""Comparing our books with the broker's, and finding out what became of an order in doubt.

Nothing here trades: findings are events, and an order in doubt is looked up by its ref (ARCHITECTURE section 7, FAULTS:
reconciliation writes events, it never trades).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from htbot.domain.fills import Fill
from htbot.domain.orders import OrderIntent, OrderState, Purpose
from htbot.domain.positions import Position
from htbot.execution.fills import whole_spreads
from htbot.execution.messages import OpenOrderMessage
from htbot.execution.states import IntentEvent
from htbot.portfolio.positions import PositionKey, corrects, latest, newest

REF_PREFIX = "htbot-"
CANCELLED_STATUSES = frozenset({"Cancelled", "ApiCancelled"})
ENDED_STATUSES = CANCELLED_STATUSES | {"Filled", "Inactive"}


class FindingKind(StrEnum):
    """Outcome of one comparison (spec 05 section 6)."""

    MATCH = "MATCH"
    MISSING_FILL = "MISSING_FILL"
    EXTERNAL_POSITION = "EXTERNAL_POSITION"
    PHANTOM = "PHANTOM"
    QTY_DIFF = "QTY_DIFF"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    FOREIGN_ORDER = "FOREIGN_ORDER"
    LOST_ORDER = "LOST_ORDER"


# Not ours, so no doubt about our own books: a person is told and nothing is touched.
_NOT_OURS = frozenset({FindingKind.EXTERNAL_POSITION, FindingKind.FOREIGN_ORDER})


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a reconciliation.

    `con_id` is 0 in findings about orders, `ref` empty and `perm_id` 0 in those about positions.
    """

    kind: FindingKind
    account: str
    detail: str
    con_id: int = 0
    symbol: str = ""
    ref: str = ""
    ours: int = 0
    broker: int = 0
    perm_id: int = 0

    @property
    def foreign(self) -> bool:
        """True of what is not ours: never adopted, never closed, told to a person."""
        return self.kind in _NOT_OURS

    @property
    def agrees(self) -> bool:
        """True when this finding leaves no doubt about our own books."""
        return self.kind is FindingKind.MATCH or self.foreign


@dataclass(frozen=True, slots=True)
class Holding:
    """One contract as the broker shows it."""

    account: str
    con_id: int
    symbol: str
    quantity: int


@dataclass(frozen=True, slots=True)
class BrokerView:
    """What the broker answered to positions, open and completed orders, and executions of the day (legs only)."""

    holdings: Sequence[Holding] = ()
    orders: Sequence[OpenOrderMessage] = ()
    executions: Sequence[Fill] = ()

    @property
    def open_orders(self) -> list[OpenOrderMessage]:
        """Orders that work, by permId."""
        return sorted((order for order in self.orders if not _over(order)), key=lambda order: order.perm_id)

    def known_as(self, ref: str) -> list[OpenOrderMessage]:
        """Every order, working or over, that carries a ref."""
        return [order for order in self.orders if order.ref == ref]


def _over(order: OpenOrderMessage) -> bool:
    return order.completed or order.status in ENDED_STATUSES


@dataclass(frozen=True, slots=True)
class Books:
    """What our record holds: positions by (account, conId), execution keys already booked, refs that are not over.

    `booked` is the last word on each booked execution by its key; without it a correction that we have not heard of is
    a difference that nothing explains.
    """

    positions: Mapping[PositionKey, Position]
    execution_keys: frozenset[str]
    live_refs: frozenset[str]
    booked: Mapping[str, Fill] = field(default_factory=dict)


def reconcile(books: Books, broker: BrokerView) -> tuple[Finding, ...]:
    """Compare every position and every order; the findings come in a fixed order."""
    return (*_compare_positions(books, broker), *_compare_orders(books, broker))


def books_agree(findings: Sequence[Finding]) -> bool:
    """True when nothing found casts doubt on our own books."""
    return all(finding.agrees for finding in findings)


@dataclass(frozen=True, slots=True)
class _Unbooked:
    """An execution that our books do not have, or have in an earlier version, and what it does to the position."""

    fill: Fill
    change: int

    @property
    def ours(self) -> bool:
        return self.fill.ref.startswith(REF_PREFIX)


def missing_fills(books: Books, broker: BrokerView) -> tuple[Fill, ...]:
    """Executions under our references that are not booked, corrections included; booking them once closes the gap."""
    unbooked = [item for items in _unbooked(books, broker).values() for item in items if item.ours]
    return tuple(sorted((item.fill for item in unbooked), key=lambda fill: (fill.executed_at, fill.exec_id)))


def _unbooked(books: Books, broker: BrokerView) -> dict[PositionKey, list[_Unbooked]]:
    found: dict[PositionKey, list[_Unbooked]] = {}
    for key, fill in sorted(newest(broker.executions).items()):
        booked = books.booked.get(key)
        if booked is not None and corrects(fill, booked):
            item = _Unbooked(fill, fill.signed_quantity - booked.signed_quantity)
        elif booked is None and key not in books.execution_keys and fill.quantity:
            item = _Unbooked(fill, fill.signed_quantity)
        else:
            continue
        found.setdefault((fill.account, fill.con_id), []).append(item)
    return found


def _compare_positions(books: Books, broker: BrokerView) -> list[Finding]:
    held = {(holding.account, holding.con_id): holding for holding in broker.holdings}
    unbooked = _unbooked(books, broker)
    findings = []
    for key in sorted(books.positions.keys() | held.keys()):
        position, holding = books.positions.get(key), held.get(key)
        ours = 0 if position is None else position.quantity
        theirs = 0 if holding is None else holding.quantity
        if not ours and not theirs:
            continue
        symbol = position.symbol if position is not None else held[key].symbol
        kind, detail = _judge(ours, theirs, unbooked.get(key, []))
        findings.append(Finding(kind, key[0], detail, con_id=key[1], symbol=symbol, ours=ours, broker=theirs))
    return findings


def _judge(ours: int, theirs: int, unbooked: Sequence[_Unbooked]) -> tuple[FindingKind, str]:
    if ours == theirs:
        return FindingKind.MATCH, f"{ours} on both sides"
    own = [item for item in unbooked if item.ours]
    if own and ours + sum(item.change for item in own) == theirs:
        ids = ", ".join(item.fill.exec_id for item in own)
        return FindingKind.MISSING_FILL, f"explained by executions that are not booked: {ids}"
    strangers = ", ".join(item.fill.exec_id for item in unbooked if not item.ours)
    hint = f"; executions without our ref: {strangers}" if strangers else ""
    if ours == 0:
        return FindingKind.EXTERNAL_POSITION, f"the broker holds {theirs}, we none{hint}"
    if theirs == 0:
        return FindingKind.PHANTOM, f"we hold {ours}, the broker none{hint}"
    return FindingKind.QTY_DIFF, f"we hold {ours}, the broker {theirs}{hint}"


def _compare_orders(books: Books, broker: BrokerView) -> list[Finding]:
    findings = []
    working = broker.open_orders
    for order in working:
        if not order.ref.startswith(REF_PREFIX):
            detail = f"permId {order.perm_id} works without our ref"
            findings.append(Finding(FindingKind.FOREIGN_ORDER, order.account, detail, perm_id=order.perm_id))
        elif order.ref not in books.live_refs:
            detail = f"permId {order.perm_id} works under a ref that our books do not have as live"
            findings.append(
                Finding(FindingKind.UNKNOWN_ORDER, order.account, detail, ref=order.ref, perm_id=order.perm_id)
            )
    seen = {order.ref for order in working}
    lost = "live in our books, not open at the broker"
    findings.extend(Finding(FindingKind.LOST_ORDER, "", lost, ref=ref) for ref in sorted(books.live_refs - seen))
    return findings


class Outcome(StrEnum):
    """What became of an order in doubt."""

    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ABSENT = "absent"
    WAIT = "wait"


_EVENTS: dict[Outcome, IntentEvent] = {
    Outcome.WORKING: IntentEvent.ACKNOWLEDGE,
    Outcome.FILLED: IntentEvent.FILL,
    Outcome.CANCELLED: IntentEvent.CANCEL,
    Outcome.REJECTED: IntentEvent.REJECT,
    Outcome.WAIT: IntentEvent.DOUBT,
}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What became of an intent: whole spreads filled, and every permId that carries its ref.

    `states` is the state of each permId that the broker listed, `perm_ids` has those of mere executions too.
    """

    outcome: Outcome
    filled: int
    perm_ids: frozenset[int]
    states: Mapping[int, OrderState] = field(default_factory=dict)

    def event(self, purpose: Purpose) -> IntentEvent:
        """The event for the intent: an absent entry expires, an absent close is sent again under its reserved id."""
        if self.outcome is Outcome.ABSENT:
            return IntentEvent.EXPIRE if purpose is Purpose.ENTRY else IntentEvent.SEND
        return _EVENTS[self.outcome]


def resolve(intent: OrderIntent, broker: BrokerView, *, settled: bool) -> Resolution:
    """What became of an intent in state UNKNOWN.

    One ref may own several permIds, and it works as long as one of them does. `settled` says that the settle time since
    the doubt was over when the broker was asked: only then does silence prove absence, a partial fill without an order
    its end, and a cancelled order the end of the ref, which may work under a permId that is not shown yet.
    """
    orders = broker.known_as(intent.ref)
    executed = [fill for fill in latest(broker.executions) if fill.ref == intent.ref]
    perm_ids = {order.perm_id for order in orders} | {fill.perm_id for fill in executed}
    filled = max(whole_spreads(intent.legs, executed), sum(order.filled for order in orders))
    states = {order.perm_id: perm_id_state(order) for order in orders}
    return Resolution(_outcome(intent.quantity, orders, filled, settled), filled, frozenset(perm_ids), states)


_ENDED: dict[str, OrderState] = {"Filled": OrderState.FILLED, "Inactive": OrderState.REJECTED}


def perm_id_state(order: OpenOrderMessage) -> OrderState:
    """State of one permId as the broker lists it: what is listed as open works, held or not."""
    return state_of_status(order.status, order.filled, completed=order.completed)


def state_of_status(status: str, filled: int, *, completed: bool = False) -> OrderState:
    """State that a status of the broker puts one permId in; one that is no end, or unheard-of, works until it is over.

    `completed` says that the broker lists it among its completed orders.
    """
    if status in CANCELLED_STATUSES:
        return OrderState.CANCELLED
    if completed or status == "Filled":
        return _ENDED.get(status, OrderState.CANCELLED)
    if status == "PendingCancel":
        return OrderState.PENDING_CANCEL
    return OrderState.PARTIAL if filled else OrderState.SUBMITTED


def _outcome(quantity: int, orders: Sequence[OpenOrderMessage], filled: int, settled: bool) -> Outcome:
    if any(not _over(order) for order in orders):
        return Outcome.WORKING
    if filled >= quantity:
        return Outcome.FILLED
    # another permId of the ref may work and not show yet: no end before the settle time is over
    if settled and any(order.status in CANCELLED_STATUSES for order in orders):
        return Outcome.CANCELLED
    inactive = bool(orders) and all(order.status == "Inactive" for order in orders)
    # still listed as open it may be held instead of refused: only time tells
    if inactive and (settled or all(order.completed for order in orders)):
        return Outcome.REJECTED
    if not settled:
        return Outcome.WAIT
    return Outcome.CANCELLED if filled else Outcome.ABSENT
