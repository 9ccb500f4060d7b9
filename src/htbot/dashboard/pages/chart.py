"""*Chart*: candles of the underlying with the day's range, entries and exits, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard import accounts
from htbot.dashboard.parts import charts
from htbot.dashboard.parts.markup import badge, direction, empty, fact, facts, join, tag
from htbot.dashboard.parts.numbers import day, price
from htbot.persistence.queries.shapes import StrategyView
from htbot.services.day_picture import DayPicture

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen


def build(screen: Screen) -> None:
    """The page."""
    screen.panel(heading, "title")
    with ui.element("section").classes("card").props('aria-label="Chart"'):
        screen.panel(figures)
        charts.candles(screen)
        ui.html(
            "<p class='note'>Rising candles are hollow, falling ones filled. Triangles: entries. Diamonds: exits.</p>",
            sanitize=False,
        )


def heading(screen: Screen) -> Markup:
    """Symbol and day."""
    picture: DayPicture | None = screen.value("picture")
    if picture is None:
        return tag("h1", "Chart")
    note = tag("span", f" {picture.minutes} min bars, {day(picture.day)}, {screen.look.zone_name} time", cls="note")
    return tag("h1", picture.symbol, note)


def figures(screen: Screen) -> Markup:
    """Price, range, trend, and the bar that is being made."""
    picture: DayPicture | None = screen.value("picture")
    status = screen.value("status")
    if picture is None or not picture.bars:
        return empty("No bars are stored yet.", "They come with the desk's first connection.")
    looks: list[StrategyView] = accounts.only(screen, status.strategies) if status else []
    view = next((one for one in looks if one.symbol == picture.symbol), None)
    last = picture.open_bar or picture.bars[-1]
    state = badge("open", "accent") if picture.open_bar is not None else badge("closed")
    shown = join(screen.look.clock(last.start, seconds=False), " ", state)
    return facts(
        fact("Last", price(picture.spot if picture.spot is not None else last.close)),
        fact("Day's high", price(picture.high)),
        fact("Day's low", price(picture.low)),
        fact("Trend", direction(view.trend) if view else price(None)),
        fact("RSI's EMA", price(view.indicators.get("rsi_ema") if view else None)),
        fact(
            "Bar",
            shown,
            f"O {price(last.open)} H {price(last.high)} L {price(last.low)} C {price(last.close)}",
            "broad",
        ),
        cls="chart-facts",
    )
