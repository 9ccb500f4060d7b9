"""Numbers as the pages show them. Unknown is a dash, a loss has a minus and a word or an arrow beside its colour."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from htbot.backtest import figures

UNKNOWN = "—"
_MINUS = "\N{MINUS SIGN}"

Number = Decimal | float | int


def money(amount: Number | None, *, sign: bool = False, cents: bool = True) -> str:
    """-$1,234.50 with a typographic minus; with `sign` a gain has its plus."""
    if amount is None:
        return UNKNOWN
    exact = Decimal(str(amount))
    told = figures.money(exact if cents else round(exact), sign=sign)
    return _typeset(told if cents else told.partition(".")[0])


def price(value: Number | None, digits: int = 2) -> str:
    """-9.75 with a typographic minus."""
    return UNKNOWN if value is None else _typeset(f"{value:,.{digits}f}")


def whole(value: int | None, *, sign: bool = False) -> str:
    """1,234."""
    return UNKNOWN if value is None else _typeset(f"{value:+,}" if sign else f"{value:,}")


def percent(value: Number | None, digits: int = 2) -> str:
    """12.34 %, of a number that is one already."""
    return UNKNOWN if value is None else _typeset(f"{value:.{digits}f} %")


def age(seconds: float | None) -> str:
    """3 s, 5 min, 2 h 05 min."""
    if seconds is None:
        return UNKNOWN
    return f"{max(seconds, 0):.0f} s" if seconds < 100 else figures.duration(seconds)


def duration(seconds: float | None) -> str:
    """35 min, 2 h 05 min."""
    return UNKNOWN if seconds is None else figures.duration(seconds)


def day(value: date | None) -> str:
    """2026-03-03."""
    return UNKNOWN if value is None else value.isoformat()


def tone(amount: Number | None) -> str:
    """The class of an amount: gain, loss, even or unknown."""
    if amount is None:
        return "unknown"
    return "gain" if amount > 0 else "loss" if amount < 0 else "even"


def arrow(amount: Number | None) -> str:
    """▲ for a gain, ▼ for a loss, nothing else."""
    return {"gain": "▲", "loss": "▼"}.get(tone(amount), "")


def words(identifier: str) -> str:
    """`profit_target` as people say it."""
    return identifier.replace("_", " ").strip() or UNKNOWN


def _typeset(text: str) -> str:
    return text.replace("-", _MINUS)
