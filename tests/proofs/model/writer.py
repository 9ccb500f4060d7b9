"""How a desk writes: moves of its memory and of the record, by the tables of `htbot.execution.states`, in its epoch."""

from __future__ import annotations

from collections.abc import Iterator

from tests.proofs.model.broker import Step
from tests.proofs.model.world import Bounds, Desk, Intent, Line, Live, Protocol, Violation, World, put

from htbot.domain.orders import IntentState
from htbot.execution.states import ORDER_OVER, IntentEvent, OrderEvent, intent_event_for


class Superseded(Exception):
    """A write was refused: another desk has begun an epoch."""


class Writer:
    """One desk in one state of the world."""

    def __init__(self, world: World, number: int, rules: Protocol, bounds: Bounds) -> None:
        self.world, self.number, self.rules, self.bounds = world, number, rules, bounds
        self.desk: Desk = world.desks[number]
        self.client = 1 if rules.shared_client_id else number + 1
        self.connected = world.sockets[number]

    def name(self, ref: int) -> str:
        """How the trace calls an intent."""
        return self.bounds.refs[ref]

    # --- the record ------------------------------------------------------------------------------------------------

    def _require_epoch(self) -> None:
        if self.rules.epoch_fence and self.desk.epoch != self.world.epoch:
            raise Superseded

    def _write(self, world: World, ref: int, event: IntentEvent, order_id: int | None = None) -> World:
        """One move of an intent in the record, in this desk's epoch."""
        self._require_epoch()
        intent = world.intents[ref]
        if intent.state is None:
            raise Violation(f"{self.name(ref)} is written and was never asked for")
        state = self.rules.intent_moves[intent.state].get(event)
        if state is None:
            raise Violation(f"illegal: {self.name(ref)} in state {intent.state} cannot have the event {event}")
        following = Intent(state, self.desk.epoch, intent.order_id if order_id is None else order_id)
        return world.intent_is(ref, following)

    def _reserve(self) -> int:
        if not self.rules.high_water:
            return self.desk.next_id
        return max(self.desk.next_id, self.world.high + 1)

    def _happened(self, ref: int, live: Live, event: OrderEvent, words: str) -> Step:
        """An event for an order in memory, and in the same breath for its intent in the record."""
        state = self.rules.order_moves[live.state].get(event)
        if state is None:
            raise Violation(f"illegal: order of {self.name(ref)} in state {live.state} cannot have the event {event}")
        told = intent_event_for(state)
        world, desk = self.world, self.desk._replace(at=())
        if told is not None and self.bounds.by_journal:
            desk = desk._replace(behind=put(desk.behind, ref, state))
        elif told is not None:
            world = self._write(world, ref, told)
        settled = live.settled and state is live.state
        after = None if state in ORDER_OVER else live._replace(state=state, settled=settled)
        words = f"desk {self.number} {words} {self.name(ref)}: {state}"
        return words, world.desk_is(self.number, desk).live_is(self.number, ref, after), True

    # --- the journal, and the record behind ------------------------------------------------------------------------

    def _untaken(self) -> tuple[Line, ...]:
        """What the journal promises and the record does not have, as far as this desk has read it."""
        return tuple(line for line in self.world.journal[: self.desk.read] if not line.taken)

    def _may_write(self, ref: int) -> bool:
        """Writes come in their order: what is promised first, then what became of it."""
        ahead = self.desk.behind[ref] is not None or any(line.ref == ref for line in self._untaken())
        return self.world.record_up and not ahead

    def _write_behind(self) -> Iterator[Step]:
        if not self.world.record_up:
            return
        if self._untaken():
            self._require_epoch()
            yield f"the record of desk {self.number} takes over the journal", self._take_journal(self.world), True
            return
        for ref, state in enumerate(self.desk.behind):
            told = None if state is None else intent_event_for(state)
            if told is not None:
                desk = self.desk._replace(behind=put(self.desk.behind, ref, None))
                world = self._write(self.world, ref, told)
                if self.rules.intent_moves[world.intents[ref].state].get(told) is not None:
                    world = self._write(world, ref, told)  # out of an end it goes through UNKNOWN
                world = world.desk_is(self.number, desk)
                yield f"the record of desk {self.number} follows: {self.name(ref)} {state}", world, True

    def _take_journal(self, world: World) -> World:
        for line in self._untaken():
            if world.intents[line.ref].state is IntentState.PENDING:
                world = self._write(world, line.ref, IntentEvent.CLAIM)
            if world.intents[line.ref].state is IntentState.CLAIMED:
                world = self._write(world, line.ref, IntentEvent.SEND, line.order_id)
            world = world._replace(high=max(world.high, line.order_id))
        journal = tuple(
            line._replace(taken=line.taken or place < self.desk.read) for place, line in enumerate(world.journal)
        )
        return world._replace(journal=journal)
