"""What a desk does, step by step, as `htbot.desk` does it; between two steps it may be killed, frozen or cut off.

States move by the tables of `htbot.execution.states`; what became of an order in doubt is asked of
`htbot.execution.reconciliation.resolve`; what a status means of `htbot.execution.broker_events`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.proofs.model.broker import Step, dead, doubting, started
from tests.proofs.model.lookup import report_of, told, what_became
from tests.proofs.model.world import (
    CANCELLED,
    ENTRY,
    EXIT,
    FROZEN,
    INACTIVE,
    OFF,
    SEEN,
    UP,
    WORKING,
    Bounds,
    Desk,
    Line,
    Live,
    Order,
    Protocol,
    Request,
    Violation,
    World,
    put,
)
from tests.proofs.model.writer import Superseded, Writer

from htbot.domain.orders import IntentState, OrderState
from htbot.execution.broker_events import event_of_status
from htbot.execution.reconciliation import Outcome
from htbot.execution.states import INTENT_OVER, IntentEvent, OrderEvent

_SENT = frozenset({IntentState.SENDING, IntentState.WORKING, IntentState.UNKNOWN})
_ENDS = frozenset({OrderEvent.CANCEL, OrderEvent.EXPIRE, OrderEvent.REJECT})
_ORDER_EVENTS = {
    IntentEvent.ACKNOWLEDGE: OrderEvent.ACKNOWLEDGE,
    IntentEvent.FILL: OrderEvent.FULL_FILL,
    IntentEvent.CANCEL: OrderEvent.CANCEL,
    IntentEvent.REJECT: OrderEvent.REJECT,
    IntentEvent.EXPIRE: OrderEvent.EXPIRE,
}
_ENDED_AS = {
    IntentState.CANCELLED: OrderState.CANCELLED,
    IntentState.REJECTED: OrderState.REJECTED,
    IntentState.EXPIRED: OrderState.EXPIRED,
}
MOST_IN_FLIGHT = 4


def steps(world: World, rules: Protocol, bounds: Bounds) -> Iterator[Step]:
    """Everything that the desks may do next."""
    for number, desk in enumerate(world.desks):
        if desk.mode == OFF:
            if world.record_up and world.desks[1 - number].mode != UP and (number == 0 or world.desks[0].mode != OFF):
                yield f"desk {number} starts epoch {world.epoch + 1}", started(world, number), True
        elif desk.mode == FROZEN:
            yield from _frozen(world, number, rules)
        else:
            yield from Sender(world, number, rules, bounds).steps()
    if not world.record_up:
        yield "the database comes back", world._replace(record_up=True), True


def _frozen(world: World, number: int, rules: Protocol) -> Iterator[Step]:
    desk = world.desks[number]
    if rules.watchdog:
        yield f"the watchdog kills frozen desk {number}", dead(world, number, rules), True
    if not rules.watchdog or desk.epoch == world.epoch:
        awake = desk._replace(mode=UP) if world.sockets[number] else doubting(desk, rules)._replace(mode=UP)
        yield f"desk {number} wakes", world.desk_is(number, awake), False


class Sender(Writer):
    """The steps of one desk that runs, in one state of the world."""

    def steps(self) -> Iterator[Step]:
        """Words, next state, and whether a world without faults does it."""
        try:
            yield from self._steps()
        except Superseded:
            yield (
                f"desk {self.number} learns that it was superseded and ends",
                dead(self.world, self.number, self.rules),
                True,
            )

    def _steps(self) -> Iterator[Step]:
        if self.world.record_up and not self.desk.at:
            self._require_epoch()  # what a desk writes every few seconds, work or not
        if not self.connected:
            yield from self._connect()
        if not self.desk.took_over:
            return
        match self.desk.at:
            case ():
                yield from self._idle()
            case ("claimed", ref):
                yield from self._claimed(ref)
            case ("committed", ref, order_id):
                yield from self._committed(ref, order_id)
            case ("asked", ref, rows, settled):
                yield from self._conclude(ref, rows, settled)
            case ("placed", ref, order_id):
                yield from self._commit_late(ref, order_id)
            case ("unheard",):
                yield from self._restore()

    def _idle(self) -> Iterator[Step]:
        if self.bounds.by_journal:
            yield from self._journal()
            yield from self._write_behind()
        for ref, live in enumerate(self.desk.lives):
            if live is not None and (self.world.record_up or self.bounds.by_journal):
                yield from self._follow(ref, live)
            elif live is None and self._may_write(ref) and self.connected and self.rules.heed_late_news:
                yield from self._late_news(ref)
        if self.connected and self.world.record_up and not self._untaken():
            yield from self._claim()

    # --- connecting and taking over --------------------------------------------------------------------------------

    def _connect(self) -> Iterator[Step]:
        if self.rules.shared_client_id and any(self.world.sockets):
            return  # 326
        used = [order.order_id for order in self.world.orders if order.client == self.client]
        next_id = 1 if self.world.ids_went_back else max(used, default=0) + 1
        opened = self.world.socket_is(self.number, up=True)
        desk = doubting(self.desk._replace(next_id=next_id), self.rules)
        words = f"desk {self.number} connects, next id {next_id}"
        if self.desk.took_over:
            yield words, opened.desk_is(self.number, desk), True
        elif self.world.record_up:
            yield f"{words}, and takes over", self._take_over(opened, desk), True

    def _take_over(self, world: World, desk: Desk) -> World:
        self._require_epoch()
        if self.rules.journal_read_after_connecting:
            desk = self.desk = desk._replace(read=len(world.journal))
        world = self._take_journal(world)
        lives: list[Live | None] = []
        for ref, intent in enumerate(world.intents):
            if intent.state is IntentState.CLAIMED:
                world = self._write(world, ref, IntentEvent.RELEASE)
            elif intent.state in _SENT:
                world = world.intent_is(ref, intent._replace(epoch=desk.epoch))
                lives.append(Live(OrderState.UNKNOWN, intent.order_id))
                continue
            lives.append(None)
        return world.desk_is(self.number, desk._replace(took_over=True, lives=tuple(lives), known_high=world.high))

    # --- sending ---------------------------------------------------------------------------------------------------

    def _claim(self) -> Iterator[Step]:
        waiting = [ref for ref, intent in enumerate(self.world.intents) if intent.state is IntentState.PENDING]
        doubt = any(live is not None and live.state is OrderState.UNKNOWN for live in self.desk.lives)
        if doubt or self.bounds.by_journal:
            kind = ENTRY if self.bounds.by_journal else EXIT
            waiting = [ref for ref in waiting if self.bounds.purposes[ref] is kind and not (doubt and kind is ENTRY)]
        if not waiting:
            return
        ref = min(waiting, key=lambda one: self.bounds.purposes[one] is ENTRY)
        claimed = self._write(self.world, ref, IntentEvent.CLAIM)
        at = self.desk._replace(at=("claimed", ref))
        yield f"desk {self.number} commits the claim of {self.name(ref)}", claimed.desk_is(self.number, at), True

    def _claimed(self, ref: int) -> Iterator[Step]:
        if not self.world.record_up:
            lost = self.desk._replace(at=("unheard",))
            yield f"desk {self.number} cannot go on with {self.name(ref)}", self.world.desk_is(self.number, lost), True
            return
        order_id = self.world.intents[ref].order_id or self._reserve()
        if not self.rules.commit_before_send:
            yield self._place(self.world, ref, order_id, ("placed", ref, order_id))
            return
        committed = self._send_committed(ref, order_id)
        if committed is None:
            return
        at = self.desk._replace(at=("committed", ref, order_id), known_high=committed.high)
        words = f"desk {self.number} commits SENDING of {self.name(ref)} under id {order_id}"
        yield words, committed.desk_is(self.number, at), True
        if "record" in self.bounds.weather and self.world.faults < self.bounds.faults:
            unheard = committed.desk_is(self.number, self.desk._replace(at=("unheard",)))
            yield f"{words}; the database dies before it answers", unheard._replace(record_up=False).fault(), False

    def _send_committed(self, ref: int, order_id: int) -> World | None:
        self._require_epoch()
        intent = self.world.intents[ref]
        if intent.state is not IntentState.CLAIMED:  # another desk has moved it: the conditional write does nothing
            return None
        committed = self._write(self.world, ref, IntentEvent.SEND, order_id)
        return committed._replace(high=max(committed.high, order_id))

    def _commit_late(self, ref: int, order_id: int) -> Iterator[Step]:
        """Weakened: the order is on the socket before the record knows of it."""
        committed = self._send_committed(ref, order_id) if self.world.record_up else None
        if committed is not None:
            idle = self.desk._replace(at=())
            yield f"desk {self.number} commits SENDING of {self.name(ref)}", committed.desk_is(self.number, idle), True

    def _committed(self, ref: int, order_id: int) -> Iterator[Step]:
        yield self._place(self.world, ref, order_id, ())
        if self.bounds.purposes[ref] is ENTRY and self.world.record_up:
            withdrawn = self._write(self.world, ref, IntentEvent.WITHDRAW)
            idle = self.desk._replace(at=())
            words = f"desk {self.number} finds a halt and withdraws {self.name(ref)}"
            yield words, withdrawn.desk_is(self.number, idle), False

    def _place(self, world: World, ref: int, order_id: int, at: tuple[object, ...]) -> Step:
        """Write to the socket; a broken one takes nothing, and the order is in doubt."""
        state = OrderState.SENDING if self.connected else OrderState.UNKNOWN
        live = Live(state, order_id)
        desk = self.desk._replace(at=at)
        world = world.desk_is(self.number, desk).live_is(self.number, ref, live)
        if not self.connected:
            return f"desk {self.number} writes {self.name(ref)} to a broken socket", world, True
        words = f"desk {self.number} writes {self.name(ref)} under id {order_id} to the socket"
        return words, self._in_flight(world, ref, order_id), True

    def _in_flight(self, world: World, ref: int, order_id: int) -> World:
        if len(world.net) >= MOST_IN_FLIGHT:
            raise Violation(f"{len(world.net)} requests are under way at once: a storm of repetitions")
        net = tuple(sorted((*world.net, Request(ref, self.client, order_id))))
        written = list(world.written)
        written[ref] = min(written[ref] + 1, 2)
        return world._replace(net=net, written=tuple(written))

    # --- the journal, and the record behind ------------------------------------------------------------------------

    def _journal(self) -> Iterator[Step]:
        """A close is promised in the desk's own file and leaves, whatever the record does."""
        known = {line.ref for line in self.world.journal[: self.desk.read]}
        for ref, intent in enumerate(self.world.intents):
            wanted = self.bounds.purposes[ref] is EXIT and intent.state is IntentState.PENDING and ref not in known
            if wanted and self.connected and self.desk.lives[ref] is None:
                order_id = max(self.desk.next_id, self.desk.known_high + 1)
                lives = put(self.desk.lives, ref, Live(OrderState.SENDING, order_id))
                at = ("committed", ref, order_id)
                journal = (*self.world.journal, Line(ref, order_id))
                desk = self.desk._replace(at=at, known_high=order_id, lives=lives, read=len(journal))
                words = f"desk {self.number} promises {self.name(ref)} under id {order_id} in the journal"
                yield words, self.world._replace(journal=journal).desk_is(self.number, desk), True

    def _restore(self) -> Iterator[Step]:
        """The database is back: what it has as sent by us and nobody here knows of is in doubt."""
        if not self.world.record_up:
            return
        self._require_epoch()
        if self.rules.caught_up_before_reading and (self._untaken() or any(self.desk.behind)):
            yield from self._write_behind()
            return
        world = self.world.desk_is(self.number, self.desk._replace(at=()))
        for ref, intent in enumerate(self.world.intents):
            if intent.epoch != self.desk.epoch or self.desk.lives[ref] is not None:
                continue
            if intent.state in _SENT:
                world = world.live_is(self.number, ref, Live(OrderState.UNKNOWN, intent.order_id))
            elif intent.state is IntentState.CLAIMED:
                world = self._write(world, ref, IntentEvent.RELEASE)
        yield f"desk {self.number} reads what it had sent", world, True

    # --- following -------------------------------------------------------------------------------------------------

    def _follow(self, ref: int, live: Live) -> Iterator[Step]:
        if live.state is OrderState.SENDING:
            yield self._happened(ref, live, OrderEvent.DOUBT, "has had no answer in time about")
        if not self.connected:
            return
        for order in self.world.orders:
            if (order.client, order.order_id) == (self.client, live.order_id) and not order.mute:
                yield from self._hear(ref, live, order)
        if live.state is OrderState.SUBMITTED and not any(row.status == WORKING for row in self._rows(ref)):
            yield self._happened(ref, live, OrderEvent.DOUBT, "misses among the open orders")
        if live.state is OrderState.UNKNOWN:
            yield from self._doubt(ref, live)

    def _hear(self, ref: int, live: Live, order: Order) -> Iterator[Step]:
        """The broker's messages, also those that were overtaken: an order that has ended may still be told as open."""
        for status in dict.fromkeys((WORKING, order.status) if order.status != INACTIVE else (INACTIVE,)):
            event = event_of_status(report_of(status))
            perms = live.perms | {order.perm}
            if event in _ENDS and len(perms) > 1:
                event = OrderEvent.DOUBT
            if event is not None:
                step = self._happened(ref, live._replace(perms=perms), event, f"hears {status!r} of")
                if step[1] != self.world:
                    yield step

    def _late_news(self, ref: int) -> Iterator[Step]:
        """Something shows under a ref that has ended in the record: what the broker says wins."""
        intent = self.world.intents[ref]
        if intent.state not in INTENT_OVER or intent.state is IntentState.FILLED:
            return
        for order in self._rows(ref):
            ended = _ENDED_AS.get(intent.state)
            if ended is None:
                raise Violation(f"{self.name(ref)} is at the broker and {intent.state} in the record")
            event = event_of_status(report_of(order.status))
            if event is not None:
                live = Live(ended, intent.order_id, False, frozenset({order.perm}))
                step = self._happened(ref, live, event, "finds late news of")
                if step[1] != self.world:
                    yield step

    # --- doubt -----------------------------------------------------------------------------------------------------

    def _rows(self, ref: int) -> tuple[Order, ...]:
        """What the broker lists under a ref now."""
        return tuple(order for order in self.world.orders if order.ref == ref and order.shown == SEEN)

    def _doubt(self, ref: int, live: Live) -> Iterator[Step]:
        if not live.settled and self._silence_is_over(ref):
            settled = self.world.live_is(self.number, ref, live._replace(settled=True))
            yield f"the settle time of {self.name(ref)} at desk {self.number} is over", settled, True
        rows = self._rows(ref)
        if rows or live.settled or not self.rules.silence_before_asking:
            asked = self.desk._replace(at=("asked", ref, rows, live.settled))
            words = f"desk {self.number} asks for {self.name(ref)}; the broker lists {told(rows)}"
            yield words, self.world.desk_is(self.number, asked), True
        if not self.rules.look_up_before_resend and self.bounds.purposes[ref] is EXIT:
            yield self._send_again(ref, live)

    def _silence_is_over(self, ref: int) -> bool:
        """Time passes: requests that are not late have arrived or are lost, and what was accepted is listed."""
        if not self.rules.settle:
            return True
        under_way = any(request.ref == ref and not request.late for request in self.world.net)
        return not under_way and not any(order.ref == ref and order.shown == 0 for order in self.world.orders)

    def _conclude(self, ref: int, rows: tuple[Order, ...], settled: bool) -> Iterator[Step]:
        live = self.desk.lives[ref]
        if live is None:
            raise Violation(f"desk {self.number} concludes about {self.name(ref)}, which it has forgotten")
        if not self.rules.silence_before_asking:
            if not live.settled and self._silence_is_over(ref):
                later = self.world.live_is(self.number, ref, live._replace(settled=True))
                yield f"the settle time of {self.name(ref)} at desk {self.number} is over", later, True
            settled = live.settled
        settled = settled and live.settled  # what has begun a new doubt since the question makes its answer old
        purpose = self.bounds.purposes[ref]
        found = what_became(purpose, rows, settled)
        if not self.rules.ends_await_settle and any(row.status == CANCELLED for row in rows):
            found = what_became(purpose, rows, True)
        if found.outcome is Outcome.WAIT:
            idle = self.world.desk_is(self.number, self.desk._replace(at=()))
            yield f"desk {self.number} waits for {self.name(ref)}", idle, True
            return
        if not self.world.record_up and not self.bounds.by_journal:
            return
        event = found.event(purpose) if self.rules.entries_expire else found.event(EXIT)
        if event is IntentEvent.SEND and live.id_refused:
            event = IntentEvent.REJECT  # a used id is dead: whatever is under way with it is refused as well
        if event is IntentEvent.SEND:
            yield self._send_again(ref, live)
        else:
            perms = live.perms | found.perm_ids
            words = f"concludes {found.outcome.value!r} of"
            yield self._happened(ref, live._replace(perms=perms), _ORDER_EVENTS[event], words)

    def _send_again(self, ref: int, live: Live) -> Step:
        """A close goes out again; the desk does not write that down, the table has to allow it."""
        state = self.world.intents[ref].state
        if state is not None and IntentEvent.SEND not in self.rules.intent_moves[IntentState.UNKNOWN]:
            raise Violation(f"illegal: {self.name(ref)} in doubt cannot be sent again")
        order_id = live.order_id if self.rules.same_id_on_resend else self._reserve()
        world = self.world._replace(high=max(self.world.high, order_id))
        desk = self.desk._replace(at=())
        world = world.desk_is(self.number, desk).live_is(self.number, ref, Live(OrderState.UNKNOWN, order_id))
        words = f"desk {self.number} sends {self.name(ref)} again under id {order_id}"
        return words, self._in_flight(world, ref, order_id), True
