"""How each instrument of the synthetic market moves.

Prices are whole `units`, `scale` of them in 1.00, so that a world is the same on every machine. An instrument takes
over `beta` of the index's moves and adds noise of its own. Instruments of one stream (SPX, SPY, ES ...) share that
noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt

from htbot.domain.instruments import SecType
from htbot.market.futures import ROOTS, Root
from htbot.market.path import PathBar, Units
from htbot.market.touch import digits_of
from htbot.market.universe import COINS, FUNDS, FUTURE_MARK, INDICES, PAIRS, STOCKS, Listed

UnitBar = tuple[int, int, int, int, int]
"""Open, high, low, close in units and volume in lots."""

_STOCK_UNITS = Units()


@dataclass(frozen=True, slots=True)
class Instrument:
    """First price, part of the index's moves taken over, and own noise a minute and a night."""

    stream: int
    first_units: int
    beta_permille: int
    own_ppm: int
    volume: int
    scale: int = 100
    step: int = 1
    units: Units = _STOCK_UNITS

    def coarser(self, minutes: int) -> Instrument:
        """The same with bars of so many minutes."""
        return replace(self, own_ppm=self.own_ppm * isqrt(minutes), volume=self.volume * minutes)

    def priced(self, bar: UnitBar, basis: int) -> PathBar:
        """A bar in prices, on the grid, `basis` units higher."""
        step, scale = self.step, self.scale
        first, high, low, last = ((value + basis) // step * step / scale for value in bar[:4])
        return PathBar(first, high, low, last, bar[4] * self.units.lot)


_STREAMS = {
    "SPX": 10, "XSP": 10, "ES": 10, "SPY": 10, "QQQ": 12, "NDX": 12, "IWM": 13, "RUT": 13, "AAPL": 14, "MSFT": 15,
    "NVDA": 16, "TSLA": 17, "AMZN": 18, "GOOG": 19, "META": 20, "IBM": 21, "DIA": 22, "DJX": 22, "INDU": 22,
}  # fmt: skip
_BETAS = {
    "QQQ": 1_150, "NDX": 1_150, "IWM": 1_050, "RUT": 1_050, "AAPL": 1_100, "MSFT": 1_050, "NVDA": 1_700, "TSLA": 1_600,
    "AMZN": 1_200, "GOOG": 1_100, "META": 1_250, "IBM": 700, "AMD": 1_700, "COIN": 2_000, "MSTR": 2_200, "KO": 400,
    "PG": 400, "JNJ": 400, "PEP": 400, "VIX": -6_000, "VXX": -3_500, "TQQQ": 3_400, "SQQQ": -3_400, "GLD": 50,
    "SLV": 200, "USO": 300, "TLT": -200, "IEF": -100, "SHY": -20, "AGG": -80, "BND": -80, "HYG": 300, "LQD": 50,
    "VIXMO": -5_500, "VIX3M": -3_500, "VVIX": -3_000, "SGOV": 0, "BIL": 0, "SHV": 0, "UPRO": 3_000, "UVXY": -5_000,
    "SOXL": 4_000,
}  # fmt: skip
_USUAL_BETA = {SecType.STOCK: 1_000, SecType.INDEX: 1_000, SecType.CRYPTO: 800, SecType.FOREX: 0}
_TABLES = ((30, STOCKS), (190, FUNDS), (240, INDICES), (260, PAIRS), (300, COINS))
"""First stream of each table of the universe."""


def _instrument(row: Listed, stream: int) -> Instrument:
    share = row.sec_type in {SecType.STOCK, SecType.INDEX}
    digits, lot = digits_of(row.tick), float(row.lot)
    return Instrument(
        stream=_STREAMS.get(row.symbol, stream),
        first_units=int(row.facts.price * 10**digits),
        beta_permille=_BETAS.get(row.symbol, _USUAL_BETA[row.sec_type]),
        own_ppm=row.facts.own_ppm,
        volume=int(row.facts.volume / lot),
        scale=10**digits,
        step=1 if share else int(row.tick * 10**digits),
        units=_STOCK_UNITS if share else Units(digits, float(1 / row.tick), lot),
    )


def _family(root: Root) -> Instrument:
    """The path that all months of a future share."""
    digits = digits_of(root.tick)
    return Instrument(
        stream=root.stream,
        first_units=int(root.price * 10**digits),
        beta_permille=root.beta_permille,
        own_ppm=root.own_ppm,
        volume=int(root.volume),
        scale=10**digits,
        step=int(root.tick * 10**digits),
        units=Units(digits, float(1 / root.tick)),
    )


INSTRUMENTS: dict[str, Instrument] = {
    **{row.symbol: _instrument(row, first + number) for first, rows in _TABLES for number, row in enumerate(rows)},
    **{root.name + FUTURE_MARK: _family(root) for root in ROOTS.values()},
}
"""By symbol; families of futures by their root and the mark (ES@)."""


def family_of(symbol: str) -> str:
    """The key of a symbol's instrument: of a month of a future its family's."""
    name, mark, _ = symbol.partition(FUTURE_MARK)
    return name + mark
