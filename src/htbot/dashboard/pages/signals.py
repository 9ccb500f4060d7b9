"""*Signals*: what was decided in each cycle and why not, and of each signal the gate, rule by rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard import accounts
from htbot.dashboard.parts.markup import (
    Column,
    Row,
    badge,
    direction,
    empty,
    fact,
    facts,
    filtered_title,
    join,
    moment,
    table,
    tag,
)
from htbot.dashboard.parts.numbers import price, whole
from htbot.dashboard.parts.rules import gate
from htbot.dashboard.session import PATH
from htbot.domain.reasons import kind_of
from htbot.persistence.queries.lists import EvaluationView

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_FIRED = (
    Column("Time"),
    Column("Strategy"),
    Column("Direction"),
    Column("Outcome"),
    Column("Price", number=True),
    Column("Level", number=True),
    Column("Why", wide=True),
    Column("Gate"),
)
_CYCLES = (
    Column("Time"),
    Column("Strategy"),
    Column("Looks", number=True),
    Column("Trend"),
    Column("High", number=True, minor=True),
    Column("Low", number=True, minor=True),
    Column("Why not", wide=True),
)

_OUTCOMES = {"accepted": ("✓ accepted", "good"), "refused": ("✗ refused", "bad"), "observed": ("observed", "accent")}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Looks one after the other that ended for the same reason; `last` is the newest of them."""

    last: EvaluationView
    since: datetime
    looks: int


def build(screen: Screen) -> None:
    """The page."""
    ui.html(str(filtered_title("Signals")), sanitize=False).classes("title")
    screen.panel(fired, "card")
    screen.panel(cycles, "card")
    screen.panel(decision, "card").props("id=gate")


def fired(screen: Screen) -> Markup:
    """Looks in which a signal fired, accepted, refused or only observed, the newest first."""
    found: list[EvaluationView] = accounts.rows(screen, "fired")
    shown = _chosen(screen)
    rows = [
        Row(
            accounts.cells(screen, view.account, _fired(screen, view)),
            "chosen" if shown is not None and view.id == shown.id else "",
        )
        for view in found
    ]
    nothing = empty("No signal has fired yet.", "The table below says why not, cycle by cycle.")
    return join(
        tag("h2", "Fired"), table("Signals that fired", accounts.columns(screen, _FIRED), rows, nothing, sortable=True)
    )


def _fired(screen: Screen, view: EvaluationView) -> tuple[object, ...]:
    signal = view.signal
    if signal is None:
        at = moment(screen.look.clock(view.as_of), screen.look.day(view.as_of))
        return (at, view.strategy, direction(0), badge("not stored"), "", "", "", "")
    asked = f"{whole(len(view.outcomes))} rule{'' if len(view.outcomes) == 1 else 's'}"
    return (
        moment(screen.look.clock(signal.ts), screen.look.day(signal.ts)),
        signal.strategy,
        direction(signal.direction),
        badge(*_OUTCOMES[signal.outcome]),
        price(signal.price),
        price(signal.broken),
        signal.reason,
        tag("a", asked, href=f"{PATH}/signals?look={view.id}#gate") if view.outcomes else "none asked",
    )


def _chosen(screen: Screen) -> EvaluationView | None:
    """The look whose gate is shown: the one of the address, else the newest with a gate."""
    found: list[EvaluationView] = accounts.rows(screen, "fired")
    wanted = screen.parameters.get("look")
    return next((view for view in found if view.outcomes and wanted in {None, str(view.id)}), None)


def decision(screen: Screen) -> Markup:
    """The gate of one signal: every rule with its limit and its value."""
    view = _chosen(screen)
    if view is None or view.signal is None:
        return join(tag("h2", "Gate"), empty("No signal has come to the gate yet."))
    signal = view.signal
    told = facts(
        fact("Signal", direction(signal.direction), screen.look.moment(signal.ts)),
        fact("Price", price(signal.price), None if signal.broken is None else f"level {price(signal.broken)}"),
        fact("Trend", direction(signal.known_trend)),
        fact("Trigger", signal.trigger, cls="broad"),
    )
    return join(
        tag("h2", "Gate ", tag("span", signal.strategy, cls="note"), accounts.label(screen, view.account)),
        told,
        gate(view.outcomes),
    )


def cycles(screen: Screen) -> Markup:
    """Each look and why nothing came of it; equal ones in a row are one line."""
    found: list[EvaluationView] = accounts.rows(screen, "cycles")
    rows = [_cycle(screen, stretch) for stretch in stretches(found)]
    head = tag("h2", "Cycles ", tag("span", f"the newest {whole(len(found))} looks", cls="note"))
    return join(
        head,
        table("Cycles", accounts.columns(screen, _CYCLES), rows, empty("No strategy has looked at the market yet.")),
    )


def _cycle(screen: Screen, stretch: Stretch) -> Row:
    view, look = stretch.last, screen.look
    begin, end = look.clock(stretch.since), look.clock(view.as_of)
    cells = (
        begin if begin == end else f"{begin} to {end}",
        view.strategy,
        whole(stretch.looks),
        direction(view.known_trend),
        price(view.high),
        price(view.low),
        view.why_not or badge("a signal fired", "accent"),
    )
    return Row(accounts.cells(screen, view.account, cells), "quiet" if view.why_not else "")


def stretches(newest_first: Iterable[EvaluationView]) -> list[Stretch]:
    """Looks of the same strategy in a row whose reasons differ in numbers only, as one."""
    found: list[Stretch] = []
    latest: dict[tuple[str, str, str], int] = {}
    for view in newest_first:
        whose = (view.strategy, view.account, view.symbol)
        at = latest.get(whose)
        if at is not None and _kind(found[at].last) == _kind(view) and view.why_not is not None:
            before = found[at]
            found[at] = Stretch(before.last, view.as_of, before.looks + 1)
        else:
            latest[whose] = len(found)
            found.append(Stretch(view, view.as_of, 1))
    return found


def _kind(view: EvaluationView) -> tuple[int, str]:
    return view.trend, kind_of(view.why_not or "")
