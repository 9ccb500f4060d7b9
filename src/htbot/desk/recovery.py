"""Start-up and crash recovery are the same path: load, ask, book, look up, compare, and only then enable trading."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from htbot.alerts.wording import error_alert
from htbot.desk.ledger import Ledger
from htbot.desk.live_order import LiveOrder
from htbot.desk.orders import OrderDesk
from htbot.desk.threads import DatabaseThread
from htbot.domain.fills import Fill
from htbot.domain.instruments import Contract
from htbot.execution.messages import BagExecutionMessage, LegExecutionMessage, OpenOrderMessage, OrderMessage
from htbot.execution.reconciliation import (
    Books,
    BrokerView,
    Finding,
    FindingKind,
    Holding,
    Outcome,
    reconcile,
    resolve,
)
from htbot.persistence.repositories import FillRepository, IntentRepository
from htbot.portfolio.positions import fold
from htbot.services.outbox import tell_seldom
from htbot.telemetry.failpoints import reach

SETTLE_S = 10.0
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


Fold = Callable[[OrderMessage, datetime], None]


@dataclass(frozen=True, slots=True)
class Recovery:
    """Brings the desk's books and the broker's together. It books and looks up; it never trades by itself.

    `fold` takes one message as if the session had told it, broken invariants included.
    """

    session: RecoverySession
    database: DatabaseThread
    ledger: Ledger
    orders: OrderDesk
    account: str
    fold: Fold

    async def look_up(self, now: datetime) -> BrokerView:
        """Ask for orders and executions, book what is missing, and bring every order in doubt up to date.

        After the settle time, silence proves absence: an entry expires, a close is sent again under its own id.
        """
        view, told = await self._ask()
        reach("during_reconcile")
        for execution in told:
            self.fold(execution, now)
        self.orders.doubt_missing({order.ref for order in view.open_orders}, now)
        for live in self.orders.doubtful:
            self._resolve(live, view, now)
        return view

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

    def _resolve(self, live: LiveOrder, view: BrokerView, now: datetime) -> None:
        settled = self.orders.silent_s(live) >= SETTLE_S
        resolution = resolve(live.intent, view, settled=settled)
        live.perm_ids |= resolution.perm_ids
        live.filled = max(live.filled, resolution.filled)
        _log.info("%s in doubt: %s", live.intent.ref, resolution.outcome.value)
        if resolution.outcome is Outcome.ABSENT:
            self.orders.resolve_absent(live, now)
        elif resolution.outcome is not Outcome.WAIT:
            self.orders.resolved(live, resolution.outcome, now)

    async def compare(self, view: BrokerView) -> list[Finding]:
        """What casts doubt on our books, empty when they agree with the broker's."""
        await self.ledger.settle()
        books = await self.database.insist(self._books)
        findings = [finding for finding in reconcile(books, view) if finding.account in {"", self.account}]
        for finding in findings:
            if finding.kind is not FindingKind.MATCH:
                _log.warning("reconciliation: %s %s", finding.kind.value, finding.detail)
        return [finding for finding in findings if not finding.agrees]

    async def tell(self, findings: Sequence[Finding], now: datetime) -> None:
        """Tell a person what does not agree, at most once each 15 minutes."""
        text = "; ".join(f"{item.kind.value} {item.symbol or item.ref}: {item.detail}" for item in findings)
        alert = error_alert("reconciliation", text, now)
        await self.database.insist(lambda session: tell_seldom(session, alert))

    def _books(self, session: Session) -> Books:
        fills: list[Fill] = FillRepository(session).of_account(self.account)
        live = frozenset(stored.intent.ref for stored in IntentRepository(session).live() if stored.order_id)
        return Books(fold(fills), frozenset(fill.execution_key for fill in fills), live)
