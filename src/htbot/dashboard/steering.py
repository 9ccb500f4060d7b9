"""The brakes below a halt: the scheduler, and the desk's session with the broker. Their state, and who set it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard.controls import Question, ask, button, follow_command
from htbot.dashboard.parts.markup import badge, empty, fact, facts, join, tag
from htbot.dashboard.parts.numbers import UNKNOWN, age, whole
from htbot.domain.scheduler import SchedulerSetting, SchedulerState
from htbot.persistence.queries.scheduler import SchedulerStats
from htbot.services.broker_session import BrokerStatus, RoundTrip
from htbot.services.scheduler import SchedulerStatus
from htbot.services.status_view import StatusView
from htbot.services.tokens import Role

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_RUNNING, _PAUSED, _STOPPED = SchedulerState.RUNNING, SchedulerState.PAUSED, SchedulerState.STOPPED
_TONES = {_RUNNING: "good", _PAUSED: "warn", _STOPPED: "bad"}
_ASKED = {
    "pause": Question("Pause the scheduler", (_PAUSED.means,), "Pause", "halt-button"),
    "stop": Question("Stop the scheduler", (_STOPPED.means,), "Stop", "halt-button"),
    "resume": Question("End the pause", (_RUNNING.means, "Halts stay: they have a button of their own."), "Resume"),
    "start": Question("Start the scheduler", (_RUNNING.means, "Halts stay: they have a button of their own."), "Start"),
}
_OFFERED = {_RUNNING: {"pause", "stop"}, _PAUSED: {"resume", "stop"}, _STOPPED: {"start"}}
DISCONNECT_WORD = "DISCONNECT"


# --- above every page -----------------------------------------------------------------------------------------------


def notices(screen: Screen) -> None:
    """What a person has slowed or taken away, with the button that gives it back."""
    _notice(
        screen, paused, {act: partial(_ask_scheduler, screen, act) for act in ("resume", "start")}, offered_of_scheduler
    )
    _notice(screen, held, {"connect": partial(_ask_connect, screen)}, lambda _screen: {"connect"})


def _notice(
    screen: Screen,
    render: Callable[[Screen], Markup],
    acts: Mapping[str, Callable[[], None]],
    offered: Callable[[Screen], set[str]],
) -> None:
    with ui.element("div").classes("trouble warn with-button").props('role="status"') as box:
        screen.panel(render)
        with ui.element("div").classes("choices"):
            _buttons(screen, acts, offered)

    def follow() -> None:
        box.set_visibility(bool(render(screen)))

    follow()
    screen.follow(follow)


def paused(screen: Screen) -> Markup:
    """That the scheduler does not run; nothing while it does or is not known."""
    setting: SchedulerSetting | None = screen.value("scheduler")
    if setting is None or setting.state is _RUNNING:
        return Markup("")
    return join(f"The scheduler is {setting.state}{_by_whom(screen, setting)}. ", _note(setting.state.means))


def held(screen: Screen) -> Markup:
    """That a person keeps the desk off the broker."""
    status: BrokerStatus | None = screen.value("broker")
    if status is None or status.held_by is None:
        return Markup("")
    guards = "Nobody guards what is open; orders at the broker go on."
    return join(f"The desk is off the broker by {status.held_by}. ", _note(guards))


def _note(text: str) -> Markup:
    return tag("span", text, cls="note")


def _by_whom(screen: Screen, setting: SchedulerSetting) -> str:
    """Who set it, and since which market time."""
    by = f" by {setting.set_by}" if setting.set_by else ""
    return f"{by} since {screen.look.clock(setting.since)}" if setting.since else by


# --- cards of the system page ---------------------------------------------------------------------------------------


def scheduler_card(screen: Screen) -> None:
    """The scheduler with its buttons."""
    with ui.element("section").classes("card span-6").props('aria-label="Scheduler"'):
        screen.panel(scheduler)
        with ui.element("div").classes("choices start"):
            _buttons(screen, {act: partial(_ask_scheduler, screen, act) for act in _ASKED}, offered_of_scheduler)


def broker_card(screen: Screen) -> None:
    """The session with the broker with its buttons."""
    acts = {
        "disconnect": partial(_ask_disconnect, screen),
        "connect": partial(_ask_connect, screen),
    }
    with ui.element("section").classes("card span-6").props('aria-label="Broker session"'):
        screen.panel(broker)
        with ui.element("div").classes("choices start"):
            _buttons(screen, acts, offered_of_session)
            button("Test", partial(_test, screen), "small", "A round trip through the desk to the broker")


def scheduler(screen: Screen) -> Markup:
    """State, since when and by whom, and what keeps an entry back now."""
    setting: SchedulerSetting | None = screen.value("scheduler")
    day: SchedulerStatus | None = screen.value("scheduler_day")
    if setting is None or day is None:
        return join(tag("h2", "Scheduler"), empty("Not known yet."))
    can = badge("✓ yes", "good") if day.can_run else badge("✗ no", "warn")
    why_not = day.why_not if setting.state is _RUNNING else f"the scheduler is {setting.state}"
    stats = day.stats
    return join(
        tag("h2", "Scheduler ", badge(setting.state, _TONES[setting.state])),
        tag("p", setting.state.means, cls="note"),
        facts(
            fact(
                "Set by",
                setting.set_by or "nobody",
                f"since {screen.look.moment(setting.since)}" if setting.since else None,
            ),
            fact("Could enter now", can, why_not),
            fact("Looks today", whole(stats.evaluations_run), f"last {screen.look.clock(stats.last_evaluation)}"),
            fact("Signals", whole(stats.signals_generated), _became(stats)),
            fact("Trades", whole(stats.trades_executed), f"{whole(stats.monitored_positions)} open"),
            fact("Failed tasks", whole(stats.errors)),
        ),
    )


def _became(stats: SchedulerStats) -> str:
    return f"{whole(stats.trades_rejected)} refused, {whole(stats.signals_observed)} observed"


def broker(screen: Screen) -> Markup:
    """The session in the desk's own words."""
    status: BrokerStatus | None = screen.value("broker")
    if status is None:
        return join(tag("h2", "Broker session"), empty("Not known yet."))
    tone = "good" if status.connected else "warn" if status.held_by else "bad"
    entries = {True: "let through", False: "kept back", None: UNKNOWN}[status.trading_enabled]
    told = tag("p", held(screen), cls="note") if status.held_by else None
    return join(
        tag("h2", "Broker session ", badge(status.connection, tone)),
        told,
        facts(
            fact("Account", status.account or UNKNOWN, status.mode),
            fact("Kept away by", status.held_by or "nobody"),
            fact("Entries", entries, status.reason),
            fact("Heartbeat", age(status.heartbeat_age_s), "of the desk"),
        ),
    )


# --- acts -----------------------------------------------------------------------------------------------------------


def _buttons(screen: Screen, acts: Mapping[str, Callable[[], None]], offered: Callable[[Screen], set[str]]) -> None:
    """A button for each act, shown while it is offered; none for a viewer."""
    if not screen.may(Role.OPERATOR):
        return
    looks = {"pause": "halt-button", "stop": "halt-button", "disconnect": "danger"}
    made = {act: button(act.capitalize(), go, f"small {looks.get(act, 'primary')}") for act, go in acts.items()}

    def follow() -> None:
        wanted = offered(screen)
        for act, one in made.items():
            one.set_visibility(act in wanted)

    follow()
    screen.follow(follow)


def offered_of_scheduler(screen: Screen) -> set[str]:
    """What can be done with the scheduler as it stands."""
    setting: SchedulerSetting | None = screen.value("scheduler")
    return set() if setting is None else _OFFERED[setting.state]


def offered_of_session(screen: Screen) -> set[str]:
    """Connect is for a desk that somebody keeps away; one that has lost the broker comes back by itself."""
    status: BrokerStatus | None = screen.value("broker")
    if status is None:
        return set()
    return {"connect"} if status.held_by else {"disconnect"}


def _ask_scheduler(screen: Screen, act: str) -> None:
    key, service = str(uuid4()), screen.dashboard.people.scheduler
    deeds = {"pause": service.pause, "resume": service.resume, "stop": service.stop, "start": service.start}

    async def do() -> None:
        setting = await screen.act(Role.OPERATOR, deeds[act], key)
        if setting is not None:
            screen.tell(f"The scheduler is {setting.state}.", good=True)

    ask(_ASKED[act], do)


def _ask_connect(screen: Screen) -> None:
    key, service = str(uuid4()), screen.dashboard.people.broker

    async def connect() -> None:
        accepted = await screen.act(Role.OPERATOR, service.connect, key)
        if accepted is not None:
            await follow_command(screen, accepted, "Connect")

    ask(
        Question("Connect to the broker", ("The desk goes back to the broker and compares its books.",), "Connect"),
        connect,
    )


def disconnect_question(status: StatusView | None) -> Question:
    """What is asked before the desk leaves the broker; with a trade that is open, or not known, the word as well."""
    away = "The desk leaves the broker and stays away, over restarts too, until somebody connects it again."
    goes_on = "Orders that stand at the broker go on."
    if status is not None and status.open_trades == 0:
        return Question("Disconnect from the broker", (away, goes_on), "Disconnect", "danger")
    trades = "It is not known whether a trade is open" if status is None else f"Open trades: {status.open_trades}"
    alone = f"{trades}. Nobody watches stop, target and time exit meanwhile. To close first, flatten."
    return Question("Disconnect from the broker", (away, goes_on, alone), "Disconnect", "danger", DISCONNECT_WORD)


def _ask_disconnect(screen: Screen) -> None:
    key, service = str(uuid4()), screen.dashboard.people.broker
    question = disconnect_question(screen.value("status"))
    force = question.word is not None

    async def disconnect() -> None:
        accepted = await screen.act(Role.OPERATOR, lambda caller: service.disconnect(caller, force=force), key)
        if accepted is not None:
            await follow_command(screen, accepted, "Disconnect")

    ask(question, disconnect)


async def _test(screen: Screen) -> None:
    """Through the desk to the broker and back; anybody may look."""
    found: RoundTrip | None = await screen.ask(screen.dashboard.people.broker.test)
    if found is not None:
        screen.tell(f"The broker answered after {found.round_trip_ms:,.0f} ms.", good=True)
