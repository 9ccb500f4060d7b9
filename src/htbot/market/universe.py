"""What can be named in a world besides options and futures: stocks, funds, indices, currency pairs and crypto.

A row's key is its symbol; currency pairs and crypto have both currencies in it (EUR.USD, BTC.USD), as IB's localSymbol.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from htbot.domain.instruments import SecType
from htbot.market.securities import FUND_ROWS, STOCK_ROWS
from htbot.market.security_ids import made_up_isin

STOCKS_FROM = 500_000_000
FUTURE_MARK = "@"
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Facts:
    """Where a simulated price begins (in the quote currency), its usual volume and its own noise, ppm, a minute."""

    price: Decimal
    volume: float = 0.0
    own_ppm: int = 0


_UNKNOWN = Facts(Decimal(0))


@dataclass(frozen=True, slots=True)
class Listed:
    """One instrument, with its id at IB where that is known."""

    symbol: str
    con_id: int
    long_name: str
    sec_type: SecType = SecType.STOCK
    primary_exchange: str = "NASDAQ"
    stock_type: str = "COMMON"
    industry: str = ""
    category: str = ""
    isin: str = ""
    tick: Decimal = _CENT
    lot: Decimal = Decimal(1)
    facts: Facts = _UNKNOWN
    quoted_in: str = "USD"

    @property
    def base(self) -> str:
        """IB's symbol: of a pair its first currency."""
        return self.symbol.split(".")[0] if self.sec_type in {SecType.FOREX, SecType.CRYPTO} else self.symbol

    @property
    def currency(self) -> str:
        """What prices are in."""
        return self.symbol.split(".")[1] if self.sec_type in {SecType.FOREX, SecType.CRYPTO} else self.quoted_in


def derived_id(symbol: str) -> int:
    """The id of an instrument whose id at IB is not known; the same for the same symbol."""
    return STOCKS_FROM + zlib.crc32(symbol.encode()) % 400_000_000


def _securities(rows: str, stock_type: str) -> Iterator[Listed]:
    for line in rows.strip().splitlines():
        symbol, con_id, name, exchange, trade, price, volume, own, isin = line.split("|")
        industry, _, category = trade.partition("/")
        facts = Facts(Decimal(price), float(volume), int(own))
        yield Listed(
            symbol=symbol,
            con_id=int(con_id) or derived_id(symbol),
            long_name=name,
            primary_exchange=exchange,
            stock_type=stock_type,
            industry=industry,
            category=category,
            isin=isin or made_up_isin(symbol),
            facts=facts,
        )


def _index(symbol: str, con_id: int, name: str, exchange: str, price: str, own_ppm: int) -> Listed:
    return Listed(
        symbol=symbol,
        con_id=con_id or derived_id(symbol),
        long_name=name,
        sec_type=SecType.INDEX,
        primary_exchange=exchange,
        stock_type="",
        industry="Indices",
        category="Broad Range Equity Index",
        facts=Facts(Decimal(price), 0.0, own_ppm),
    )


def _pair(symbol: str, con_id: int, price: str, own_ppm: int = 60) -> Listed:
    """A currency pair on IDEALPRO; its tick is half a pip."""
    yen_like = symbol.endswith(("JPY", "HUF"))
    return Listed(
        symbol=symbol,
        con_id=con_id or derived_id(symbol),
        long_name=f"{_CURRENCY[symbol[:3]]} / {_CURRENCY[symbol[4:]]}",
        sec_type=SecType.FOREX,
        primary_exchange="IDEALPRO",
        stock_type="",
        tick=Decimal("0.005") if yen_like else Decimal("0.00005"),
        facts=Facts(Decimal(price), 0.0, own_ppm),
    )


def _coin(symbol: str, con_id: int, name: str, tick: str, price: str, volume: float) -> Listed:
    return Listed(
        symbol=symbol,
        con_id=con_id or derived_id(symbol),
        long_name=name,
        sec_type=SecType.CRYPTO,
        primary_exchange="PAXOS",
        stock_type="",
        tick=Decimal(tick),
        lot=Decimal("0.0001"),
        facts=Facts(Decimal(price), volume, 500),
    )


_CURRENCY = {
    "EUR": "European Monetary Union Euro",
    "GBP": "British pound",
    "USD": "United States dollar",
    "JPY": "Japanese yen",
    "CHF": "Swiss franc",
    "AUD": "Australian dollar",
    "CAD": "Canadian dollar",
    "NZD": "New Zealand dollar",
    "HKD": "Hong Kong dollar",
    "SEK": "Swedish krona",
    "NOK": "Norwegian krone",
    "DKK": "Danish krone",
    "SGD": "Singapore dollar",
    "MXN": "Mexican peso",
    "CNH": "Chinese renminbi (offshore)",
    "ZAR": "South African rand",
    "PLN": "Polish zloty",
    "ILS": "Israeli shekel",
}

STOCKS = tuple(_securities(STOCK_ROWS, "COMMON"))
FUNDS = tuple(_securities(FUND_ROWS, "ETF"))
INDICES = (
    _index("SPX", 416904, "S&P 500 Stock Index", "CBOE", "5450", 0),
    _index("NDX", 416843, "NASDAQ 100 Stock Index", "NASDAQ", "19800", 60),
    _index("RUT", 416888, "Russell 2000 Stock Index", "RUSSELL", "2210", 120),
    _index("VIX", 13455763, "CBOE Volatility Index", "CBOE", "16.5", 900),
    _index("XSP", 137851301, "Mini-SPX Index", "CBOE", "545", 0),
    _index("DJX", 0, "1/100 Dow Jones Industrial Average Index", "CBOE", "420", 40),
    _index("INDU", 0, "Dow Jones Industrial Average", "CME", "42000", 40),
    _index("COMP", 0, "NASDAQ Composite Index", "NASDAQ", "18000", 60),
    _index("OEX", 0, "S&P 100 Stock Index", "CBOE", "2650", 20),
    _index("VIXMO", 0, "CBOE 30-Day VIX Monthly Index", "CBOE", "17.2", 900),
    _index("VIX3M", 0, "CBOE 3-Month Volatility Index", "CBOE", "18.4", 600),
    _index("VVIX", 0, "CBOE VIX Volatility Index", "CBOE", "92", 900),
    _index("ES", 11004968, "E-mini S&P 500", "CME", "5450", 0),
    replace(_index("DAX", 825711, "DAX 40 Index (Deutsche Aktien Xchange 40)", "EUREX", "18500", 80), quoted_in="EUR"),
    replace(_index("ESTX50", 4356500, "Dow Jones Euro STOXX50", "EUREX", "4900", 80), quoted_in="EUR"),
)
PAIRS = (
    _pair("EUR.USD", 12087792, "1.085"),
    _pair("GBP.USD", 12087797, "1.295"),
    _pair("USD.JPY", 15016059, "151.5"),
    _pair("USD.CHF", 12087820, "0.865"),
    _pair("AUD.USD", 14433401, "0.665", 80),
    _pair("USD.CAD", 15016062, "1.385", 50),
    _pair("NZD.USD", 39453441, "0.605", 80),
    _pair("EUR.GBP", 12087807, "0.838", 45),
    _pair("EUR.JPY", 14321016, "164.4", 75),
    _pair("EUR.CHF", 12087802, "0.9385", 45),
    _pair("GBP.JPY", 0, "196.2", 80),
    _pair("GBP.CHF", 0, "1.12", 70),
    _pair("EUR.AUD", 0, "1.6315", 70),
    _pair("EUR.CAD", 0, "1.5025", 60),
    _pair("EUR.SEK", 0, "11.45", 60),
    _pair("EUR.NOK", 0, "11.85", 70),
    _pair("AUD.JPY", 0, "100.75", 90),
    _pair("CAD.JPY", 0, "109.4", 80),
    _pair("CHF.JPY", 0, "175.2", 70),
    _pair("AUD.CAD", 0, "0.921", 70),
    _pair("AUD.NZD", 0, "1.099", 60),
    _pair("USD.HKD", 12345777, "7.775", 5),
    _pair("USD.SEK", 0, "10.55", 80),
    _pair("USD.NOK", 0, "10.92", 90),
    _pair("USD.DKK", 0, "6.87", 60),
    _pair("USD.SGD", 0, "1.32", 35),
    _pair("USD.MXN", 0, "19.85", 110),
    _pair("USD.CNH", 113342317, "7.12", 35),
    _pair("USD.ZAR", 0, "17.6", 120),
    _pair("USD.PLN", 0, "4.0", 90),
    _pair("USD.ILS", 0, "3.75", 90),
)
COINS = (
    _coin("BTC.USD", 479624278, "Bitcoin", "0.25", "68500", 4.0),
    _coin("ETH.USD", 495759171, "Ethereum", "0.01", "2600", 60.0),
    _coin("LTC.USD", 0, "Litecoin", "0.01", "70", 900.0),
    _coin("BCH.USD", 0, "Bitcoin Cash", "0.01", "360", 120.0),
)

LISTED: dict[str, Listed] = {row.symbol: row for row in (*INDICES, *STOCKS, *FUNDS, *PAIRS, *COINS)}


def kind_of(symbol: str) -> SecType:
    """The kind of a symbol of a tape; one that no table knows is a stock."""
    if FUTURE_MARK in symbol:
        return SecType.FUTURE
    row = LISTED.get(symbol)
    return row.sec_type if row else SecType.STOCK
