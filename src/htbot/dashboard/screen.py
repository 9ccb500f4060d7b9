"""One open page of one person: what it watches, how it keeps itself up to date, and how it acts."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar
from uuid import uuid4

from fastapi import FastAPI, Request
from markupsafe import Markup
from nicegui import Client, ui
from nicegui.elements.html import Html

from htbot.dashboard import layout
from htbot.dashboard.application import Dashboard
from htbot.dashboard.gate import VISITOR, way_in
from htbot.dashboard.look import Look
from htbot.dashboard.pages import EVERYWHERE, PAGES, Page
from htbot.dashboard.reading import Reading
from htbot.dashboard.session import PATH, Visitor
from htbot.domain.errors import HtbotError
from htbot.services.callers import Caller
from htbot.services.doorman import NotAdmitted, Principal, RoleTooSmall, UnknownToken
from htbot.services.tokens import Role
from htbot.services.visits import Visit

TICK_S = 1.0
_RECONNECT_S = 15.0
_BUILD_S = 10.0
_CAUSE = "the cause is in var/log/api.log"
_log = logging.getLogger(__name__)

T = TypeVar("T")
Render = Callable[["Screen"], Markup]


@dataclass
class Panel:
    """A part of a page that is drawn again when what it shows has changed."""

    render: Render
    element: Html
    shown: Markup


@dataclass
class Screen:
    """A page as one tab shows it."""

    dashboard: Dashboard
    page: Page
    visitor: Visitor
    principal: Principal
    look: Look
    parameters: dict[str, str]
    client: Client
    address: str = f"{PATH}/"
    panels: list[Panel] = field(default_factory=list)
    followers: list[Callable[[], None]] = field(default_factory=list)

    # --- what is known --------------------------------------------------------------------------------------------

    def reading(self, topic: str) -> Reading:
        """The last reading of a topic that the page watches."""
        return self.dashboard.reader[topic]

    def value(self, topic: str) -> Any:
        """Its value; None before the first one."""
        return self.reading(topic).value

    def may(self, role: Role) -> bool:
        """Whether the visitor's role includes another."""
        return self.principal.role.may(role)

    async def ask(self, question: Callable[..., T], *arguments: Any) -> T | None:
        """The answer of a service, off the event loop; None after telling the person why there is none.

        An open socket outlives its session: without one nothing is asked, and the login is shown.
        """
        try:
            self.principal = self.dashboard.sessions.principal(self.visitor)
        except UnknownToken:
            self._leave()
            return None
        try:
            return await asyncio.to_thread(question, *arguments)
        except HtbotError as error:
            self.tell(str(error), good=False)
        except Exception:  # noqa: BLE001 - a person waits for a word (docs/decisions/0029)
            _log.exception("%s: %s page: not answered", self.principal.actor, self.page.title)
            self.tell(f"this cannot be read, {_CAUSE}", good=False)
        return None

    def _leave(self) -> None:
        """To the login, with the way back here. NiceGUI puts its own path before the address."""
        self.client.open(way_in(self.address).removeprefix(PATH))

    # --- what is shown --------------------------------------------------------------------------------------------

    def panel(self, render: Render, cls: str = "") -> Html:
        """Show what `render` makes of the screen, now and whenever it changes."""
        shown = render(self)
        element = ui.html(str(shown), sanitize=False).classes(cls)
        self.panels.append(Panel(render, element, shown))
        return element

    def follow(self, follower: Callable[[], None]) -> None:
        """Call this at each turn."""
        self.followers.append(follower)

    def turn(self) -> None:
        """Draw again what has changed; a session that has ended goes to the login."""
        try:
            self.principal = self.dashboard.sessions.principal(self.visitor)
        except UnknownToken:
            self._leave()
            return
        for panel in self.panels:
            drawn = panel.render(self)
            if drawn != panel.shown:
                panel.shown = drawn
                panel.element.set_content(str(drawn))
        for follower in self.followers:
            follower()

    def tell(self, text: str, *, good: bool) -> None:
        """A line that goes by itself; what went wrong stays until it is clicked away."""
        with self.client:
            ui.notify(
                f"{'✓' if good else '✗'} {text}",
                position="bottom",
                color="told",
                textColor="good" if good else "bad",
                timeout=5000 if good else 0,
                close_button=False if good else "Close",
                multi_line=True,
            )

    # --- what is done ---------------------------------------------------------------------------------------------

    async def act(self, needed: Role, deed: Callable[[Caller], T], key: str | None = None) -> T | None:
        """Do something in the name of the visitor, once per key; None after telling why it was not done."""
        key = key or str(uuid4())
        try:
            principal = self.dashboard.sessions.principal(self.visitor)
            principal.require(needed)
            done = await asyncio.to_thread(deed, Caller(principal.actor, key))
        except HtbotError as error:
            _log.info("%s: not done: %s", self.principal.actor, error)
            self._note(
                key, HTTPStatus.FORBIDDEN if isinstance(error, NotAdmitted | RoleTooSmall) else HTTPStatus.CONFLICT
            )
            self.tell(str(error), good=False)
            return None
        except Exception:  # noqa: BLE001 - a person waits for a word (docs/decisions/0029)
            _log.exception("%s: %s page: it is not known whether it was done", self.principal.actor, self.page.title)
            self._note(key, HTTPStatus.INTERNAL_SERVER_ERROR)
            self._show_anew()
            self.tell(f"it is not known whether this was done: see what the page shows; {_CAUSE}", good=False)
            return None
        self._note(key, HTTPStatus.OK)
        self._show_anew()
        return done

    def _show_anew(self) -> None:
        """What was read before does not count."""
        self.dashboard.feed.changed()
        self.dashboard.reader.refresh()

    def _note(self, key: str, status: HTTPStatus) -> None:
        """Who acted from where, and with what outcome: a row of the audit log, as for a call of the API."""
        act = f"{self.page.title} page"
        self.dashboard.doorman.note(Visit(self.principal.actor, self.visitor.client, act, key, int(status)))


def serve_pages(app: FastAPI, dashboard: Dashboard) -> None:
    """Register every page and put NiceGUI below `/dashboard`."""
    for page in PAGES:
        _register(dashboard, page)
    ui.add_head_html(layout.HEAD, shared=True)
    ui.run_with(
        app,
        mount_path=PATH,
        title="htbot",
        favicon=layout.ICON,
        language="en-US",
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=_RECONNECT_S,
        gzip_middleware_factory=None,
        show_welcome_message=False,
    )


def _register(dashboard: Dashboard, page: Page) -> None:
    page.load()

    @ui.page(page.path, title=f"{page.title} · htbot", response_timeout=_BUILD_S)
    async def show(request: Request, client: Client) -> None:
        visitor: Visitor = request.scope[VISITOR]
        screen = Screen(
            dashboard=dashboard,
            page=page,
            visitor=visitor,
            principal=dashboard.sessions.principal(visitor),
            look=Look.of(request.cookies),
            parameters={**request.query_params, **request.path_params},
            client=client,
            address=f"{request.url.path}?{request.url.query}".rstrip("?"),
        )
        topics: Sequence[str] = (*EVERYWHERE, *page.topics)
        await dashboard.reader.first(topics)
        with layout.frame(screen):
            built = page.build(screen)
            if built is not None:
                await built
        client.on_delete(dashboard.reader.watch(topics))
        ui.timer(TICK_S, screen.turn, immediate=False)
