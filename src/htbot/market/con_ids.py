"""Contract ids that any later process can read back.

Underlyings keep IB's own ids where the table has them; others get 500,000,000 + a checksum of the symbol. Futures have
900,000,000 + (root, month). An option's id, from 1,000,000,000 up and below 2^31, is a mixed-radix number: (strike
slot, days since 2000, right); slots of the classes follow each other in table order, so classes may be appended, never
inserted, removed or resized. Options of all other underlyings have compact ids below 500,000,000 (ladder.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from htbot.domain.instruments import Right
from htbot.domain.recorded import OptionSeries
from htbot.market.ladder import LADDER, SMALL, CompactRange
from htbot.market.universe import FUNDS, LISTED, STOCKS, Listed, derived_id

OPTIONS_FROM = 1_000_000_000
EPOCH = date(2000, 1, 1)
DAYS = 14_610  # to the end of 2039
_STRIDE = 2 * DAYS


@dataclass(frozen=True, slots=True)
class OptionClass:
    """One trading class: its underlying, the finest strike step an id can carry, and the number of steps."""

    name: str
    underlying: str
    unit: Decimal
    slots: int


_HALF = Decimal("0.5")
CLASSES: tuple[OptionClass, ...] = (
    OptionClass("SPXW", "SPX", Decimal(5), 3000),
    OptionClass("SPX", "SPX", Decimal(5), 3000),
    OptionClass("SPY", "SPY", _HALF, 3000),
    OptionClass("QQQ", "QQQ", _HALF, 3000),
    OptionClass("IWM", "IWM", _HALF, 1200),
    OptionClass("AAPL", "AAPL", _HALF, 2400),
    OptionClass("MSFT", "MSFT", _HALF, 3000),
    OptionClass("NVDA", "NVDA", _HALF, 4000),
    OptionClass("TSLA", "TSLA", _HALF, 4000),
    OptionClass("AMZN", "AMZN", Decimal("2.5"), 1600),
    OptionClass("GOOG", "GOOG", _HALF, 3200),
    OptionClass("META", "META", _HALF, 3000),
    OptionClass("IBM", "IBM", _HALF, 1000),
    OptionClass("BAC", "BAC", _HALF, 400),
    OptionClass("GLD", "GLD", _HALF, 1600),
    OptionClass("AIG", "AIG", _HALF, 400),
)
_WIDE = frozenset(row.name for row in CLASSES)
_INDEX_CLASSES = {"VIX": "VIX", "VIXW": "VIX", "NDX": "NDX", "NDXP": "NDX", "RUT": "RUT", "RUTW": "RUT", "XSP": "XSP"}


def class_name(symbol: str) -> str:
    """The class of a stock's options: the symbol without the blank (BRK B: BRKB)."""
    return symbol.replace(" ", "")


def _compact(first_id: int, rows: tuple[Listed, ...]) -> CompactRange:
    return CompactRange(first_id, tuple(class_name(row.symbol) for row in rows), SMALL)


RANGES = (
    _compact(110_000_000, STOCKS),
    _compact(355_000_000, FUNDS),
    CompactRange(476_000_000, tuple(_INDEX_CLASSES), len(LADDER)),
)
_COMPACT = {
    name: (part, number)
    for part in RANGES
    for number, name in enumerate(part.classes)
    if name not in _WIDE
}  # fmt: skip
_IDS = frozenset(row.con_id for row in LISTED.values())
UNDERLYING_OF: dict[str, str] = {
    **{class_name(row.symbol): row.symbol for row in (*STOCKS, *FUNDS)},
    **_INDEX_CLASSES,
    **{row.name: row.underlying for row in CLASSES},
}
"""Class of options to underlying, all classes; those with daily expiries and ids of their own last."""
CLASSES_OF: dict[str, list[str]] = {}
"""Underlying to its classes of options."""
for _name, _symbol in UNDERLYING_OF.items():
    CLASSES_OF.setdefault(_symbol, []).append(_name)
CLASS: dict[str, OptionClass] = {row.name: row for row in CLASSES}


def _offsets() -> dict[str, int]:
    offsets: dict[str, int] = {}
    total = 0
    for row in CLASSES:
        offsets[row.name] = total
        total += row.slots
    return offsets


_OFFSET = _offsets()


def underlying_id(symbol: str) -> int:
    """The id of anything that a tape has but futures."""
    row = LISTED.get(symbol)
    return row.con_id if row else derived_id(symbol)


def option_id(series: OptionSeries) -> int | None:
    """The id of an option; None when class, strike or date is outside what ids can carry."""
    if series.trading_class in _COMPACT:
        part, number = _COMPACT[series.trading_class]
        compact = part.option_id(number, series)
        return None if compact in _IDS else compact
    row = CLASS.get(series.trading_class)
    days = (series.expiry - EPOCH).days
    if row is None or not 0 <= days < DAYS:
        return None
    steps = series.strike / row.unit
    slot = int(steps)
    if slot != steps or not 1 <= slot <= row.slots:
        return None
    right = 1 if series.right is Right.PUT else 0
    return OPTIONS_FROM + (_OFFSET[row.name] + slot - 1) * _STRIDE + days * 2 + right


def option_series(con_id: int) -> OptionSeries | None:
    """The option behind an id; None when the id is no option's."""
    if con_id < OPTIONS_FROM:
        found = None if con_id in _IDS else next(filter(None, (part.option_series(con_id) for part in RANGES)), None)
        return found if found and found.trading_class not in _WIDE else None
    position, rest = divmod(con_id - OPTIONS_FROM, _STRIDE)
    for row in CLASSES:
        slot = position - _OFFSET[row.name]
        if 0 <= slot < row.slots:
            right = Right.PUT if rest % 2 else Right.CALL
            return OptionSeries(row.name, EPOCH + timedelta(days=rest // 2), row.unit * (slot + 1), right)
    return None
