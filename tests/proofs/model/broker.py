"""What the broker and the world around the desks may do. Every step is (words, next state, kind).

Kind steps are those that a world without faults makes by itself; only they count when it is asked whether a close can
still be done.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.proofs.model.world import (
    CANCELLED,
    EXIT,
    FILLED,
    FROZEN,
    HIDDEN,
    HIDDEN_LATE,
    INACTIVE,
    OFF,
    SEEN,
    UP,
    WORKING,
    Bounds,
    Desk,
    Intent,
    Live,
    Order,
    Protocol,
    Request,
    Violation,
    World,
    blank,
    put,
)

from htbot.domain.orders import IntentState, OrderState
from htbot.execution.broker_events import Asked, event_of_error
from htbot.execution.states import INTENT_OVER

Step = tuple[str, World, bool]
DUPLICATE_ID = 103


def steps(world: World, rules: Protocol, bounds: Bounds) -> Iterator[Step]:
    """Everything that happens without a desk's doing."""
    for request in dict.fromkeys(world.net):
        yield from _request_steps(world, request, rules, bounds)
    for index, order in enumerate(world.orders):
        yield from _order_steps(world, index, order, bounds)
    yield from _ask_for_next_close(world, bounds)
    if world.faults < bounds.faults:
        yield from _faults(world, rules, bounds)


# --- requests ---------------------------------------------------------------------------------------------------------


def _request_steps(world: World, request: Request, rules: Protocol, bounds: Bounds) -> Iterator[Step]:
    name = f"request of {bounds.refs[request.ref]} under id {request.order_id}"
    rest = list(world.net)
    rest.remove(request)
    without = world._replace(net=tuple(rest))
    used = next((order for order in world.orders if _same_key(order, request) and not order.forgotten), None)
    if used is None:
        order = Order(
            request.ref,
            request.client,
            request.order_id,
            len(world.orders),
            shown=HIDDEN_LATE if request.late else HIDDEN,
            late=request.late,
        )
        yield f"the broker accepts the {name}", without._replace(orders=(*world.orders, order)), True
        refused = order._replace(status=INACTIVE)
        yield f"the broker refuses the {name} (201)", without._replace(orders=(*world.orders, refused)), False
    elif used.ref != request.ref:
        raise Violation(f"the {name} reached the order of {bounds.refs[used.ref]}: one id for two orders")
    elif used.status == WORKING:
        yield f"the broker takes the {name} for a modification of the order that works", without, True
    else:
        yield from _duplicate_id(without, request, name, rules)
    if world.faults < bounds.faults:
        fault = world.fault()
        if "lost" in bounds.weather and not request.late:
            yield f"the {name} is lost", without.fault(), False
        if "late" in bounds.weather and not request.late:
            late = tuple(sorted((*rest, request._replace(late=True))))
            yield f"the {name} hangs on its way for longer than the settle time", fault._replace(net=late), False
        if "doubled" in bounds.weather:
            yield f"the {name} is doubled on its way", fault._replace(net=tuple(sorted((*world.net, request)))), False


def _duplicate_id(world: World, request: Request, name: str, rules: Protocol) -> Iterator[Step]:
    """Error 103: the id has been used. Whoever holds the socket may hear it."""
    yield f"the broker answers the {name} with 103, unheard", world, True
    for number, desk in enumerate(world.desks):
        live = desk.lives[request.ref]
        if world.sockets[number] and desk.mode == UP and live is not None and live.order_id == request.order_id:
            event = event_of_error(DUPLICATE_ID, Asked.PLACE)
            if event is None:
                continue
            state = rules.order_moves[live.state].get(event)
            if state is None:
                raise Violation(f"illegal: order in state {live.state} cannot have the event {event} (error 103)")
            settled = live.settled and not rules.settle_after_refused_id
            heard = live._replace(state=state, id_refused=True, settled=settled)
            shown = _listed_in_time(world, request) if rules.settle_after_refused_id else world
            yield f"the broker answers the {name} with 103", shown.live_is(number, request.ref, heard), True


def _listed_in_time(world: World, request: Request) -> World:
    """What used the id was accepted before: a settle time from here on is long enough for it to be listed."""
    orders = tuple(
        order._replace(shown=HIDDEN) if _same_key(order, request) and order.shown == HIDDEN_LATE else order
        for order in world.orders
    )
    return world._replace(orders=orders)


def _same_key(order: Order, request: Request) -> bool:
    return (order.client, order.order_id) == (request.client, request.order_id)


# --- orders -----------------------------------------------------------------------------------------------------------


def _order_steps(world: World, index: int, order: Order, bounds: Bounds) -> Iterator[Step]:
    name = f"order of {bounds.refs[order.ref]} (permId {order.perm})"
    if order.shown != SEEN:
        yield f"the {name} shows in the broker's lists", _with(world, index, order._replace(shown=SEEN)), True
    if order.status == WORKING:
        yield f"the {name} fills", _with(world, index, order._replace(status=FILLED)), True
        yield f"the {name} is cancelled by the broker", _with(world, index, order._replace(status=CANCELLED)), False
        if "moved" in bounds.weather and world.faults < bounds.faults and not any(world.sockets):
            old = _with(world, index, order._replace(status=CANCELLED, mute=True))
            twin = order._replace(perm=len(world.orders), shown=HIDDEN)
            moved = old._replace(orders=(*old.orders, twin)).fault()
            yield f"the {name} goes on under another permId {twin.perm}, the first is cancelled", moved, False


def _with(world: World, index: int, order: Order) -> World:
    return world._replace(orders=put(world.orders, index, order))


def _ask_for_next_close(world: World, bounds: Bounds) -> Iterator[Step]:
    """The guard asks for another close when the record says that the one before it has ended without closing."""
    if not world.record_up:
        return
    previous: Intent | None = None
    for ref, (intent, purpose) in enumerate(zip(world.intents, bounds.purposes, strict=True)):
        if purpose is not EXIT:
            continue
        ended = previous is not None and previous.state in INTENT_OVER and previous.state is not IntentState.FILLED
        if intent.state is None and ended:
            asked = world.intent_is(ref, Intent(IntentState.PENDING))
            yield f"another close, {bounds.refs[ref]}, is asked for", asked, True
        previous = intent


# --- faults -----------------------------------------------------------------------------------------------------------


def _faults(world: World, rules: Protocol, bounds: Bounds) -> Iterator[Step]:
    for number, desk in enumerate(world.desks):
        if desk.mode == OFF:
            continue
        if "crash" in bounds.weather:
            yield f"desk {number} is killed", dead(world, number, rules).fault(), False
        if "freeze" in bounds.weather and desk.mode == UP:
            yield f"desk {number} freezes", world.desk_is(number, desk._replace(mode=FROZEN)).fault(), False
        if "disconnect" in bounds.weather and world.sockets[number]:
            yield f"desk {number} loses its socket", dropped(world, number, rules).fault(), False
    if "restart" in bounds.weather and world.orders and not world.ids_went_back:
        yield "the broker restarts; its ids go back", _restarted(world, rules).fault(), False
    if "second" in bounds.weather:
        yield from _second_instance(world)
    if "record" in bounds.weather and world.record_up:
        yield "the database dies", world._replace(record_up=False).fault(), False


def _second_instance(world: World) -> Iterator[Step]:
    for number, desk in enumerate(world.desks):
        if desk.mode == OFF and world.desks[1 - number].mode == UP:
            yield f"desk {number} is started beside the other", started(world, number).fault(), False


def _restarted(world: World, rules: Protocol) -> World:
    """What hung in the gateway is gone, ids of ended orders are free again, and the lists fill up anew."""
    orders = tuple(order._replace(shown=HIDDEN, forgotten=order.status != WORKING) for order in world.orders)
    for number in (0, 1):
        world = dropped(world, number, rules)
    return world._replace(orders=orders, net=(), ids_went_back=True)


def dropped(world: World, number: int, rules: Protocol) -> World:
    """A socket breaks; a desk that runs notices it at once and doubts all that it sent, a frozen one when it wakes."""
    if not world.sockets[number]:
        return world
    desk = world.desks[number]
    orders = tuple(order._replace(mute=order.status != WORKING) for order in world.orders)
    world = world.socket_is(number, up=False)._replace(orders=orders)
    return world if desk.mode == FROZEN else world.desk_is(number, doubting(desk, rules))


def doubting(desk: Desk, rules: Protocol) -> Desk:
    """All that was sent is in doubt, and its settle time begins anew; what was about to be sent stays unsent."""
    lives = tuple(
        None if live is None else live._replace(state=OrderState.UNKNOWN, settled=False) for live in desk.lives
    )
    match desk.at:
        case ("committed", ref, order_id) if rules.send_in_its_session:
            return desk._replace(lives=put(lives, ref, Live(OrderState.UNKNOWN, order_id)), at=())
        case ("asked", *_):
            return desk._replace(lives=lives, at=())
    return desk._replace(lives=lives)


def dead(world: World, number: int, rules: Protocol) -> World:
    """A process is gone, with its memory and its socket."""
    return dropped(world, number, rules).desk_is(number, blank(len(world.intents)))


def started(world: World, number: int) -> World:
    """A process begins its epoch; the record must be there for that."""
    world = world._replace(epoch=world.epoch + 1)
    return world.desk_is(number, blank(len(world.intents), UP, world.epoch, len(world.journal)))
