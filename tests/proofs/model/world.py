"""One state of the model: the record, the desks, the broker, and what is on its way between them.

Everything is an immutable tuple, so that a state is its own hash key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from htbot.domain.orders import IntentState, OrderState, Purpose
from htbot.execution.states import INTENT_MOVES, ORDER_MOVES, IntentEvent, OrderEvent

OFF, UP, FROZEN = "off", "up", "frozen"
HIDDEN, SEEN, HIDDEN_LATE = 0, 1, 2
WORKING, FILLED, CANCELLED, INACTIVE = "Submitted", "Filled", "Cancelled", "Inactive"
ENTRY, EXIT = Purpose.ENTRY, Purpose.EXIT


class Violation(Exception):
    """What must never be has been reached; the text says what."""


@dataclass(frozen=True)
class Protocol:
    """The rules that make a send exactly once, each of which can be taken away.

    The two tables are the ones that the desk uses, unless a test hands in others.
    """

    commit_before_send: bool = True
    high_water: bool = True
    settle: bool = True
    silence_before_asking: bool = True
    look_up_before_resend: bool = True
    ends_await_settle: bool = True
    send_in_its_session: bool = True
    same_id_on_resend: bool = True
    epoch_fence: bool = True
    shared_client_id: bool = True
    watchdog: bool = True
    heed_late_news: bool = True
    settle_after_refused_id: bool = True
    caught_up_before_reading: bool = True
    journal_read_after_connecting: bool = True
    entries_expire: bool = True
    intent_moves: Mapping[IntentState, Mapping[IntentEvent, IntentState]] = field(default_factory=lambda: INTENT_MOVES)
    order_moves: Mapping[OrderState, Mapping[OrderEvent, OrderState]] = field(default_factory=lambda: ORDER_MOVES)


@dataclass(frozen=True)
class Bounds:
    """How much may go wrong in one run, and what is sent: refs by name, E for entries, X for closes of one position.

    `weather` are the kinds of faults that may happen; each one that does costs one of `faults`. With `by_journal` a
    close is promised in the desk's own journal and the record follows behind what happens; without it every close is
    claimed from the record and every move is committed before the next step.
    """

    refs: tuple[str, ...]
    faults: int
    weather: frozenset[str]
    by_journal: bool = False

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """Purpose of each ref."""
        return tuple(ENTRY if name.startswith("E") else EXIT for name in self.refs)


class Intent(NamedTuple):
    """A row of the record; `state` None while nobody has asked for it."""

    state: IntentState | None
    epoch: int = 0
    order_id: int = 0


class Live(NamedTuple):
    """What a desk remembers of an order; `settled` says that the settle time of its doubt is over.

    `id_refused`: error 103 has been heard of it.
    """

    state: OrderState
    order_id: int
    settled: bool = False
    perms: frozenset[int] = frozenset()
    id_refused: bool = False


class Desk(NamedTuple):
    """A sender. `at` is where it stands between two of its steps, () when idle.

    `read` is how many lines of the journal it knows, `behind` the states that the record does not have yet.
    """

    mode: str = OFF
    epoch: int = 0
    next_id: int = 0
    took_over: bool = False
    at: tuple[Any, ...] = ()
    lives: tuple[Live | None, ...] = ()
    known_high: int = 0
    read: int = 0
    behind: tuple[OrderState | None, ...] = ()


class Order(NamedTuple):
    """What the broker has accepted.

    `late`: after the settle time. `forgotten`: its id may be used again. `mute`: it ended before the present socket, so
    that only lists tell of it.
    """

    ref: int
    client: int
    order_id: int
    perm: int
    status: str = WORKING
    shown: int = HIDDEN
    late: bool = False
    forgotten: bool = False
    mute: bool = False


class Request(NamedTuple):
    """A request between a socket and the broker's books; a late one may take longer than the settle time."""

    ref: int
    client: int
    order_id: int
    late: bool = False


class Line(NamedTuple):
    """A close promised in the journal; `taken` once the record has it."""

    ref: int
    order_id: int
    taken: bool = False


class World(NamedTuple):
    """One state of everything."""

    epoch: int
    high: int
    intents: tuple[Intent, ...]
    desks: tuple[Desk, Desk]
    orders: tuple[Order, ...] = ()
    net: tuple[Request, ...] = ()
    sockets: tuple[bool, bool] = (False, False)
    ids_went_back: bool = False
    faults: int = 0
    written: tuple[int, ...] = ()
    record_up: bool = True
    journal: tuple[Line, ...] = ()

    def desk_is(self, number: int, desk: Desk) -> World:
        """With another desk in place of one."""
        return self._replace(desks=(desk, self.desks[1]) if number == 0 else (self.desks[0], desk))

    def live_is(self, number: int, ref: int, live: Live | None) -> World:
        """With another memory of one ref."""
        desk = self.desks[number]
        return self.desk_is(number, desk._replace(lives=put(desk.lives, ref, live)))

    def intent_is(self, ref: int, intent: Intent) -> World:
        """With another row of the record."""
        return self._replace(intents=put(self.intents, ref, intent))

    def socket_is(self, number: int, *, up: bool) -> World:
        """With a socket opened or closed."""
        return self._replace(sockets=put(self.sockets, number, up))

    def fault(self) -> World:
        """One fault more."""
        return self._replace(faults=self.faults + 1)


def put(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    """A tuple with one item replaced."""
    return (*items[:index], item, *items[index + 1 :])


def blank(refs: int, mode: str = OFF, epoch: int = 0, read: int = 0) -> Desk:
    """A desk that remembers nothing."""
    return Desk(mode, epoch, lives=(None,) * refs, read=read, behind=(None,) * refs)


def first_world(bounds: Bounds) -> World:
    """Nothing runs, the first ref of each kind waits."""
    asked = [name[1:] == "1" for name in bounds.refs]
    intents = tuple(Intent(IntentState.PENDING if now else None) for now in asked)
    return World(0, 0, intents, (blank(len(intents)), blank(len(intents))), written=(0,) * len(bounds.refs))
