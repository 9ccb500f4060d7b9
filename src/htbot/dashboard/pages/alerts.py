"""*Alerts*: what people were told, whether it went out, and who has seen it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from markupsafe import Markup
from nicegui import ui

from htbot.alerts.message import summary_of
from htbot.dashboard import accounts
from htbot.dashboard.controls import button
from htbot.dashboard.parts.markup import Column, Row, badge, empty, join, table, tag
from htbot.dashboard.parts.numbers import UNKNOWN, whole, words
from htbot.persistence.queries.shapes import AlertView
from htbot.services.tokens import Role

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_SEEN = (
    Column("Market time"),
    Column("Severity"),
    Column("Subject", wide=True),
    Column("Delivery"),
    Column("Seen by"),
    Column("Seen at, host time"),
)
_MOST_OPEN = 30
TONES = {"CRITICAL": "bad", "ERROR": "bad", "WARNING": "warn", "INFO": ""}


def build(screen: Screen) -> None:
    """The page."""
    with ui.element("div").classes("title with-button"):
        ui.html("<h1>Alerts</h1>", sanitize=False)
        if screen.may(Role.OPERATOR):
            button("Acknowledge all", partial(_acknowledge_all, screen))
    _open_ones(screen)
    screen.panel(seen, "card")


def _waiting(screen: Screen) -> list[AlertView]:
    found: list[AlertView] = screen.value("alerts") or []
    return [alert for alert in reversed(found) if alert.acknowledged_at is None]


def _open_ones(screen: Screen) -> None:
    """A card for each alert that nobody has acknowledged; they are made anew when that changes."""
    head = screen.panel(heading, "title")
    head.classes(add="under")
    box = ui.element("div").classes("stack-list")
    shown: list[tuple[int, str]] | None = None

    def follow() -> None:
        nonlocal shown
        waiting = _waiting(screen)[:_MOST_OPEN]
        present = [(alert.id, alert.state) for alert in waiting]
        if present == shown:
            return
        shown = present
        box.clear()
        with box:
            for alert in waiting:
                _card(screen, alert)

    follow()
    screen.follow(follow)


def heading(screen: Screen) -> Markup:
    """How many wait."""
    waiting = len(_waiting(screen))
    more = f", the newest {_MOST_OPEN} are shown" if waiting > _MOST_OPEN else ""
    return tag("h2", f"{whole(waiting)} not acknowledged{more}" if waiting else "All are acknowledged")


def _card(screen: Screen, alert: AlertView) -> None:
    with ui.element("article").classes(f"card alert {alert.severity.lower()}"):
        ui.html(str(told(screen, alert)), sanitize=False).classes("words")
        if screen.may(Role.OPERATOR):
            button("Acknowledge", partial(_acknowledge, screen, alert), "small")


def told(screen: Screen, alert: AlertView) -> Markup:
    """Subject, time, delivery, and the whole text to open."""
    head = tag(
        "h3",
        badge(alert.severity.lower(), TONES.get(alert.severity, "")),
        alert.subject.removeprefix("HTBot Alert: "),
        accounts.named(screen, alert.account),
        tag("span", f"{told_at(screen, alert)}, {delivery(alert)}", cls="note"),
    )
    summary = summary_of(alert.text)
    whole_text = tag("details", tag("summary", "Show the text"), tag("pre", alert.text, tabindex="0"))
    return join(head, tag("p", summary) if summary else None, whole_text)


def told_at(screen: Screen, alert: AlertView) -> str:
    """Its time, with the name of the clock when that is not the market's."""
    return screen.look.moment(alert.ts) + ("" if alert.clock == "market" else f", {alert.clock} time")


def delivery(alert: AlertView) -> str:
    """Whether it went out."""
    attempts = f" after {alert.attempts} tries" if alert.attempts > 1 else ""
    return f"{words(alert.state.lower())}{attempts}{f': {alert.error}' if alert.error else ''}"


def seen(screen: Screen) -> Markup:
    """Those that somebody has acknowledged, the newest first."""
    found: list[AlertView] = screen.value("alerts") or []
    rows = [
        Row(
            (
                tag("time", told_at(screen, alert)),
                badge(alert.severity.lower(), TONES.get(alert.severity, "")),
                alert.subject.removeprefix("HTBot Alert: "),
                delivery(alert),
                (alert.acknowledged_by or UNKNOWN).partition(":")[2] or alert.acknowledged_by,
                screen.look.moment(alert.acknowledged_at),
            )
        )
        for alert in reversed(found)
        if alert.acknowledged_at is not None
    ]
    return join(
        tag("h2", "Acknowledged"), table("Acknowledged alerts", _SEEN, rows, empty("No alert was acknowledged yet."))
    )


async def _acknowledge(screen: Screen, alert: AlertView) -> None:
    listings = screen.dashboard.people.listings
    await screen.act(Role.OPERATOR, partial(listings.acknowledge, alert.id))


async def _acknowledge_all(screen: Screen) -> None:
    listings, waiting = screen.dashboard.people.listings, _waiting(screen)
    for alert in waiting:
        if await screen.act(Role.OPERATOR, partial(listings.acknowledge, alert.id)) is None:
            return
    if waiting:
        screen.tell(f"{whole(len(waiting))} alerts are acknowledged.", good=True)
