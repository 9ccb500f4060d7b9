"""Start-up and crash recovery are the same path: load, ask, book, look up, compare, and only then enable trading."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from htbot.desk.ledger import Ledger
from htbot.desk.live_order import LiveOrder
from htbot.desk.orders import DUPLICATE_ID, OrderDesk
from htbot.desk.threads import DatabaseThread
from htbot.domain.errors import Retryable
from htbot.domain.fills import Fill
from htbot.domain.instruments import Contract
from htbot.domain.orders import IntentState
from htbot.execution.disagreement import DEFAULT_PATIENCE, Judgement, Patience, Standing, judge
from htbot.execution.messages import BagExecutionMessage, LegExecutionMessage, OpenOrderMessage, OrderMessage
from htbot.execution.reconciliation import (
    REF_PREFIX,
    Books,
    BrokerView,
    Finding,
    FindingKind,
    Holding,
    Outcome,
    reconcile,
    resolve,
)
from htbot.execution.states import OrderEvent
from htbot.persistence.records import StoredIntent
from htbot.persistence.repositories import FillRepository, IntentRepository, PositionRepository
from htbot.portfolio.positions import newest
from htbot.services.reconciliation import record_look
from htbot.telemetry.failpoints import reach

PATIENCE_S, AGAIN_AFTER_S = 2.0, 1.0
"""Host seconds without progress that a comparison waits for the record, and until it is asked again."""

T = TypeVar("T")
_LOOKED_UP = {
    Outcome.WORKING: OrderEvent.ACKNOWLEDGE,
    Outcome.FILLED: OrderEvent.FULL_FILL,
    Outcome.CANCELLED: OrderEvent.CANCEL,
    Outcome.REJECTED: OrderEvent.REJECT,
}
ENDED_UNFILLED = frozenset({IntentState.CANCELLED, IntentState.EXPIRED, IntentState.REJECTED})
_log = logging.getLogger(__name__)


class RecoverySession(Protocol):
    """What recovery asks the broker."""

    async def open_orders(self) -> list[OpenOrderMessage]:
        """Working and completed orders."""
        ...

    async def executions(self) -> list[LegExecutionMessage | BagExecutionMessage]:
        """Executions of today."""
        ...

    def positions(self) -> dict[tuple[str, int], tuple[Contract, int]]:
        """What is held."""
        ...


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison: why it is made, whether fills may be under way, how long differences may stand."""

    cause: str
    at_rest: bool
    patience: Patience = DEFAULT_PATIENCE


Fold = Callable[[OrderMessage, datetime], None]


@dataclass(slots=True)
class Recovery:
    """Brings the desk's books and the broker's together. It books and looks up; it never trades by itself.

    `fold` takes one message as if the session had told it, broken invariants included. `looked` is True after the first
    look of a session, which goes through every execution of the day; `asked_s` is when the broker was asked last, host
    seconds. Nothing waits longer than `patience_s` for the record, None: however long, where market time waits, too.
    """

    session: RecoverySession
    database: DatabaseThread
    ledger: Ledger
    orders: OrderDesk
    accounts: tuple[str, ...]
    fold: Fold
    looked: bool = False
    asked_s: float = 0.0
    patience_s: float | None = None

    async def look_up(self, now: datetime) -> BrokerView:
        """Ask for orders and executions, book what is missing, and bring every order in doubt up to date.

        After the settle time, silence proves absence: an entry expires, a close is sent again under its own id.
        """
        asked_s = self.asked_s = self.orders.host_s
        view, told = await self._ask()
        reach("during_reconcile")
        for execution in told:
            self.fold(execution, now)
        shown = sorted(self._shown(view))
        self.looked = await self._revive(shown)
        self.orders.doubt_missing({order.ref for order in view.open_orders}, now)
        for live in self.orders.doubtful:
            self._resolve(live, view, asked_s, now)
        return view

    async def caught_up(self) -> None:
        """Return when the record has everything that was posted; `Retryable` when it takes too long."""
        await self.ledger.catch_up(self.patience_s)

    async def until(self, check: Callable[[Session], None], clock: Callable[[], datetime]) -> None:
        """Until the record has everything and has answered this.

        What is in doubt is looked up meanwhile: closes do not wait for PostgreSQL (RULINGS 1).
        """
        while True:
            try:
                await self.caught_up()
                return await self._of_record(check)
            except Retryable as error:
                _log.warning("the record is away: %s", error)
            if self.orders.doubtful:
                await self.look_up(clock())
            await asyncio.sleep(AGAIN_AFTER_S)

    async def _of_record(self, work: Callable[[Session], T]) -> T:
        if self.patience_s is None:
            return await self.database.insist(work)
        return await self.database.run_within(work, self.patience_s)

    async def _revive(self, shown: Sequence[str]) -> bool:
        """Doubt what the broker shows and our books have as ended; False when the record cannot tell of it now."""
        try:
            if shown:
                await self.caught_up()
                self.orders.revive(await self._of_record(lambda session: _revived(session, shown)))
        except Retryable as error:
            _log.warning("what the broker shows is not held against the record: %s", error)
            return False
        return True

    def _shown(self, view: BrokerView) -> set[str]:
        """References of ours that nobody here follows, among working orders and executions."""
        by_ref: dict[str, list[Fill]] = {}
        for fill in view.executions:
            by_ref.setdefault(fill.ref, []).append(fill)
        filled = {ref for ref, own in by_ref.items() if not self.looked or self.orders.filled_since(ref, own)}
        working = {one.ref for one in view.open_orders if not self.orders.ended_since(one.ref, self.asked_s)}
        shown = working | filled
        return {ref for ref in shown if ref.startswith(REF_PREFIX) and self.orders.of_ref(ref) is None}

    async def _ask(self) -> tuple[BrokerView, Sequence[LegExecutionMessage | BagExecutionMessage]]:
        orders = await self.session.open_orders()
        executions = await self.session.executions()
        fills = [item.fill for item in executions if isinstance(item, LegExecutionMessage)]
        view = BrokerView(
            holdings=[
                Holding(account, con_id, contract.symbol, quantity)
                for (account, con_id), (contract, quantity) in self.session.positions().items()
            ],
            orders=orders,
            executions=fills,
        )
        return view, executions

    def _resolve(self, live: LiveOrder, view: BrokerView, asked_s: float, now: datetime) -> None:
        resolution = resolve(live.intent, view, settled=self.orders.silent_for_good(live, asked_s))
        live.perm_ids |= dict.fromkeys(resolution.perm_ids - live.perm_ids.keys(), live.state) | dict(resolution.states)
        live.filled = max(live.filled, resolution.filled)
        for order in view.known_as(live.intent.ref):
            live.follow(order, looked_up=True)
        _log.info("%s in doubt: %s", live.intent.ref, resolution.outcome.value)
        if resolution.outcome is Outcome.ABSENT:
            self._absent(live, now)
        elif resolution.outcome is not Outcome.WAIT:
            self.orders.happened(live, _LOOKED_UP[resolution.outcome], now, "looked up")

    def _absent(self, live: LiveOrder, now: datetime) -> None:
        """The broker has never seen it, and its settle time is over: entries and parts expire, a close goes out again.

        What closes a position that is held over night waits for the open, in doubt, until it does; what is on its way
        to the journal waits for that, and nothing goes out beside another exit of its trade.
        A reserved id that the broker refuses as used (103), while it knows no order of the reference, is dead: whatever
        may still be under way with it is refused as well. That close has ended, and the guard asks for the next one.
        """
        if live.is_entry or live.in_part:
            self.orders.happened(live, OrderEvent.EXPIRE, now, "the broker has never seen it")
        elif live.last_error == DUPLICATE_ID:
            self.orders.happened(
                live, OrderEvent.REJECT, now, f"order id {live.order_id} is refused as used, and is not ours"
            )
        elif (too_much := self.orders.would_open(live)) is not None:
            self.orders.happened(live, OrderEvent.EXPIRE, now, too_much)
        elif live.promised and not self.orders.rests(live.intent.trade_id, now) and self._has_way(live):
            self.orders.send_again(live, now)

    def _has_way(self, live: LiveOrder) -> bool:
        """Whether no other exit of its trade can fill beside a close that goes out again; stop and target are ended.

        It was claimed while they stood, and its desk died before the record heard that it stays (`why_it_stays`).
        """
        of_trade = [] if live.protective else self.orders.live_of_trade(live.intent.trade_id)
        others = [other for other in of_trade if not (other.is_entry or other is live)]
        for other in others:
            if other.protective:
                self.orders.cancel(other)
        return not others

    async def judge(
        self, view: BrokerView, standings: Mapping[str, Standing], now: datetime, look: Look
    ) -> dict[str, tuple[Judgement, Standing]]:
        """Compare with the record and weigh it against the looks before, each account by itself; write down the rest.

        What has no account, such as an order that the broker does not know, is that of its intent.
        """
        books, owners = await self._of_record(lambda session: self._books(session, view))
        told: dict[str, list[Finding]] = {account: [] for account in self.accounts}
        for finding in reconcile(books, view):
            account = finding.account or owners.get(finding.ref, self.accounts[0])
            if account in told and not self._sent_since(finding):
                told[account].append(finding)
        judged = {}
        for account, findings in told.items():
            before = standings.get(account, Standing())
            at_rest = look.at_rest or before.troubled
            judged[account] = judge(before, findings, now, look.patience, at_rest=at_rest)
        for judgement, _after in judged.values():
            for finding in (*judgement.doubts, *judgement.foreign):
                _log.warning("reconciliation %s: %s", judgement.verdict.value, judgement.text_of([finding]))
        await self._of_record(lambda session: _record(session, judged, look.cause))
        return judged

    def _sent_since(self, finding: Finding) -> bool:
        """True of an order that left after the broker was asked what it has."""
        live = self.orders.of_ref(finding.ref) if finding.kind is FindingKind.LOST_ORDER else None
        return live is not None and live.asked_at_s >= self.asked_s

    def _books(self, session: Session, view: BrokerView) -> tuple[Books, dict[str, str]]:
        """Our books beside what the broker shows, and whose account each order that is not over is of, by reference.

        Of executions only those that it has told: however long we have traded, a comparison costs the same.
        """
        positions = [one for account in self.accounts for one in PositionRepository(session).of_account(account)]
        booked = newest(FillRepository(session).of_keys({fill.execution_key for fill in view.executions}))
        live = {one.intent.ref: one.intent.account for one in IntentRepository(session).live() if one.order_id}
        held = {(one.account, one.con_id): one for one in positions}
        return Books(held, frozenset(booked), frozenset(live), booked), live


def _record(session: Session, judged: Mapping[str, tuple[Judgement, Standing]], cause: str) -> None:
    for account, (judgement, _after) in judged.items():
        record_look(session, account, judgement, cause)


def _revived(session: Session, shown: Sequence[str]) -> list[StoredIntent]:
    """Intents that our books have as ended, and that the broker shows working or filled all the same."""
    stored = IntentRepository(session).of_refs(shown).values()
    return [item for item in stored if item.order_id and item.state in ENDED_UNFILLED]
