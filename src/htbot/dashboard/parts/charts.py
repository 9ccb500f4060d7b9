"""Pictures that move: candles of the underlying, and the day's P&L. What changes is sent, not the picture.

ECharts takes red for up and orders a candle open, close, low, high; both are said here and nowhere else. Colours are
those of the style sheet, looked up in the browser, so that light and dark need no second picture. Rising candles are
hollow and falling ones filled, so that colour is not the only sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from nicegui import ui

from htbot.dashboard import accounts
from htbot.dashboard.parts.numbers import money, words
from htbot.domain.bars import Bar
from htbot.domain.sessions import NEW_YORK
from htbot.persistence.queries.shapes import DayMoney
from htbot.services.day_picture import DayPicture, DayStory, TradePoint

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_KEY = "%Y-%m-%d %H:%M"
_FONT = 11


def colour(name: str) -> str:
    """JavaScript that looks a colour of the style sheet up."""
    return f"htbotColour('--{name}')"


def wall_ms(at: datetime, zone: tzinfo) -> int:
    """The clock of a zone as epoch milliseconds, as if it were UTC's: ECharts knows UTC and the browser's zone only."""
    return int(at.astimezone(zone).replace(tzinfo=UTC).timestamp() * 1000)


# --- the day's P&L --------------------------------------------------------------------------------------------------


def equity_series(
    picture: DayPicture | None, story: DayStory | None, now: DayMoney | None, zone: tzinfo
) -> list[list[Any]]:
    """Points of the curve: clock and dollars; null where it is unknown. It ends with what the day is worth now."""
    if picture is None or story is None:
        return []
    points: list[list[Any]] = [
        [wall_ms(point.at, zone), None if point.pnl is None else float(point.pnl)] for point in story.equity
    ]
    if not points or picture.as_of is None or picture.opens is None:
        return points
    last = story.equity[-1].at
    end = [wall_ms(max(picture.as_of, last), zone), points[-1][1]]
    if now is not None and now.as_of is not None and now.as_of >= last and now.total is not None:
        end = [wall_ms(now.as_of, zone), float(now.total)]
    start = [[wall_ms(picture.opens, zone), 0.0], [points[0][0], 0.0]]
    return [*start, *points, end]


def _equity_options(
    picture: DayPicture | None, series: list[list[Any]], zone: tzinfo, loss_limit: float | None
) -> dict[str, Any]:
    zero = {"yAxis": 0, "label": {"show": False}, "lineStyle": {"type": "solid", ":color": colour("muted")}}
    line: dict[str, Any] = {
        "id": "pnl",
        "type": "line",
        "showSymbol": False,
        "lineStyle": {"width": 2, ":color": colour("accent")},
        "itemStyle": {":color": colour("accent")},
        "areaStyle": {"opacity": 0.14, "origin": 0, ":color": colour("accent")},
        "data": series,
    }
    limit = {"yAxis": -loss_limit, "label": {"formatter": "loss limit"}} if loss_limit is not None else None
    line["markLine"] = {
        "symbol": "none",
        "silent": True,
        "label": {"position": "insideStartTop", ":color": colour("loss")},
        "lineStyle": {"type": "dashed", ":color": colour("loss")},
        "data": [zero, limit] if limit else [zero],
    }
    hours = {}
    if picture is not None and picture.opens is not None and picture.closes is not None:
        hours = {"min": wall_ms(picture.opens, zone), "max": wall_ms(picture.closes, zone)}
    return {
        "animation": False,
        "useUTC": True,
        "grid": {"left": 8, "right": 16, "top": 12, "bottom": 4, "containLabel": True},
        "tooltip": {"trigger": "axis", ":valueFormatter": "(v) => v == null ? '—' : htbotMoney(v)", **_tooltip()},
        "xAxis": {"type": "time", **hours, **_axis(), "splitLine": {"show": False}},
        "yAxis": {"type": "value", "scale": True, **_axis("htbotMoney")},
        "series": [line],
    }


def equity(screen: Screen) -> None:
    """The curve of the day, kept up to date."""
    _once_shown("equity", lambda: _equity(screen))


def _equity(screen: Screen) -> None:
    zone = screen.look.zone
    picture, risk = screen.value("picture"), accounts.of_chosen(screen, "risk")

    def series() -> list[list[Any]]:
        story, day = accounts.of_chosen(screen, "story"), accounts.of_chosen(screen, "day")
        return equity_series(screen.value("picture"), story, day, zone)

    shown = series()
    options = _equity_options(picture, shown, zone, None if risk is None else float(risk.daily_loss_limit))
    chart = ui.echart(options).classes("drawn equity").props('role="img" aria-label="P&L of the day over time"')

    def follow() -> None:
        nonlocal shown
        data = series()
        if data != shown:
            shown = data
            chart.run_chart_method("setOption", {"series": [{"id": "pnl", "data": data}]})

    screen.follow(follow)


# --- candles --------------------------------------------------------------------------------------------------------


def candle(bar: Bar) -> list[float]:
    """Open, close, low, high: the order of ECharts."""
    return [bar.open, bar.close, bar.low, bar.high]


def candle_data(picture: DayPicture | None, story: DayStory | None, zone: tzinfo) -> dict[str, Any]:
    """What moves in the chart: bars, the range of the day, entries and exits of trades on its symbol."""
    bars = _bars(picture)
    keys = [_key(bar.start, zone) for bar in bars]
    points = [one for one in story.points if picture and one.symbol == picture.symbol] if story is not None else []
    return {
        "xAxis": [{"data": keys}],
        "series": [
            {
                "id": "bars",
                "data": [candle(bar) for bar in bars],
                "markLine": {"data": [*_levels(picture), *_days(bars, zone)]},
            },
            {"id": "entries", "data": _points(points, "entry", bars, zone)},
            {"id": "exits", "data": _points(points, "exit", bars, zone)},
            *({"id": name, "data": _own_day(picture, bars, value)} for name, value in _values(picture).items()),
        ],
    }


def _bars(picture: DayPicture | None) -> list[Bar]:
    if picture is None:
        return []
    last = picture.bars[-1].start if picture.bars else None
    opened = picture.open_bar
    return [*picture.bars, *([opened] if opened is not None and (last is None or opened.start > last) else [])]


def _key(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime(_KEY)


def _values(picture: DayPicture | None) -> dict[str, float | None]:
    """The levels of the day; none before its first bar."""
    today = picture if picture is not None and picture.today else None
    return {
        "high": today.high if today else None,
        "low": today.low if today else None,
        "last": today.spot if today else None,
    }


def _levels(picture: DayPicture | None) -> list[dict[str, Any]]:
    """What the levels are called, at the right; their lines are drawn by `_own_day`, for a mark has no beginning."""
    found = _values(picture)
    return [
        {
            "name": name,
            "yAxis": value,
            "label": {"formatter": f"{name} {value:,.2f}", "opacity": 1, "position": _level_place(name, found)},
            "lineStyle": {"opacity": 0},
        }
        for name, value in found.items()
        if value is not None
    ]


def _level_place(name: str, found: dict[str, float | None]) -> str:
    """High above its line and low below; the last price on the side of the farther one, as it often lies on one."""
    high, low, last = found["high"], found["low"], found["last"]
    if name != "last" or high is None or low is None or last is None:
        return "insideEndBottom" if name == "low" else "insideEndTop"
    return "insideEndBottom" if high - last < last - low else "insideEndTop"


def _own_day(picture: DayPicture | None, bars: Sequence[Bar], value: float | None) -> list[float | None]:
    """A level for each bar of the day that it is of, null before."""
    opens = None if picture is None else picture.opens
    return [None if opens is None or bar.start < opens else value for bar in bars]


def _days(bars: Sequence[Bar], zone: tzinfo) -> list[dict[str, Any]]:
    """A line with the date where a session begins beside the one before."""
    firsts = [
        bar
        for before, bar in pairwise(bars)
        if before.start.astimezone(NEW_YORK).date() != bar.start.astimezone(NEW_YORK).date()
    ]
    return [
        {
            "name": "day",
            "xAxis": _key(bar.start, zone),
            "label": {"formatter": f"{bar.start.astimezone(NEW_YORK):%a %Y-%m-%d}", "position": "end", "opacity": 1},
            "lineStyle": {"type": "solid", "opacity": 0.5},
        }
        for bar in firsts
    ]


def _points(points: Sequence[TradePoint], kind: str, bars: Sequence[Bar], zone: tzinfo) -> list[dict[str, Any]]:
    """Where trades began or ended, beside the bar of that time; one outside of the bars shown is left out."""
    found = []
    for point in points:
        bar = next((bar for bar in bars if bar.start <= point.at < bar.end), None)
        if point.kind != kind or bar is None:
            continue
        below = point.direction > 0 if kind == "entry" else point.direction < 0
        told = _said(point)
        found.append(
            {
                "value": [_key(bar.start, zone), bar.low if below else bar.high],
                "name": told,
                "symbolRotate": 0 if point.direction > 0 or kind == "exit" else 180,
                "symbolOffset": [0, "80%" if below else "-80%"],
                "label": {"formatter": told, "position": "bottom" if below else "top"},
            }
        )
    return found


def _said(point: TradePoint) -> str:
    if point.kind == "entry":
        return "bull" if point.direction > 0 else "bear"
    return f"{words(point.reason)} {money(point.pnl, sign=True, cents=False)}"


def _candle_options(picture: DayPicture | None, data: dict[str, Any]) -> dict[str, Any]:
    bars, entries, exits, *levels = data["series"]
    name = f"{picture.minutes} min" if picture else "bars"
    marks = {**bars["markLine"], "symbol": "none", "silent": True, "lineStyle": {":color": colour("muted")}}
    marks["label"] = {"position": "insideStartTop", "fontSize": _FONT, ":color": colour("muted")}
    style = {
        ":color": colour("surface"),
        ":color0": colour("loss"),
        ":borderColor": colour("gain"),
        ":borderColor0": colour("loss"),
        "borderWidth": 1.25,
    }
    total = len(data["xAxis"][0]["data"])
    first = max(0, total - max(len(picture.today) if picture else 0, 40))
    point = {"type": "scatter", "symbolSize": 13, "z": 5, "labelLayout": {"hideOverlap": True}}
    text: dict[str, Any] = {
        "show": True,
        "fontSize": _FONT,
        "distance": 8,
        ":color": colour("text"),
        ":backgroundColor": colour("card"),
        "padding": [1, 4],
        "borderRadius": 3,
    }
    shown = {"startValue": first, "endValue": max(total - 1, 0)}
    return {
        "animation": False,
        "grid": {"left": 8, "right": 8, "top": 44, "bottom": 48, "containLabel": True},
        "legend": {
            "data": [name, "Entry", "Exit"],
            "top": 0,
            "left": 0,
            "itemWidth": 14,
            "textStyle": {":color": colour("muted"), "fontSize": 12},
        },
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "cross"}, **_tooltip()},
        "dataZoom": [
            {"type": "inside", **shown},
            {**_slider(), **shown},
        ],
        "xAxis": [{"type": "category", **data["xAxis"][0], **_axis(), "splitLine": {"show": False}}],
        "yAxis": [{"type": "value", "scale": True, "position": "right", **_axis()}],
        "series": [
            {**bars, "type": "candlestick", "name": name, "itemStyle": style, "markLine": marks},
            {**entries, **point, "name": "Entry", "symbol": "triangle", "label": text,
             "itemStyle": {":color": colour("accent")}},
            {**exits, **point, "name": "Exit", "symbol": "diamond", "label": text,
             "itemStyle": {":color": colour("warn")}},
            *({**level, **_level_line(level["id"])} for level in levels),
        ],
    }  # fmt: skip


def _slider() -> dict[str, Any]:
    return {
        "type": "slider",
        "height": 22,
        "bottom": 8,
        ":borderColor": colour("line"),
        ":fillerColor": colour("accent-soft"),
        "dataBackground": {"lineStyle": {":color": colour("muted")}, "areaStyle": {":color": colour("muted")}},
        "selectedDataBackground": {"lineStyle": {":color": colour("accent")}},
        "handleStyle": {":color": colour("card"), ":borderColor": colour("accent")},
        "moveHandleStyle": {":color": colour("line")},
        "textStyle": {":color": colour("muted")},
        "showDetail": False,
    }


def _level_line(name: str) -> dict[str, Any]:
    muted = {":color": colour("muted")}
    line = {"type": "solid" if name == "last" else "dashed", "width": 1, **muted}
    told = "Last" if name == "last" else f"Day's {name}"
    return {"type": "line", "name": told, "showSymbol": False, "lineStyle": line, "itemStyle": muted}


def candles(screen: Screen) -> None:
    """The chart of the underlying, kept up to date; a zoom that a person chose stays."""
    _once_shown("candles", lambda: _candles(screen))


def _candles(screen: Screen) -> None:
    zone = screen.look.zone
    picture: DayPicture | None = screen.value("picture")
    shown = candle_data(picture, accounts.of_chosen(screen, "story"), zone)
    options = _candle_options(picture, shown)
    options["xAxis"][0]["axisLabel"] = {**_axis()["axisLabel"], ":formatter": "(key) => key.slice(11)"}
    symbol = picture.symbol if picture else "the underlying"
    chart = ui.echart(options).classes("drawn candles").props(f'role="img" aria-label="Candles of {symbol}"')

    def follow() -> None:
        nonlocal shown
        data = candle_data(screen.value("picture"), accounts.of_chosen(screen, "story"), zone)
        if data != shown:
            shown = data
            chart.run_chart_method("setOption", data)

    screen.follow(follow)


# --- both -----------------------------------------------------------------------------------------------------------


def _once_shown(cls: str, draw: Callable[[], None]) -> None:
    """Draw in a place of its size once the page is there and answers: ECharts is a megabyte that nothing else needs."""
    with ui.element("div").classes(f"chart {cls}"):
        ui.timer(0, draw, once=True)


def _axis(formatter: str | None = None) -> dict[str, Any]:
    label: dict[str, Any] = {":color": colour("muted"), "fontSize": _FONT, "hideOverlap": True}
    if formatter is not None:
        label[":formatter"] = f"(value) => {formatter}(value)"
    line = {"lineStyle": {":color": colour("line")}}
    return {"axisLabel": label, "axisLine": line, "axisTick": line, "splitLine": line}


def _tooltip() -> dict[str, Any]:
    return {
        ":backgroundColor": colour("card"),
        ":borderColor": colour("line"),
        "textStyle": {":color": colour("text"), "fontSize": 12},
        "confine": True,
    }
