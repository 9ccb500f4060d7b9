"""Makes armed faults happen: the gateway asks here at a few named points and acts as it is told.

The points are: a request has come (`takes`), the book takes an order (`refusal`) or lets it fill (`most`), a report
leaves (`is_silent`, `filled`), a client joins (`joined`, `announced`), an instant is played (`turn`). While nothing is
armed and nothing is in force, `in_force` is False and nobody asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from htbot.paper.errors import CANCEL_IMPOSSIBLE, RequestError, rejected
from htbot.paper.faults.kinds import (
    CorrectExecution,
    CutOnOrder,
    Disconnect,
    DropOrder,
    DuplicateReports,
    Event,
    Fault,
    HalfOpen,
    LateOrder,
    LoseReply,
    OrderFault,
    Outage,
    PartialSilence,
    RefuseCancel,
    RefuseModify,
    Reject,
    Restart,
    WithholdCommission,
)
from htbot.paper.faults.link import Link, deliver
from htbot.paper.faults.marks import Later, Marks
from htbot.paper.faults.plan import FaultPlan, OrderFacts, Script
from htbot.telemetry.logs import get_logger

if TYPE_CHECKING:
    from htbot.paper.book.orders import Execution, PaperOrder
    from htbot.paper.gateway import Gateway
    from htbot.paper.session import Session

FaultT = TypeVar("FaultT", bound=OrderFault)
_META = "faults"
_log = get_logger("htbot.paper.faults")
_LASTING = (LoseReply, PartialSilence, DuplicateReports, WithholdCommission, CorrectExecution)


class Stage(Protocol):
    """Sockets and time, as faults move them."""

    def cut(self, session: Session, how: str) -> None:
        """End a client's connection: `reset` or `close`."""
        ...

    def deafen(self, session: Session) -> None:
        """Read and answer nothing more from a client whose socket stays open."""
        ...

    def restart(self, for_s: float) -> None:
        """Close every socket and refuse new ones for so long."""
        ...

    def deliver(self, client_id: int, version: int, texts: list[str]) -> None:
        """Handle a request that was held back."""
        ...

    def catch_up(self, until: datetime) -> None:
        """Settle the instants from the gateway's time up to `until` that may not be skipped."""
        ...


class Conduct:
    """The faults of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._stage: Stage | None = None
        self._plan = FaultPlan(gateway.market.sessions)
        self._marks = Marks()
        self._resets: list[tuple[datetime, Session]] = []
        self._saved = gateway.store.meta(_META)
        if self._saved is not None:
            document = json.loads(self._saved)
            self._plan.restore(document["plan"])
            self._marks = Marks.restored(document["marks"])
        self.link = Link(gateway, self._marks)
        self.in_force = self._plan.waits() or not self._marks.idle
        self._happenings: dict[type[Event], Callable[[Any], None]] = {
            Disconnect: self._disconnect,
            HalfOpen: self._half_open,
            Restart: self._restart,
            Outage: self.link.lose,
        }

    # --- arming -----------------------------------------------------------------------------------------------------

    def begin(self, stage: Stage) -> None:
        """Take the stage; nothing is armed before."""
        self._stage = stage

    def follow(self, script: Script) -> None:
        """Play a script, from where it is if it was played before; an empty one ends the last one.

        Raises:
            CallerMistake: one of its times never comes.
        """
        if self._plan.follow(script, self._gateway.now):
            self.in_force = True

    def arm(self, fault: Fault, source: str) -> dict[str, Any]:
        """Arm a fault; its row. What is due happens with the next `turn`.

        Raises:
            CallerMistake: its time is over or never comes.
        """
        armed = self._plan.arm(fault, self._gateway.now, source)
        self.in_force = True
        return armed.row()

    def clear(self, number: int | None) -> int:
        """Remove one fault or all; with all, an outage ends at the next `turn`.

        Raises:
            NotFound: there is none of that number.
        """
        removed = self._plan.clear(number)
        outage = self._marks.outage
        if number is None and outage is not None:
            outage.until = self._gateway.now
        self.in_force = True
        return removed

    def rows(self) -> list[dict[str, Any]]:
        """Every fault with its number and how often it has met."""
        return self._plan.rows()

    def in_words(self) -> dict[str, Any]:
        """What is in force, for people."""
        outage = self._marks.outage
        return {
            "link": "up" if outage is None else "down",
            "link_until": None if outage is None else outage.until.isoformat(),
            "half_open": [session.client_id for session in self._gateway.sessions.values() if session.deaf],
            "silent_orders": sorted(self._marks.silent),
            "held_requests": self.link.waiting + sum(item.what == "deliver" for item in self._marks.later),
        }

    # --- time -------------------------------------------------------------------------------------------------------

    @property
    def link_down(self) -> bool:
        """Whether the gateway has lost IB."""
        return self._marks.outage is not None

    def next_due(self) -> datetime | None:
        """The next instant at which something happens."""
        if not self.in_force:
            return None
        outage = self._marks.outage
        times = [self._plan.next_event(), outage.until if outage else None]
        times += [item.at for item in self._marks.later]
        times += [at for at, _session in self._resets]
        return min((at for at in times if at is not None), default=None)

    def turn(self) -> None:
        """Let happen what is due at the gateway's time."""
        now = self._gateway.now
        if self._marks.outage is not None and self._marks.outage.until <= now:
            self._regain()
        for event in self._plan.due(now):
            _log.info("fault", name=event.name)
            self._happenings[type(event)](event)
        for item in self._marks.take_due(now):
            self._come(item)
        due = [session for at, session in self._resets if at <= now]
        self._resets = [row for row in self._resets if row[0] > now]
        for session in due:
            self._on().cut(session, "reset")

    def _regain(self) -> None:
        stage = self._on()
        self.link.regain(stage.catch_up)
        for session, texts in self.link.held():
            stage.deliver(session.client_id, session.version, texts)

    def _come(self, item: Later) -> None:
        about = item.about
        gateway = self._gateway
        if self._marks.outage is not None:
            self._marks.later.append(Later(self._marks.outage.until, item.what, about))
        elif item.what == "deliver":
            self._on().deliver(about["client_id"], about["version"], about["texts"])
        elif item.what == "charge":
            found = [one for one in gateway.book.executions if one.root in about["roots"]]
            gateway.reports.release(found, gateway.book.by_perm_id(about["perm_id"]))
        else:
            wrong = next((one for one in gateway.book.executions if one.root == about["root"]), None)
            if wrong is None:
                return  # too old to be put right: the book does not hold it any more
            quantity = Decimal(0) if about["bust"] else wrong.quantity
            gateway.book.correct(wrong.exec_id, wrong.price + Decimal(about["by"]), quantity)

    def _later(self, seconds: float, what: str, about: dict[str, Any]) -> None:
        self._marks.later.append(Later(self._gateway.now + timedelta(seconds=seconds), what, about))

    def save(self) -> None:
        """Write the position in every script and what is in force; the caller commits."""
        if not self.in_force:
            return
        text = json.dumps({"plan": self._plan.document(), "marks": self._marks.document()}, separators=(",", ":"))
        if text != self._saved:
            self._saved = text
            self._gateway.store.put_meta(_META, text)
        idle = self._marks.idle and not self._resets and not self.link.waiting
        self.in_force = self._plan.waits() or not idle

    def _on(self) -> Stage:
        if self._stage is None:
            raise RuntimeError("a fault is due before the gateway serves")
        return self._stage

    # --- sockets ----------------------------------------------------------------------------------------------------

    def _sessions_of(self, client_id: int | None) -> list[Session]:
        sessions = self._gateway.sessions
        return [session for session in sessions.values() if client_id is None or session.client_id == client_id]

    def _disconnect(self, fault: Disconnect) -> None:
        for session in self._sessions_of(fault.client):
            self._on().cut(session, fault.how)

    def _half_open(self, fault: HalfOpen) -> None:
        for session in self._sessions_of(fault.client):
            self._on().deafen(session)
            if fault.for_s is not None:
                self._resets.append((self._gateway.now + timedelta(seconds=fault.for_s), session))

    def _restart(self, fault: Restart) -> None:
        if fault.ids_back:
            known = self._gateway.store.next_order_ids()
            self._marks.lowered = {client_id: (following, fault.ids_back) for client_id, following in known.items()}
        self._on().restart(fault.for_s)

    def joined(self, client_id: int) -> None:
        """A client has connected anew: its silent orders are told about again."""
        silent = self._marks.silent
        for perm_id in [perm_id for perm_id, (owner, _until) in silent.items() if owner == client_id]:
            del silent[perm_id]

    def announced(self, client_id: int, following: int) -> int:
        """The id that nextValidId tells a client whose next free one is `following`."""
        lowered = self._marks.lowered.get(client_id)
        if lowered is None or lowered[0] != following:
            return following
        return max(1, following - lowered[1])

    # --- requests -----------------------------------------------------------------------------------------------

    def takes(self, session: Session, name: str, values: Mapping[str, Any], texts: list[str]) -> bool:
        """Whether a request goes no further: lost, or held back until later.

        Raises:
            RequestError: it is refused.
        """
        if self.link.hold(session, name, values, texts):
            return True
        if name not in {"placeOrder", "cancelOrder"} or values.get("whatIf"):
            return False
        awaited = self._marks.awaited(session.client_id, values["orderId"])
        if awaited is not None:  # what is said about a late order stays behind it
            self._marks.later.append(deliver(awaited, session, values, texts))
            return True
        if name == "placeOrder":
            return self._takes_order(session, values, texts)
        self._refuse_cancel(session, values)
        return False

    def _takes_order(self, session: Session, values: Mapping[str, Any], texts: list[str]) -> bool:
        book = self._gateway.book
        order = book.find(session.client_id, values["orderId"])
        if order is not None and order.live:
            unchangeable = self._claim(RefuseModify, order.client_id, order.echo)
            if unchangeable is not None:
                raise rejected(unchangeable.reason)
        if order is not None or values["orderId"] < book.next_order_id(session.client_id):
            return False
        if self._claim(DropOrder, session.client_id, values):
            return True
        late = self._claim(LateOrder, session.client_id, values)
        if late is not None:
            at = self._gateway.now + timedelta(seconds=late.by_s)
            self._marks.later.append(deliver(at, session, values, texts))
            return True
        cut = self._claim(CutOnOrder, session.client_id, values)
        if cut is not None:
            self._cut_on_order(cut, session, texts)
        return cut is not None

    def _cut_on_order(self, cut: CutOnOrder, session: Session, texts: list[str]) -> None:
        self._on().deafen(session)
        if cut.order == "accepted":
            self._on().deliver(session.client_id, session.version, texts)
        self._on().cut(session, cut.how)

    def _refuse_cancel(self, session: Session, values: Mapping[str, Any]) -> None:
        order = self._gateway.book.find(session.client_id, values["orderId"])
        if order is not None and order.live and self._claim(RefuseCancel, order.client_id, order.echo):
            text = f"OrderId {order.order_id} that needs to be cancelled cannot be cancelled, state: {order.status}."
            raise RequestError(CANCEL_IMPOSSIBLE, text)

    def _claim(self, kind: type[FaultT], client_id: int, values: Mapping[str, Any]) -> FaultT | None:
        fault = self._plan.claim(kind, OrderFacts.of(client_id, values), self._gateway.now)
        if fault is not None:
            _log.info("fault", name=fault.name, client_id=client_id, order_id=values["orderId"])
        return fault

    # --- the book -------------------------------------------------------------------------------------------------

    def refusal(self, order: PaperOrder) -> RequestError | None:
        """Why the book does not take a new order. Faults that last meet it here."""
        if not self.in_force:
            return None
        reject = self._claim(Reject, order.client_id, order.echo)
        if reject is not None:
            return rejected(reject.reason)
        met = [fault for kind in _LASTING if (fault := self._claim(kind, order.client_id, order.echo)) is not None]
        if met:
            self._marks.orders[order.perm_id] = met
        lost = self._marks.found(order.perm_id, LoseReply)
        if lost is not None:
            self._silence(order, lost.for_s)
        return None

    def most(self, order: PaperOrder, quantity: Decimal) -> Decimal:
        """How much of `quantity` an order may have filled after its next look at the market."""
        fault = self._marks.found(order.perm_id, PartialSilence) if self.in_force else None
        if fault is None or (order.filled and fault.rest == "works"):
            return quantity
        return min(quantity, fault.fill)

    def _silence(self, order: PaperOrder, for_s: float | None) -> None:
        until = None if for_s is None else self._gateway.now + timedelta(seconds=for_s)
        self._marks.silent[order.perm_id] = (order.client_id, until)

    # --- reports --------------------------------------------------------------------------------------------------

    def is_silent(self, order: PaperOrder) -> bool:
        """Whether an order's client is told nothing about it now."""
        silent = self._marks.silent.get(order.perm_id)
        return silent is not None and (silent[1] is None or self._gateway.now < silent[1])

    def is_doubled(self, order: PaperOrder) -> bool:
        """Whether every report about an order goes out twice."""
        return self._marks.found(order.perm_id, DuplicateReports) is not None

    def is_last_word(self, executions: list[Execution], order: PaperOrder) -> bool:
        """Whether these are the partial fill after which an order falls silent."""
        partial = self._marks.found(order.perm_id, PartialSilence)
        return partial is not None and executions[0].cumulative <= partial.fill

    def withholds(self, executions: list[Execution], order: PaperOrder) -> bool:
        """Whether the commissions of these executions are not told now."""
        fault = self._marks.found(order.perm_id, WithholdCommission)
        if fault is not None and fault.for_s is not None:
            roots = [execution.root for execution in executions]
            self._later(fault.for_s, "charge", {"perm_id": order.perm_id, "roots": roots})
        return fault is not None

    def filled(self, executions: list[Execution], order: PaperOrder) -> None:
        """An order filled, and that was told."""
        partial = self._marks.found(order.perm_id, PartialSilence)
        if partial is not None and self.is_last_word(executions, order):
            self._silence(order, partial.for_s)
        correct = self._marks.found(order.perm_id, CorrectExecution)
        if correct is not None and not order.tradable.is_combination:
            self._marks.orders[order.perm_id].remove(correct)
            by = "0" if correct.bust else str(correct.by)
            self._later(correct.after_s, "correct", {"root": executions[0].root, "by": by, "bust": correct.bust})
