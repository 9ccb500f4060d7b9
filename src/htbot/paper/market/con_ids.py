"""Contract ids that any later process can read back.

Underlyings keep IB's own ids where the table has them; other stocks get 500,000,000 + a checksum of the symbol. An
option's id, from 1,000,000,000 up and below 2^31, is a mixed-radix number: (strike slot, days since 2000, right).
Slots of the classes follow each other in table order, so classes may be appended, never inserted, removed or resized.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from htbot.domain.instruments import Right, SecType
from htbot.domain.recorded import OptionSeries

OPTIONS_FROM = 1_000_000_000
STOCKS_FROM = 500_000_000
EPOCH = date(2000, 1, 1)
DAYS = 14_610  # to the end of 2039
_STRIDE = 2 * DAYS


@dataclass(frozen=True, slots=True)
class Listed:
    """An underlying with its id at IB."""

    symbol: str
    con_id: int
    long_name: str
    sec_type: SecType = SecType.STOCK
    primary_exchange: str = "NASDAQ"
    stock_type: str = "COMMON"


@dataclass(frozen=True, slots=True)
class OptionClass:
    """One trading class: its underlying, the finest strike step an id can carry, and the number of steps."""

    name: str
    underlying: str
    unit: Decimal
    slots: int


def _etf(symbol: str, con_id: int, name: str, exchange: str = "ARCA") -> Listed:
    return Listed(symbol, con_id, name, primary_exchange=exchange, stock_type="ETF")


LISTED: dict[str, Listed] = {
    row.symbol: row
    for row in (
        Listed("SPX", 416904, "S&P 500 Stock Index", SecType.INDEX, "CBOE", ""),
        _etf("SPY", 756733, "SPDR S&P 500 ETF TRUST"),
        _etf("QQQ", 320227571, "INVESCO QQQ TRUST SERIES 1", "NASDAQ"),
        _etf("IWM", 9579970, "ISHARES RUSSELL 2000 ETF"),
        Listed("AAPL", 265598, "APPLE INC"),
        Listed("MSFT", 272093, "MICROSOFT CORP"),
        Listed("NVDA", 4815747, "NVIDIA CORP"),
        Listed("TSLA", 76792991, "TESLA INC"),
        Listed("AMZN", 3691937, "AMAZON.COM INC"),
        Listed("GOOG", 208813720, "ALPHABET INC-CL C"),
        Listed("META", 107113386, "META PLATFORMS INC-CLASS A"),
        Listed("IBM", 8314, "INTL BUSINESS MACHINES CORP", primary_exchange="NYSE"),
        Listed("BAC", 10098, "BANK OF AMERICA CORP", primary_exchange="NYSE"),
        _etf("GLD", 51529211, "SPDR GOLD SHARES"),
        Listed("AIG", 61319701, "AMERICAN INTERNATIONAL GROUP", primary_exchange="NYSE"),
    )
}

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
    """The id of a stock or index."""
    row = LISTED.get(symbol)
    return row.con_id if row else STOCKS_FROM + zlib.crc32(symbol.encode()) % 400_000_000


def option_id(series: OptionSeries) -> int | None:
    """The id of an option; None when class, strike or date is outside what ids can carry."""
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
        return None
    position, rest = divmod(con_id - OPTIONS_FROM, _STRIDE)
    for row in CLASSES:
        slot = position - _OFFSET[row.name]
        if 0 <= slot < row.slots:
            right = Right.PUT if rest % 2 else Right.CALL
            return OptionSeries(row.name, EPOCH + timedelta(days=rest // 2), row.unit * (slot + 1), right)
    return None
