"""The buttons that stop things: halt, resume, flatten. Each asks first, and does one thing however often it is hit.

`ask` is how every act on the pages is confirmed, `follow_command` how one that the desk does is told about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from nicegui import ui

from htbot.dashboard.parts.markup import tag
from htbot.persistence.states import CommandState
from htbot.services.callers import Accepted
from htbot.services.command_kinds import EVERY_ACCOUNT
from htbot.services.halting import HaltAnswer
from htbot.services.status_view import StatusView
from htbot.services.tokens import Role

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

FLATTEN_WORD = "FLATTEN"
ENDED = {state.value for state in CommandState} - {CommandState.PENDING.value, CommandState.RUNNING.value}
_FOLLOWED_S = 120


def add(screen: Screen) -> None:
    """The buttons of who may act; a viewer has none."""
    if not screen.may(Role.OPERATOR):
        ui.html(str(tag("span", "view only", cls="badge")), sanitize=False)
        return
    halt = button("Halt", lambda: _ask_halt(screen), "halt-button", "Originate nothing from now on; exits go on (h)")
    resume = button("Resume", lambda: _ask_resume(screen), "primary", "Lift what people have halted (h)")
    flatten = button("Flatten all", lambda: _ask_flatten(screen), "danger", "Close every position (f)")
    for name, one in (("halt", halt), ("resume", resume), ("flatten", flatten)):
        one.props(f'id="{name}-button"')

    def follow() -> None:
        status = screen.value("status")
        halt.set_visibility(not (status and halted_everywhere(status)))
        resume.set_visibility(bool(status and status.halt))

    follow()
    screen.follow(follow)


def halted_everywhere(status: StatusView) -> bool:
    """True when a halt of every account stands: one of a single account leaves the others to be halted."""
    return any(one.account is None for one in status.halt or ())


def button(text: str, on_click: Callable[[], Any], cls: str = "", title: str = "") -> ui.button:
    """A button in the pages' own style."""
    made = ui.button(text, on_click=on_click, color=None).props("flat no-caps :ripple=false").classes(f"button {cls}")
    return made.props(f'title="{title}"') if title else made


@contextmanager
def dialog(title: str, *, broad: bool = False) -> Iterator[ui.dialog]:
    """A dialog that is open at once and forgotten when it closes; its parts go inside."""
    cls = "dialog broad" if broad else "dialog"
    with ui.dialog(value=True).props(f'aria-label="{title}"') as opened, ui.element("div").classes(cls):
        ui.html(str(tag("h2", title)), sanitize=False)
        yield opened
    opened.on("hide", opened.delete)


def said(text: str) -> None:
    """A paragraph of a dialog."""
    ui.html(str(tag("p", text)), sanitize=False)


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked before something is done.

    Attributes:
        title: of the dialog.
        told: what will happen, in paragraphs.
        go: the word of the button that does it.
        cls: its look.
        word: what must be typed first; None for what is easily undone.
    """

    title: str
    told: tuple[str, ...]
    go: str
    cls: str = "primary"
    word: str | None = None


def ask(question: Question, deed: Callable[[], Awaitable[object]]) -> None:
    """Do it once the person has said so; the dialog is closed by then."""
    with dialog(question.title) as opened:
        for paragraph in question.told:
            said(paragraph)
        typed = None
        if question.word is not None:
            typed = ui.input(f"Type {question.word} to confirm").props("outlined autofocus autocomplete=off")
            typed.classes("wide")

        def confirmed() -> bool:
            return typed is None or str(typed.value or "").strip().upper() == question.word

        async def go() -> None:
            if confirmed():
                opened.close()
                await deed()

        with ui.element("div").classes("choices"):
            button("Cancel", opened.close)
            sure = button(question.go, go, f"{question.cls} strong")
        if typed is not None:
            typed.on("keydown.enter", go)
            sure.bind_enabled_from(typed, "value", lambda _text: confirmed())


def _ask_halt(screen: Screen) -> None:
    key = str(uuid4())
    with dialog("Halt trading") as opened:
        said("Nothing new is originated from now on. Exits of open trades go on.")
        reason = ui.input("Reason", validation={"Say why, for the record": lambda text: bool(text.strip())})
        reason.props("outlined autofocus maxlength=500").classes("wide").without_auto_validation()

        async def halt() -> None:
            if not reason.validate():
                return
            opened.close()
            commands = screen.dashboard.people.commands
            answer = await screen.act(Role.OPERATOR, lambda caller: commands.halt(str(reason.value), caller), key)
            tell_answer(screen, answer, "Trading is halted.")

        reason.on("keydown.enter", halt)
        with ui.element("div").classes("choices"):
            button("Cancel", opened.close)
            button("Halt", halt, "halt-button strong")


def _ask_resume(screen: Screen) -> None:
    key, status = str(uuid4()), screen.value("status")

    async def resume() -> None:
        answer = await screen.act(Role.OPERATOR, screen.dashboard.people.commands.resume, key)
        tell_answer(screen, answer, "Trading goes on.")

    halts = (status.halt if status else None) or ()
    told = [f"{halt.kind}, {halt.source}: {halt.reason or 'no reason given'}" for halt in halts]
    stays = "Halts set by people are lifted. A STOP file made by hand and a tripped breaker stay."
    ask(Question("Resume trading", (*told, stays), "Resume"), resume)


def tell_answer(screen: Screen, answer: HaltAnswer | None, done: str) -> None:
    """What became of a halt or a resume."""
    if answer is not None:
        screen.tell(answer.warning or done, good=answer.warning is None)


def _ask_flatten(screen: Screen) -> None:
    """Needs the word typed; never a PIN (RULINGS 14)."""
    key = str(uuid4())

    async def flatten() -> None:
        commands = screen.dashboard.people.commands
        accepted = await screen.act(Role.OPERATOR, lambda caller: commands.close(EVERY_ACCOUNT, caller), key)
        if accepted is not None:
            screen.tell("Flatten was ordered: the desk closes everything.", good=True)
            await follow_command(screen, accepted, "Flatten")

    closes = "Every working order is cancelled and every position of every account is closed, at once."
    ask(Question("Flatten all", (closes,), "Flatten all", "danger", FLATTEN_WORD), flatten)


async def follow_command(screen: Screen, accepted: Accepted, name: str) -> None:
    """Tell how what the desk was told has ended; it ends alike whether anybody looks or not."""
    queries = screen.dashboard.people.queries
    for _ in range(_FOLLOWED_S):
        view = await screen.ask(queries.command, accepted.command_id)
        if view is None or screen.client.is_deleted:
            return
        if view.state in ENDED:
            done = view.state == CommandState.DONE.value
            screen.tell(f"{name}: {view.state.lower()}{_why(view.result)}", good=done)
            return
        await asyncio.sleep(1)


def _why(result: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result.items() if value not in (None, ""))
    return f" ({told})" if told else ""
