"""Whether every order was sent exactly once: the gateway's book against our record, nothing taken from memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from htbot.bootstrap.chaos.books import BrokerBook, BrokerExecution, RecordBook, RecordedIntent
from htbot.domain.orders import IntentState, Purpose
from htbot.domain.trades import TradeState
from htbot.execution.reconciliation import REF_PREFIX
from htbot.portfolio.positions import fold

REJECTED_STATUS = "Inactive"
_WORKING = frozenset({"PendingSubmit", "PreSubmitted", "Submitted", "PendingCancel"})
_UNKNOWN = frozenset({IntentState.CLAIMED, IntentState.SENDING, IntentState.UNKNOWN})
_NOT_SENT = frozenset({IntentState.EXPIRED, IntentState.WITHDRAWN, IntentState.REJECTED})
_LIVE = frozenset({TradeState.OPENING, TradeState.OPEN, TradeState.CLOSING})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, each item in words; all empty is what is wanted.

    `duplicates`: orders, fills or intents beyond the one that was decided. `lost_closes`: trades that the broker still
    holds or that never ended. `unknown`: intents whose end nobody knows, orders at the broker that no intent explains.
    `ledger`: differences between the fold of our fills and the broker's positions and executions. `orphans`: stops and
    targets that work at the broker with nothing held for them. `protective` is how many of those there were in all,
    `met` how many of them have closed their trade, `share_trades` how many trades were in shares.
    """

    intents: int
    broker_orders: int
    not_placed: int
    duplicates: tuple[str, ...]
    lost_closes: tuple[str, ...]
    unknown: tuple[str, ...]
    ledger: tuple[str, ...]
    halts: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    protective: int = 0
    met: int = 0
    share_trades: int = 0

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that is wrong but halts."""
        return (*self.duplicates, *self.lost_closes, *self.unknown, *self.orphans, *self.ledger)

    @property
    def clean(self) -> bool:
        """True when nothing is wrong."""
        return not (self.findings or self.halts)


def judge_books(broker: BrokerBook, record: RecordBook) -> Verdict:
    """Compare the two books at the end of a run, when everything that was opened has been asked to close."""
    units = _Units(broker.executions)
    ours = [order for order in broker.orders if order.ref.startswith(REF_PREFIX)]
    placed = {order.ref for order in ours}
    return Verdict(
        intents=len(record.intents),
        broker_orders=len(ours),
        not_placed=sum(intent.ref not in placed for intent in record.intents),
        duplicates=(
            *_orders_beyond_one(broker),
            *_fills_beyond_intent(record.intents, units),
            *_decided_twice(record.intents),
            *_closed_beyond_open(record, units),
        ),
        lost_closes=tuple(_still_held(record, units)),
        unknown=(*_without_end(record.intents), *_unexplained(broker, record), *_never_placed(record, placed)),
        ledger=(*_positions(broker, record), *_executions(broker, record)),
        halts=record.halts,
        orphans=tuple(_orphans(broker, record, units)),
        protective=sum(intent.protective for intent in record.intents),
        met=sum(intent.protective and units.least(intent) > 0 for intent in record.intents),
        share_trades=len({intent.trade_id for intent in record.intents if len(intent.legs) == 1}),
    )


class _Units:
    """Whole units executed at the broker under a reference."""

    def __init__(self, executions: Iterable[BrokerExecution]) -> None:
        self._signed: Counter[tuple[str, int]] = Counter()
        for execution in executions:
            self._signed[execution.ref, execution.con_id] += execution.signed

    def most(self, intent: RecordedIntent) -> int:
        """Units of the leg that was executed most: what may be too much."""
        return max(self._legs(intent), default=0)

    def least(self, intent: RecordedIntent) -> int:
        """Units of the leg that was executed least: what is complete."""
        return min(self._legs(intent), default=0)

    def _legs(self, intent: RecordedIntent) -> list[int]:
        return [abs(self._signed[intent.ref, con_id]) // abs(ratio) for con_id, ratio in intent.legs]


def _orders_beyond_one(broker: BrokerBook) -> list[str]:
    accepted = Counter(order.ref for order in broker.orders if order.status != REJECTED_STATUS)
    return [f"{ref}: {count} orders at the broker" for ref, count in sorted(accepted.items()) for _ in range(count - 1)]


def _fills_beyond_intent(intents: Iterable[RecordedIntent], units: _Units) -> list[str]:
    return [
        f"{intent.ref}: {units.most(intent)} filled, {intent.quantity} asked for"
        for intent in intents
        if units.most(intent) > intent.quantity
    ]


def _decided_twice(intents: Iterable[RecordedIntent]) -> list[str]:
    entries = [intent for intent in intents if intent.purpose is Purpose.ENTRY]
    decided = Counter(intent.decision_id for intent in entries)
    opened = Counter(intent.trade_id for intent in entries)
    return [
        *(f"decision {decision}: {count} entries" for decision, count in decided.items() if count > 1),
        *(f"trade {trade}: {count} entries" for trade, count in opened.items() if count > 1),
    ]


def _closed_beyond_open(record: RecordBook, units: _Units) -> list[str]:
    opened, closed = _by_trade(record, units)
    return [
        f"{trade}: {closed[trade]} closed, {opened[trade]} opened" for trade in opened if closed[trade] > opened[trade]
    ]


def _by_trade(record: RecordBook, units: _Units) -> tuple[Counter[str], Counter[str]]:
    opened: Counter[str] = Counter(dict.fromkeys((intent.trade_id for intent in record.intents), 0))
    closed: Counter[str] = Counter()
    for intent in record.intents:
        (opened if intent.purpose is Purpose.ENTRY else closed)[intent.trade_id] += units.least(intent)
    return opened, closed


def _still_held(record: RecordBook, units: _Units) -> list[str]:
    """By the broker's executions, and by the state of the trade in our record: either is a close that was lost."""
    opened, closed = _by_trade(record, units)
    lost = []
    for trade, state in sorted(record.trades.items()):
        held = opened[trade] - closed[trade]
        if held > 0:
            lost.append(f"{trade}: {held} still held at the broker, {state.value} in our record")
        elif state in _LIVE:
            lost.append(f"{trade}: {state.value} in our record, nothing held at the broker")
    return lost


def _without_end(intents: Iterable[RecordedIntent]) -> list[str]:
    return [f"{intent.ref}: {intent.state.value} at the end" for intent in intents if intent.state in _UNKNOWN]


def _unexplained(broker: BrokerBook, record: RecordBook) -> list[str]:
    states: Mapping[str, IntentState] = {intent.ref: intent.state for intent in record.intents}
    found = []
    for order in broker.orders:
        if order.ref not in states:
            found.append(f"permId {order.perm_id} with ref {order.ref!r}: no intent of ours")
        elif order.status in _WORKING and states[order.ref] is not IntentState.WORKING:
            found.append(f"{order.ref}: {order.status} at the broker, {states[order.ref].value} in our record")
    return found


def _orphans(broker: BrokerBook, record: RecordBook, units: _Units) -> list[str]:
    """A stop or target for which nothing is held by its trade: reached, it would open a position.

    By the broker's executions, and by the state of the trade in our record: after its end none may work.
    """
    opened, closed = _by_trade(record, units)
    protects = {intent.ref: intent.trade_id for intent in record.intents if intent.protective}
    found = []
    for order in broker.orders:
        trade = protects.get(order.ref)
        if trade is None or order.status not in _WORKING:
            continue
        state = record.trades[trade]
        if state not in _LIVE or closed[trade] >= opened[trade]:
            held = max(opened[trade] - closed[trade], 0)
            found.append(f"{order.ref}: {order.status} at the broker, {trade} is {state.value} and holds {held}")
    return found


def _never_placed(record: RecordBook, placed: set[str]) -> list[str]:
    """An intent without an order at the broker is one that a rule ended, or nobody knows what became of it."""
    return [
        f"{intent.ref}: {intent.state.value} in our record, never at the broker"
        for intent in record.intents
        if intent.ref not in placed and intent.state not in _NOT_SENT and intent.state not in _UNKNOWN
    ]


def _positions(broker: BrokerBook, record: RecordBook) -> list[str]:
    ours = {key: position.quantity for key, position in fold(record.fills).items()}
    both = [
        (key, ours.get(key, 0), broker.holdings.get(key, 0)) for key in sorted(ours.keys() | broker.holdings.keys())
    ]
    return [
        f"{account} {con_id}: {mine} ours, {theirs} the broker's"
        for (account, con_id), mine, theirs in both
        if mine != theirs
    ]


def _executions(broker: BrokerBook, record: RecordBook) -> list[str]:
    ours = {fill.exec_id: fill.signed_quantity for fill in record.fills}
    theirs = {item.exec_id: item.signed for item in broker.executions}
    return [
        f"execution {exec_id}: {ours.get(exec_id, 'not')} booked, {theirs.get(exec_id, 'not')} at the broker"
        for exec_id in sorted(ours.keys() | theirs.keys())
        if ours.get(exec_id) != theirs.get(exec_id)
    ]
