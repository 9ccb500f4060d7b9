"""Long lists of the record, page by page, and the acknowledgement of alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from htbot.domain.errors import NotFound
from htbot.persistence.engine import Database
from htbot.persistence.queries import lists, trading
from htbot.persistence.queries.instances import InstanceStatus
from htbot.persistence.queries.lists import AuditView, EvaluationView, Filters
from htbot.persistence.queries.paging import Page, PageRequest
from htbot.persistence.queries.reconciliation import ReconciliationView
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import AlertView, FillView, OrderView, PositionView
from htbot.persistence.records import AuditEntry, Halt
from htbot.persistence.repositories import AlertRepository, AuditRepository
from htbot.services.callers import Caller
from htbot.services.desk_view import Live, market_now
from htbot.services.once import Act, once

ACKNOWLEDGED = "alert.acknowledged"
_MOST_FILLS = 1000


@dataclass(frozen=True, slots=True)
class OrderDetail:
    """An order with the executions of its legs."""

    order: OrderView
    fills: list[FillView]


class Listings:
    """Pages and single rows. Every method raises `Retryable` when PostgreSQL does not answer."""

    def __init__(self, database: Database, live: Live, host_now: Callable[[], datetime]) -> None:
        self._database = database
        self._live = live
        self._host_now = host_now

    def orders(self, asked: PageRequest, chosen: Filters) -> Page[OrderView]:
        """Orders at the broker, newest first."""
        with self._database.transaction() as session:
            return lists.orders(session, asked, chosen)

    def order(self, ref: str) -> OrderDetail:
        """One order.

        Raises:
            NotFound: there is none of this reference.
        """
        with self._database.transaction() as session:
            found = lists.order(session, ref)
            if found is None:
                raise NotFound(f"there is no order {ref}: `htbot orders` lists them")
            return OrderDetail(found, trading.fills(session, Selection(limit=_MOST_FILLS), ref))

    def positions(self, asked: PageRequest, chosen: Filters) -> Page[PositionView]:
        """What is held, without marks."""
        with self._database.transaction() as session:
            return lists.positions(session, asked, chosen)

    def audit(self, asked: PageRequest, chosen: Filters) -> Page[AuditView]:
        """Acts, newest first."""
        with self._database.transaction() as session:
            return lists.audit(session, asked, chosen)

    def alerts(self, asked: PageRequest, chosen: Filters) -> Page[AlertView]:
        """Messages to people, newest first."""
        with self._database.transaction() as session:
            return lists.alerts(session, asked, chosen)

    def halts(self, asked: PageRequest, chosen: Filters) -> Page[Halt]:
        """Halts and trips, newest first, in force or not."""
        with self._database.transaction() as session:
            return lists.halts(session, asked, chosen, self._market_now())

    def reconciliations(self, asked: PageRequest, chosen: Filters) -> Page[ReconciliationView]:
        """Comparisons with the broker, newest first."""
        with self._database.transaction() as session:
            return lists.reconciliations(session, asked, chosen)

    def evaluations(self, asked: PageRequest, chosen: Filters) -> Page[EvaluationView]:
        """What was decided in each cycle and why not, newest first."""
        with self._database.transaction() as session:
            return lists.evaluations(session, asked, chosen)

    def instances(self, asked: PageRequest, chosen: Filters) -> Page[InstanceStatus]:
        """Instances of strategies, by name."""
        with self._database.transaction() as session:
            return lists.instances(session, asked, chosen)

    def acknowledge(self, alert_id: int, caller: Caller) -> AlertView:
        """A person has seen an alert; the first acknowledgement stands.

        Raises:
            NotFound: there is no such alert.
            Conflict: the key was used for another act.
        """
        at = self._market_now()
        with self._database.transaction() as session:

            def work() -> AlertView:
                before = lists.alert(session, alert_id)
                if before is None:
                    raise NotFound(f"there is no alert {alert_id}: `htbot alerts` lists them")
                if before.acknowledged_at is not None:
                    return before
                AlertRepository(session).acknowledge(alert_id, caller.actor, self._host_now())
                detail = {"kind": before.kind, "subject": before.subject}
                AuditRepository(session).add(AuditEntry(at, caller.actor, ACKNOWLEDGED, str(alert_id), detail))
                return lists.alert(session, alert_id) or before

            return once(session, Act(ACKNOWLEDGED, {"alert": alert_id}, caller, at), AlertView, work)

    def _market_now(self) -> datetime:
        return market_now(self._live, self._host_now())
