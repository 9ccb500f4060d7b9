"""The broker's own book against our record, after everything has been settled."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass, field

from tests.proofs.failpoints.cases import ENDED, Runner, What
from tests.proofs.failpoints.site import BrokerView
from tests.support import record

from htbot.desk.journal import Journal
from htbot.domain.orders import OrderIntent
from htbot.execution.messages import BagExecutionMessage, LegExecutionMessage
from htbot.persistence.records import StoredIntent
from htbot.persistence.repositories import FillRepository, HaltRepository, IntentRepository, TradeRepository
from htbot.persistence.states import TERMINAL_INTENT_STATES
from htbot.portfolio.positions import fold


@dataclass(slots=True)
class Verdict:
    """What does not agree, by kind; everything empty is the proof."""

    duplicates: list[str] = field(default_factory=list)
    lost_closes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    orders: int = 0
    intents: int = 0

    @property
    def sound(self) -> bool:
        """True when nothing at all is wrong."""
        return not any((self.duplicates, self.lost_closes, self.unknown, self.strangers, self.differences, self.left))


def judge(runner: Runner, left: list[str]) -> Verdict:
    """Compare the two books, each read by itself."""
    site = runner.site
    view = site.broker()
    with site.database.transaction() as transaction:
        stored = {item.intent.ref: item for item in IntentRepository(transaction).of_session(record.DAY)}
        trades = {trade.id: trade for trade in TradeRepository(transaction).of_session(record.DAY, record.ACCOUNT)}
        fills = FillRepository(transaction).of_account(record.ACCOUNT)
        halts = HaltRepository(transaction).active(site.market_now())
    verdict = Verdict(left=left, orders=len(view.orders), intents=len(stored))
    verdict.duplicates = _duplicates(view, stored)
    verdict.strangers = sorted({order.ref for order in view.orders} - set(stored))
    verdict.unknown = [ref for ref, item in stored.items() if item.state not in TERMINAL_INTENT_STATES]
    for run in runner.runs:
        trade = trades[run.trade_id]
        if run.case.what is not What.ENTRY and trade.state not in ENDED:
            verdict.lost_closes.append(f"{trade.id} ({run.case.what}, {run.case.edge}): {trade.state.value}")
    ours = {key[1]: position.quantity for key, position in fold(fills).items() if position.quantity}
    if ours != view.positions:
        verdict.differences.append(f"our fills make {ours}, the broker holds {view.positions}")
    verdict.differences += _left_behind(view, stored, over=not left)
    told = {item.fill.exec_id for item in view.executions if isinstance(item, LegExecutionMessage)}
    missing, invented = told - {fill.exec_id for fill in fills}, {fill.exec_id for fill in fills} - told
    verdict.differences += [f"executions {kind}: {sorted(ids)}" for kind, ids in
                            (("missing", missing), ("invented", invented)) if ids]  # fmt: skip
    verdict.differences += [f"halted: {halt.reason}" for halt in halts]
    verdict.differences += [f"journal: {entry}" for entry in _untaken(runner)]
    return verdict


def _left_behind(view: BrokerView, stored: dict[str, StoredIntent], *, over: bool) -> list[str]:
    """When every trade is over the broker holds nothing of them, and no stop or target stands without a position."""
    standing = [
        f"{order.ref} stands at the broker without a position"
        for order in view.orders
        if not order.completed and order.ref in stored and stored[order.ref].intent.protective
    ]
    held = [f"{quantity} of {con_id} held after every trade" for con_id, quantity in view.positions.items() if quantity]
    return [*standing, *held] if over else []


def _duplicates(view: BrokerView, stored: dict[str, StoredIntent]) -> list[str]:
    """References under which more was filled, or could be, than one order asks for."""
    could: Counter[str] = Counter()
    for order in view.orders:
        could[order.ref] += order.filled if order.completed else order.quantity
    filled: Counter[str] = Counter()
    for item in view.executions:
        if isinstance(item, BagExecutionMessage):
            filled[item.ref] += item.quantity
        elif item.fill.ref in stored and len(stored[item.fill.ref].intent.legs) == 1:
            filled[item.fill.ref] += item.fill.quantity
    asked: dict[str, OrderIntent] = {ref: item.intent for ref, item in stored.items()}
    return [
        f"{ref}: {max(could[ref], filled[ref])} of {asked[ref].quantity}"
        for ref in sorted({*could, *filled})
        if ref in asked and max(could[ref], filled[ref]) > asked[ref].quantity
    ]


def _untaken(runner: Runner) -> list[str]:
    """Promises of the journal that the record has not taken over; a copy is read, the desk has the file."""
    kept = runner.site.folder / "var" / "desk" / "journal.jsonl"
    copy = runner.site.folder / "journal.copy"
    shutil.copyfile(kept, copy)
    journal = Journal(copy)
    try:
        return [f"{entry.kind} {entry.number}" for entry in journal.open()]
    finally:
        journal.close()
