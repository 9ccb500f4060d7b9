"""HTML from values. Every text is escaped; only what is `Markup` already stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from htbot.dashboard.parts import numbers
from htbot.domain.signals import TREND_WORDS

_VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
_ARROWS = {1: "↑", 0: "→", -1: "↓"}
Part = object


def tag(element: str, /, *inside: Part, **attributes: object) -> Markup:
    """An element; `cls` is its class, `data_x` an attribute `data-x`. None and False leave an attribute out."""
    given = Markup("").join(_attribute(key, value) for key, value in attributes.items())
    opened = Markup("<{}{}>").format(element, given)
    if element in _VOID:
        return opened
    return opened + join(*inside) + Markup("</{}>").format(element)


def join(*parts: Part) -> Markup:
    """Parts one after the other; None is nothing, a list is its parts."""
    made = Markup("")
    for part in parts:
        if part is None:
            continue
        made += join(*part) if isinstance(part, (list, tuple)) else escape(part)
    return made


def _attribute(key: str, value: object) -> Markup:
    if value is None or value is False:
        return Markup("")
    name = "class" if key == "cls" else key.rstrip("_").replace("_", "-")
    if value is True:
        return Markup(" {}").format(name)
    return Markup(' {}="{}"').format(name, str(value))


def badge(text: object, tone: str = "") -> Markup:
    """A word in a box."""
    return tag("span", text, cls=f"badge {tone}".strip())


def amount(value: numbers.Number | None, *, cents: bool = True) -> Markup:
    """Money with sign, arrow and colour."""
    mark = tag("span", numbers.arrow(value), cls="arrow", aria_hidden="true") if numbers.arrow(value) else None
    return tag("span", mark, numbers.money(value, sign=True, cents=cents), cls=f"amount {numbers.tone(value)}")


def moment(clock: str, day: str) -> Markup:
    """A time with its date below."""
    return tag("time", clock, tag("span", day, cls="note under-name"), datetime=f"{day}T{clock}")


def direction(value: int | None) -> Markup:
    """The side of a signal or a trend, in a word with an arrow; None: it has none."""
    if value is None:
        return tag("span", numbers.UNKNOWN, cls="direction unknown")
    word, sign = TREND_WORDS[value], _ARROWS[value]
    return tag("span", tag("span", sign, aria_hidden="true"), f" {word}", cls=f"direction {word}")


def fact(label: str, value: Part, note: Part = None, cls: str = "") -> Markup:
    """A figure under its name."""
    return tag(
        "div",
        tag("dt", label),
        tag("dd", value, tag("span", note, cls="note") if note else None),
        cls=f"fact {cls}".strip(),
    )


def facts(*items: Markup | None, cls: str = "") -> Markup:
    """Figures side by side."""
    return tag("dl", *items, cls=f"facts {cls}".strip())


def empty(text: str, hint: str = "") -> Markup:
    """What stands where there is nothing to show."""
    return tag("p", text, tag("span", hint, cls="note") if hint else None, cls="empty")


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a column.

    Attributes:
        head: its name.
        number: aligned to the right.
        text: may wrap.
        wide: may wrap and has a line of its own on a phone.
        minor: left out on a phone.
    """

    head: str
    number: bool = False
    text: bool = False
    wide: bool = False
    minor: bool = False

    @property
    def cls(self) -> str | None:
        """Its class."""
        named = {"number": self.number, "text": self.text, "wide": self.wide, "minor": self.minor}
        return " ".join(name for name, on in named.items() if on) or None


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, a class, and what stands below when the row is opened."""

    cells: Sequence[Part]
    cls: str = ""
    more: Markup | None = None


def filtered_title(text: str) -> Markup:
    """The title of a page whose tables `dashboard.js` filters; the field stands outside of them and outlives them."""
    told = {"placeholder": "Filter rows", "aria_label": "Filter rows", "title": "Rows that have all of these words (/)"}
    return tag("div", tag("h1", text), tag("input", type="search", id="row-filter", **told), cls="with-button")


def table(
    caption: str, columns: Sequence[Column], rows: Iterable[Row], nothing: Markup, *, sortable: bool = False
) -> Markup:
    """A table that scrolls in its own box; on a phone each cell carries the name of its column.

    One that is `sortable` has heads to press and obeys the filter of the page; `dashboard.js` does both.
    """
    body = [_row(columns, row) for row in rows]
    if not body:
        return nothing
    head = tag("tr", [tag("th", _head(column, sortable=sortable), scope="col", cls=column.cls) for column in columns])
    inside = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", body))
    return tag(
        "div", inside, cls="table sortable" if sortable else "table", tabindex="0", role="region", aria_label=caption
    )


def _head(column: Column, *, sortable: bool) -> Part:
    return tag("button", column.head, type="button", cls="sort") if sortable else column.head


def _row(columns: Sequence[Column], row: Row) -> Markup:
    cells = [
        tag("td", cell, cls=column.cls, data_label=column.head) for column, cell in zip(columns, row.cells, strict=True)
    ]
    shown = tag("tr", cells, cls=row.cls or None)
    if row.more is None:
        return shown
    return shown + tag("tr", tag("td", row.more, colspan=len(columns)), cls="more")
