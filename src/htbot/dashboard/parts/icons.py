"""Line icons of the navigation, drawn on a grid of 24."""

from __future__ import annotations

from markupsafe import Markup

_PATHS = {
    "desk": "M4 5h16v11H4z M9 20h6 M12 16v4 M7 12l3-3 2 2 4-4",
    "chart": "M7 4v3 M7 14v5 M5 7h4v7H5z M16 5v4 M16 16v4 M14 9h4v7h-4z",
    "signals": "M12 12v8 M8 16a6 6 0 0 1 0-8 M16 16a6 6 0 0 0 0-8 M5 19a10 10 0 0 1 0-14 M19 19a10 10 0 0 0 0-14",
    "orders": "M6 3h9l4 4v14H6z M14 3v5h5 M9 12h7 M9 16h7",
    "trades": "M4 8h14 M14 4l4 4-4 4 M20 16H6 M10 12l-4 4 4 4",
    "strategies": "M5 5h5v5H5z M14 14h5v5h-5z M14 7h5 M16.5 4.5v5 M5 16.5h5",
    "risk": "M12 3l8 3v6c0 5-3.5 8-8 9-4.500-1-8-4-8-9V6z M12 8v5 M12 16v.5",
    "alerts": "M6 16V11a6 6 0 0 1 12 0v5l2 2H4z M10 21h4",
    "system": "M4 5h16v6H4z M4 13h16v6H4z M8 8h.5 M8 16h.5",
    "backtest": "M4 12a8 8 0 1 0 3-6.200 M4 4v4h4 M12 8v5l3 2",
}


def icon(name: str) -> Markup:
    """The icon of a page; it says nothing that the word beside it does not."""
    path = Markup('<path d="{}"/>').format(_PATHS[name])
    return Markup('<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>').format(path)
