"""Futures: roots, delivery months, last trading days and ids.

Months and last trading days follow the exchanges' contract specifications in outline (CME Group, Cboe): index futures
the third Friday of the quarter month, currencies two business days before the third Wednesday, crude oil three business
days before the 25th of the month before, metals the third last business day of the month, Treasuries seven business
days before its last one, VIX 30 days before the third Friday of the month after. Holidays are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import partial

from htbot.market.universe import FUTURE_MARK

FUTURES_FROM = 900_000_000
_MONTHS_PER_ROOT = 10_000
_EPOCH_YEAR = 2000
CODES = "FGHJKMNQUVXZ"
_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
QUARTERS, ALL = (3, 6, 9, 12), tuple(range(1, 13))
_FRIDAY, _WEDNESDAY = 4, 2


@dataclass(frozen=True, slots=True)
class Root:
    """A family of futures: where its simulated price begins, and by what (`carry_ppm`) months a year apart differ."""

    name: str
    symbol: str
    long_name: str
    exchange: str
    multiplier: int
    tick: Decimal
    months: tuple[int, ...]
    count: int
    last_day: Callable[[int, int], date]
    price: Decimal
    volume: float
    own_ppm: int
    stream: int
    beta_permille: int = 1_000
    carry_ppm: int = 0
    underlying: str = ""


def _nth(year: int, month: int, weekday: int, number: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (number - 1))


def _business(day: date, steps: int) -> date:
    """`steps` business days (Monday to Friday) before a day; with 0 the day itself or the last one before it."""
    while day.weekday() > _FRIDAY:
        day -= timedelta(days=1)
    for _ in range(steps):
        day -= timedelta(days=3 if day.weekday() == 0 else 1)
    return day


def _month_end(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _third_friday(year: int, month: int) -> date:
    return _nth(year, month, _FRIDAY, 3)


def _currency(year: int, month: int) -> date:
    return _business(_nth(year, month, _WEDNESDAY, 3), 2)


def _crude(year: int, month: int) -> date:
    before = date(year, month, 1) - timedelta(days=1)
    return _business(before.replace(day=25), 3)


def _gas(year: int, month: int) -> date:
    return _business(date(year, month, 1) - timedelta(days=1), 2)


def _metal(year: int, month: int) -> date:
    return _business(_month_end(year, month), 2)


def _treasury(year: int, month: int) -> date:
    return _business(_month_end(year, month), 7)


def _volatility(year: int, month: int) -> date:
    following = _third_friday(year + month // 12, month % 12 + 1)
    return following - timedelta(days=30)


def _d(text: str) -> Decimal:
    return Decimal(text)


_equity = partial(Root, months=QUARTERS, count=5, last_day=_third_friday, carry_ppm=30_000)
ROOTS: dict[str, Root] = {
    root.name: root
    for root in (
        _equity("ES", "ES", "E-mini S&P 500", "CME", 50, _d("0.25"), price=_d("5450"), volume=3000, own_ppm=0,
                stream=10, underlying="SPX"),
        _equity("MES", "MES", "Micro E-Mini S&P 500 Stock Price Index", "CME", 5, _d("0.25"), price=_d("5450"),
             volume=2500, own_ppm=0, stream=10, underlying="SPX"),
        _equity("NQ", "NQ", "E-mini NASDAQ 100", "CME", 20, _d("0.25"), price=_d("19800"), volume=1200, own_ppm=60,
             stream=12, beta_permille=1_150, underlying="NDX"),
        _equity("MNQ", "MNQ", "Micro E-Mini Nasdaq-100 Index", "CME", 2, _d("0.25"), price=_d("19800"), volume=2500,
             own_ppm=60, stream=12, beta_permille=1_150, underlying="NDX"),
        _equity("RTY", "RTY", "E-Mini Russell 2000 Index", "CME", 50, _d("0.1"), price=_d("2210"), volume=500,
             own_ppm=120, stream=13, beta_permille=1_050, underlying="RUT"),
        _equity("M2K", "M2K", "Micro E-Mini Russell 2000 Index", "CME", 5, _d("0.1"), price=_d("2210"), volume=400,
             own_ppm=120, stream=13, beta_permille=1_050, underlying="RUT"),
        _equity("YM", "YM", "Mini Sized Dow Jones Industrial Average $5", "CBOT", 5, _d("1"), price=_d("42000"),
             volume=400, own_ppm=40, stream=22, underlying="INDU"),
        Root("6E", "EUR", "European Monetary Union Euro", "CME", 125_000, _d("0.00005"), QUARTERS, 4, _currency,
             _d("1.085"), 300, 60, 260, 0, 15_000),
        Root("6B", "GBP", "British pound", "CME", 62_500, _d("0.0001"), QUARTERS, 4, _currency,
             _d("1.295"), 150, 60, 261, 0),
        Root("6J", "JPY", "Japanese yen", "CME", 12_500_000, _d("0.0000005"), QUARTERS, 4, _currency,
             _d("0.0066"), 250, 60, 349, 0, 40_000),
        Root("CL", "CL", "Light Sweet Crude Oil", "NYMEX", 1_000, _d("0.01"), ALL, 12, _crude,
             _d("71"), 500, 300, 340, 200, -30_000),
        Root("MCL", "MCL", "Micro WTI Crude Oil", "NYMEX", 100, _d("0.01"), ALL, 12, _crude,
             _d("71"), 150, 300, 340, 200, -30_000),
        Root("NG", "NG", "Henry Hub Natural Gas", "NYMEX", 10_000, _d("0.001"), ALL, 12, _gas,
             _d("2.85"), 250, 500, 341, 50, 60_000),
        Root("GC", "GC", "Gold", "COMEX", 100, _d("0.1"), (2, 4, 6, 8, 10, 12), 6, _metal,
             _d("2650"), 300, 120, 342, -50, 45_000),
        Root("MGC", "MGC", "E-Micro Gold", "COMEX", 10, _d("0.1"), (2, 4, 6, 8, 10, 12), 6, _metal,
             _d("2650"), 150, 120, 342, -50, 45_000),
        Root("SI", "SI", "Silver", "COMEX", 5_000, _d("0.005"), (3, 5, 7, 9, 12), 5, _metal,
             _d("31"), 120, 250, 343, 50, 45_000),
        Root("HG", "HG", "Copper", "COMEX", 25_000, _d("0.0005"), (3, 5, 7, 9, 12), 5, _metal,
             _d("4.35"), 120, 220, 344, 200, 20_000),
        Root("ZN", "ZN", "10 Year US Treasury Note", "CBOT", 1_000, _d("0.015625"), QUARTERS, 3, _treasury,
             _d("110.5"), 900, 50, 345, -80),
        Root("ZB", "ZB", "30 Year US Treasury Bond", "CBOT", 1_000, _d("0.03125"), QUARTERS, 3, _treasury,
             _d("118"), 400, 90, 346, -120),
        Root("ZF", "ZF", "5 Year US Treasury Note", "CBOT", 1_000, _d("0.0078125"), QUARTERS, 3, _treasury,
             _d("107.25"), 700, 35, 347, -50),
        Root("VX", "VIX", "CBOE Volatility Index", "CFE", 1_000, _d("0.05"), ALL, 8, _volatility,
             _d("17.5"), 60, 900, 348, -4_000, 60_000),
    )
}  # fmt: skip
_NUMBER = {name: number for number, name in enumerate(ROOTS)}


@dataclass(frozen=True, slots=True)
class Future:
    """One delivery month of a root."""

    root: Root
    year: int
    month: int

    @property
    def key(self) -> str:
        """The symbol of its path on a tape: ES@202403."""
        return f"{self.root.name}{FUTURE_MARK}{self.contract_month}"

    @property
    def contract_month(self) -> str:
        """Yyyymm."""
        return f"{self.year}{self.month:02d}"

    @property
    def expiry(self) -> date:
        """The last trading day."""
        return self.root.last_day(self.year, self.month)

    @property
    def con_id(self) -> int:
        """The contract id."""
        months = (self.year - _EPOCH_YEAR) * 12 + self.month - 1
        return FUTURES_FROM + _NUMBER[self.root.name] * _MONTHS_PER_ROOT + months

    @property
    def local_symbol(self) -> str:
        """As IB names it: ESH4; at CBOT `ZN   MAR 24`."""
        if self.root.exchange == "CBOT":
            return f"{self.root.name:<5}{_MONTH_NAMES[self.month - 1]} {self.year % 100:02d}"
        return f"{self.root.name}{CODES[self.month - 1]}{self.year % 10}"


def future_of(con_id: int) -> Future | None:
    """The future behind an id; None when the id is no future's."""
    number, months = divmod(con_id - FUTURES_FROM, _MONTHS_PER_ROOT)
    if not 0 <= number < len(ROOTS):
        return None
    root = list(ROOTS.values())[number]
    future = Future(root, _EPOCH_YEAR + months // 12, months % 12 + 1)
    return future if future.month in root.months else None


def future_named(key: str) -> Future:
    """The future of a tape's symbol."""
    name, _, month = key.partition(FUTURE_MARK)
    return Future(ROOTS[name], int(month[:4]), int(month[4:]))


def listed_futures(root: Root, day: date, *, expired: bool = False) -> Iterator[Future]:
    """Months that trade on a day, nearest first; with `expired` also those of the two years before."""
    year, found = day.year - (2 if expired else 0), 0
    while found < root.count:
        for month in root.months:
            future = Future(root, year, month)
            alive = future.expiry >= day
            if alive or expired:
                yield future
            found += alive
            if found == root.count:
                break
        year += 1
