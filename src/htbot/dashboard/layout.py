"""What surrounds every page: banner, navigation, the buttons that stop things, and the trouble of the moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard import accounts, controls, steering
from htbot.dashboard.controls import halted_everywhere
from htbot.dashboard.pages import EVERYWHERE, PAGES
from htbot.dashboard.parts.icons import icon
from htbot.dashboard.parts.markup import badge, join, tag
from htbot.dashboard.parts.numbers import age
from htbot.dashboard.session import PATH
from htbot.domain.scheduler import SchedulerSetting, SchedulerState
from htbot.persistence.queries.shapes import HaltView
from htbot.services.status_view import StatusView

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

STALE_AFTER_S = 10.0
_THEME_SIGNS = {"auto": "◐", "light": "☀", "dark": "☾"}
ICON = Markup(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#12305e"/>'
    '<path d="M6 22l6-8 5 4 9-11" fill="none" stroke="#7db4ff" stroke-width="3"/></svg>'
)
HEAD = (
    f'<link rel="stylesheet" href="{PATH}/static/dashboard.css">'
    f'<script defer src="{PATH}/static/dashboard.js"></script>'
)


@contextmanager
def frame(screen: Screen) -> Iterator[None]:
    """The page's own parts go inside."""
    if screen.look.dark is not None:
        ui.add_head_html(f"<style>:root {{ color-scheme: {screen.look.theme}; }}</style>")
        ui.dark_mode(screen.look.dark)
    ui.add_body_html(str(_shell(screen)))
    ui.html(str(tag("a", "Skip to content", href="#content", cls="skip")), sanitize=False)
    with ui.element("header").classes("top"):
        screen.panel(banner, "banner")
        with ui.element("div").classes("tools"):
            screen.panel(accounts.chooser, "whose")
            controls.add(screen)
            ui.html(str(_preferences(screen)), sanitize=False).classes("preferences")
    with ui.element("nav").classes("side").props('aria-label="Pages"'):
        ui.html(str(_links(screen)), sanitize=False)
    with ui.element("main").props('id="content" tabindex="-1"').classes(f"page page-{screen.page.name}"):
        screen.panel(troubles, "troubles")
        steering.notices(screen)
        yield
    ui.html(str(_shortcuts(screen)), sanitize=False)


def _shell(screen: Screen) -> Markup:
    """What is there to see and to follow while the scripts of the page load; `dashboard.js` takes it away then."""
    head = tag("div", tag("div", banner(screen), cls="banner"), cls="top")
    return tag("div", head, tag("div", _links(screen), cls="side"), id="shell")


def banner(screen: Screen) -> Markup:
    """Mode, market time, and the lights."""
    status: StatusView | None = screen.value("status")
    brand = tag("a", "htbot", href=f"{PATH}/", cls="brand")
    if status is None:
        return join(brand, badge("state unknown", "warn"))
    return join(brand, _mode(status), _clock(screen, status), _lights(screen, status))


def _mode(status: StatusView) -> Markup:
    """Whose money it is, in a word that cannot be taken for the other."""
    if status.mode == "live":
        return tag("span", "LIVE", tag("span", " real money", cls="note"), cls="mode live")
    return tag("span", "PAPER", tag("span", f" {_pace(status)}", cls="note"), cls="mode paper")


def _pace(status: StatusView) -> str:
    if status.mode == "stepped" or status.speed == "max":
        return "stepped"
    if status.speed is None:
        return "speed unknown"
    return "real time" if status.speed == 1 else f"{status.speed:g} times real time"


def _clock(screen: Screen, status: StatusView) -> Markup:
    at = status.market_time
    shown = screen.look.clock(at)
    date = "" if at is None else f"{at.astimezone(screen.look.zone):%a %d %b %Y}"
    return tag(
        "span",
        tag("time", shown, cls="time"),
        tag("span", f"{screen.look.zone_mark(at)} {date}".strip(), cls="note"),
        cls="clock",
        title=f"Market time, {screen.look.zone_name}",
    )


def _lights(screen: Screen, status: StatusView) -> Markup:
    """Desk and broker, each with its word."""
    running, connected = status.desk.state == "running", status.connection == "connected"
    lights = [
        _light("Desk", status.desk.state, good=running),
        _light("Broker", status.connection if running else "unknown", good=running and connected),
    ]
    if status.halt:
        word = "HALTED" if halted_everywhere(status) else "HALTED IN PART"
        lights.append(tag("span", word, cls="badge halt"))
    elif status.trading_enabled is False:
        lights.append(tag("span", "ENTRIES OFF", cls="badge warn"))
    scheduler: SchedulerSetting | None = screen.value("scheduler")
    if scheduler is not None and scheduler.state is not SchedulerState.RUNNING:
        word = scheduler.state.upper()
        lights.append(tag("span", tag("span", "SCHEDULER ", cls="long"), word, cls="badge warn"))
    return tag("span", lights, cls="lights")


def _light(name: str, state: str, *, good: bool) -> Markup:
    dot = tag("span", "●" if good else "▲", cls="dot", aria_hidden="true")
    return tag("span", dot, f"{name} ", tag("span", state, cls="state"), cls=f"light {'good' if good else 'bad'}")


def troubles(screen: Screen) -> Markup:
    """What a person must know before anything else: halts, and figures that are old."""
    status: StatusView | None = screen.value("status")
    lines = []
    halts = [tag("li", _halt(screen, halt)) for halt in (status.halt if status else None) or ()]
    if status is not None and halts:
        note = tag("span", "Nothing is entered there; exits go on.", cls="note")
        head = tag("p", f"{_what_is_halted(status)} ", note)
        lines.append(tag("div", head, tag("ul", halts), cls="trouble halt", role="status"))
    held = steering.held(screen)  # told below, with the way out
    if status is not None and not (status.halt or held) and status.trading_enabled is False and status.reason:
        lines.append(tag("p", f"No entries: {status.reason}", cls="trouble warn"))
    lines += _stale(screen)
    return join(lines)


def _what_is_halted(status: StatusView) -> str:
    """Everything, or the accounts by name: the others trade on."""
    if halted_everywhere(status):
        return "Trading is halted."
    return f"Trading is halted in {', '.join(sorted({str(one.account) for one in status.halt or ()}))}, not elsewhere."


def _halt(screen: Screen, halt: HaltView) -> str:
    """One reason in force: what, who, since when, why."""
    by = f" by {halt.set_by}" if halt.set_by else ""
    since = f" since {screen.look.clock(halt.since)}" if halt.since else ""
    where = f" of {halt.account}" if halt.account else ""
    return f"{halt.kind} ({halt.source}){where}{by}{since}: {halt.reason or 'no reason given'}"


def _stale(screen: Screen) -> list[Markup]:
    """Why figures could not be read, or that they are old: a database that hangs says nothing by itself."""
    readings = [screen.reading(topic) for topic in (*EVERYWHERE, *screen.page.topics)]
    trouble = next((reading.trouble for reading in readings if reading.trouble), None)
    status: StatusView | None = screen.value("status")
    age_s = None if status is None else (datetime.now(UTC) - status.as_of).total_seconds()
    if trouble is None and (age_s is None or age_s < STALE_AFTER_S):
        return []
    told = trouble or "PostgreSQL has not answered"
    old = "nothing was read yet" if age_s is None else f"figures of the record are {age(age_s)} old"
    return [tag("p", f"{told}; {old}.", cls="trouble stale", role="status")]


def _links(screen: Screen) -> Markup:
    """Every main page."""
    links = [_link(page.name, page.path, page.title, page.key, screen) for page in PAGES if page.in_navigation]
    return tag("ul", links)


def _link(name: str, path: str, title: str, key: str, screen: Screen) -> Markup:
    here = screen.page.name == name
    word = tag("span", title)
    link = tag(
        "a", icon(name), word, href=f"{PATH}{path}", aria_current="page" if here else None, data_key=key,
        title=f"{title} (g {key})",
    )  # fmt: skip
    return tag("li", link)


def _preferences(screen: Screen) -> Markup:
    """Theme, clock, shortcuts and the way out; plain buttons that `dashboard.js` and forms serve."""
    look = screen.look
    clock = tag(
        "button",
        "Local" if look.local else "NY",
        tag("span", " time", cls="note"),
        type="button",
        id="clock-switch",
        data_theme=look.theme,
        data_clock="local" if look.local else "ny",
        data_account=look.account or "",
        title="Times of New York or of this place (z)",
        aria_label=f"Times are {'local' if look.local else 'of New York'}: switch",
    )
    theme = tag(
        "button",
        tag("span", _THEME_SIGNS[look.theme], aria_hidden="true"),
        type="button",
        id="theme-switch",
        title=f"Theme: {look.theme} (t)",
        aria_label=f"Theme is {look.theme}: switch",
    )
    keys = tag(
        "button",
        "?",
        type="button",
        id="shortcuts-open",
        title="Keyboard shortcuts (?)",
        aria_label="Keyboard shortcuts",
    )
    leave = tag("button", "Log out", type="submit", title=f"{screen.principal.name}, {screen.principal.role}")
    return join(clock, theme, keys, tag("form", leave, method="post", action=f"{PATH}/logout"))


def _shortcuts(screen: Screen) -> Markup:
    """A native dialog: it closes with Escape and keeps the focus by itself."""
    keys = [(f"g {page.key}", page.title) for page in PAGES if page.in_navigation]
    keys += [("h", "Halt or resume"), ("f", "Flatten all"), ("t", "Light, dark, as the system")]
    keys += [("z", "New York or local time"), ("/", "Filter the rows of a page"), ("?", "This list"), ("Esc", "Close")]
    rows = [tag("div", tag("dt", tag("kbd", key)), tag("dd", word)) for key, word in keys]
    return tag(
        "dialog",
        tag("h2", "Keyboard shortcuts", id="shortcuts-title"),
        tag("dl", rows),
        tag("p", f"Logged in as {screen.principal.name}, role {screen.principal.role}.", cls="note"),
        tag("form", tag("button", "Close", cls="button"), method="dialog"),
        id="shortcuts",
        aria_labelledby="shortcuts-title",
    )
