"""Market scanners: the world's instruments ranked by what a scan code says (TWS_PROTOCOL section 3, request 22).

Scan codes, locations and instruments are those of IB's public scanner list, as far as a world of US stocks, indices and
futures can rank by them; `parameters_xml` tells clients which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from xml.sax.saxutils import escape

from htbot.domain.instruments import SecType
from htbot.market.ports import ContractDetails, DayStatistics, Show
from htbot.paper.contracts import wire_fields
from htbot.paper.errors import no_history
from htbot.paper.prices import Prices
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.times import epoch

MAX_ROWS = 50
NO_ITEMS = 165
_PERIOD_S = 30
_DAY_S = 86_400
_VOLATILITY_DAYS = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One instrument with its figures of the day; `price` is the last trade."""

    details: ContractDetails
    day: DayStatistics
    price: float
    prices: Prices

    @property
    def change(self) -> float:
        """Change since the previous close in percent; 0 without one."""
        before = self.day.previous_close
        return (self.price / before - 1) * 100 if before else 0.0

    @property
    def change_since_open(self) -> float:
        """Change since the open in percent; 0 before it."""
        return (self.price / self.day.open - 1) * 100 if self.day.open else 0.0

    @property
    def gap(self) -> float:
        """Open against the previous close in percent."""
        return (self.day.open / self.day.previous_close - 1) * 100 if self.day.open and self.day.previous_close else 0.0

    @property
    def spread(self) -> float:
        """High less low."""
        return self.day.high - self.day.low if self.day.high is not None and self.day.low is not None else 0.0

    @property
    def volatility(self) -> float:
        """Implied volatility of its options; 0 when the world has none."""
        con_id, at = self.details.contract.con_id, self.prices.at
        show = Show.OPTION_IMPLIED_VOLATILITY
        bars = self.prices.market.candles(con_id, _DAY_S, at - _VOLATILITY_DAYS, at, show)
        return bars[-1].close if bars else 0.0


def candidate(prices: Prices, details: ContractDetails) -> Candidate | None:
    """An instrument with its figures; None before its first price."""
    con_id = details.contract.con_id
    quote = prices.quote(con_id)
    if quote is None or not quote.last:
        return None
    return Candidate(details, prices.statistics(con_id), quote.last, prices)


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan code: what it is called and what is ranked, highest first."""

    title: str
    rank: Callable[[Candidate], float]


SCANS: dict[str, Scan] = {
    "TOP_PERC_GAIN": Scan("Top % Gainers", lambda row: row.change),
    "TOP_PERC_LOSE": Scan("Top % Losers", lambda row: -row.change),
    "MOST_ACTIVE": Scan("Most Active", lambda row: row.day.volume),
    "MOST_ACTIVE_USD": Scan("Most Active ($)", lambda row: row.day.volume * row.price),
    "HOT_BY_VOLUME": Scan("Hot Contracts by Volume", lambda row: row.day.volume),
    "HOT_BY_PRICE": Scan("Hot Contracts by Price", lambda row: abs(row.change)),
    "HOT_BY_PRICE_RANGE": Scan("Hot Contracts by Price Range", lambda row: row.spread / row.price),
    "TOP_PRICE_RANGE": Scan("Top Price Range", lambda row: row.spread),
    "TOP_TRADE_COUNT": Scan("Top Trade Count", lambda row: row.day.volume),
    "TOP_TRADE_RATE": Scan("Top Trade Rate", lambda row: row.day.volume),
    "TOP_VOLUME_RATE": Scan("Top Volume Rate", lambda row: row.day.volume),
    "TOP_OPEN_PERC_GAIN": Scan("Top % Gainers Since Open", lambda row: row.change_since_open),
    "TOP_OPEN_PERC_LOSE": Scan("Top % Losers Since Open", lambda row: -row.change_since_open),
    "HIGH_OPEN_GAP": Scan("Top Close-to-Open % Gainers", lambda row: row.gap),
    "LOW_OPEN_GAP": Scan("Top Close-to-Open % Losers", lambda row: -row.gap),
    "HIGH_OPT_IMP_VOLAT": Scan("Highest Option Imp Vol", lambda row: row.volatility),
    "LOW_OPT_IMP_VOLAT": Scan("Lowest Option Imp Vol", lambda row: -row.volatility),
}
_INSTRUMENTS: dict[str, tuple[str, SecType]] = {
    "STK": ("US Stocks", SecType.STOCK),
    "STOCK": ("US Stocks", SecType.STOCK),
    "ETF.EQ.US": ("US Equity ETFs", SecType.STOCK),
    "FUT.US": ("US Futures", SecType.FUTURE),
    "IND.US": ("US Indices", SecType.INDEX),
}
_LOCATIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "STK.US": ("US Stocks", "STK", ()),
    "STK.US.MAJOR": ("Listed/NASDAQ", "STK", ()),
    "STK.NYSE": ("NYSE", "STK", ("NYSE",)),
    "STK.NASDAQ": ("NASDAQ", "STK", ("NASDAQ",)),
    "STK.NASDAQ.NMS": ("NASDAQ NMS", "STK", ("NASDAQ",)),
    "STK.AMEX": ("AMEX", "STK", ("AMEX", "ARCA")),
    "STK.ARCA": ("ARCA", "STK", ("ARCA",)),
    "ETF.EQ.US": ("US Equity ETFs", "ETF.EQ.US", ()),
    "ETF.EQ.US.MAJOR": ("US Equity ETFs, listed", "ETF.EQ.US", ()),
    "FUT.US": ("US Futures", "FUT.US", ()),
    "FUT.CME": ("CME", "FUT.US", ("CME",)),
    "FUT.GLOBEX": ("GLOBEX", "FUT.US", ("CME",)),
    "FUT.CBOT": ("CBOT", "FUT.US", ("CBOT",)),
    "FUT.ECBOT": ("ECBOT", "FUT.US", ("CBOT",)),
    "FUT.NYMEX": ("NYMEX", "FUT.US", ("NYMEX",)),
    "FUT.COMEX": ("COMEX", "FUT.US", ("COMEX",)),
    "FUT.CFE": ("CFE", "FUT.US", ("CFE",)),
    "IND.US": ("US Indices", "IND.US", ()),
}
_FIELDS: dict[str, tuple[str, str]] = {
    "priceAbove": ("PRICE", "Price Above"),
    "priceBelow": ("PRICE", "Price Below"),
    "volumeAbove": ("VOLUME", "Volume Above"),
    "changePercAbove": ("CHANGEPERC", "Change % Above"),
    "changePercBelow": ("CHANGEPERC", "Change % Below"),
}


def _tags(rows: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in rows.items())


def parameters_xml() -> str:
    """The scanners of this world as IB's scanner parameters document lays them out."""
    instruments = "".join(
        f"<Instrument>{_tags({'name': name, 'type': code, 'filters': ','.join(dict(_FIELDS.values()))})}</Instrument>"
        for code, (name, _) in _INSTRUMENTS.items()
        if code != "STOCK"
    )
    locations = "".join(
        f"<Location>{_tags({'displayName': name, 'locationCode': code, 'instruments': kind})}</Location>"
        for code, (name, kind, _) in _LOCATIONS.items()
    )
    kinds = ",".join(code for code in _INSTRUMENTS if code != "STOCK")
    scans = "".join(
        f"<ScanType>{_tags({'displayName': scan.title, 'scanCode': code, 'instruments': kinds})}</ScanType>"
        for code, scan in SCANS.items()
    )
    filters = "".join(
        f"<SimpleFilter><id>{group}_{code}</id><category>{group}</category>"
        f'<AbstractField type="scanner.filter.DoubleField" varName="value">'
        f"{_tags({'code': code, 'displayName': name})}</AbstractField></SimpleFilter>"
        for code, (group, name) in _FIELDS.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ScanParameterResponse>'
        f'<InstrumentList varName="instrumentList">{instruments}</InstrumentList>'
        f'<LocationTree varName="locationTree">{locations}</LocationTree>'
        f'<ScanTypeList varName="scanTypeList">{scans}</ScanTypeList>'
        f'<FilterList varName="filterList">{filters}</FilterList></ScanParameterResponse>'
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a scan; None = none. Prices in dollars, changes in percent."""

    price_above: float | None = None
    price_below: float | None = None
    volume_above: float | None = None
    change_above: float | None = None
    change_below: float | None = None

    def hold(self, row: Candidate) -> bool:
        """True when an instrument lies inside."""
        checks = (
            (self.price_above, row.price, 1),
            (self.price_below, row.price, -1),
            (self.volume_above, row.day.volume, 1),
            (self.change_above, row.change, 1),
            (self.change_below, row.change, -1),
        )
        return all(bound is None or (value - bound) * sign >= 0 for bound, value, sign in checks)


@dataclass(frozen=True, slots=True)
class ScanQuery:
    """What reqScannerSubscription asks for."""

    scan: Scan
    kind: SecType | None
    funds_only: bool
    exchanges: tuple[str, ...]
    rows: int
    limits: Limits

    @staticmethod
    def of(values: Mapping[str, Any]) -> ScanQuery:
        """Read a request; an instrument or a place that this world does not have ranks nothing.

        Raises:
            RequestError: 162 for an unknown scan code.
        """
        scan = SCANS.get(values["scanCode"].upper())
        if scan is None:
            raise no_history(f"Scanner type with code {values['scanCode'][:40]!r} is disabled")
        instrument, place = values["instrument"].upper(), values["locationCode"].upper()
        _, kind = _INSTRUMENTS.get(instrument, ("", None))
        _, _, exchanges = _LOCATIONS.get(place, ("", "", ()))
        rows = values["numberOfRows"]
        options = values["filterOptions"]
        limits = Limits(
            _bound(values["abovePrice"], options, "priceAbove"),
            _bound(values["belowPrice"], options, "priceBelow"),
            _bound(values["aboveVolume"], options, "volumeAbove"),
            _bound(None, options, "changePercAbove"),
            _bound(None, options, "changePercBelow"),
        )
        return ScanQuery(
            scan,
            kind if place in _LOCATIONS else None,
            instrument.startswith("ETF"),
            exchanges,
            min(rows, MAX_ROWS) if rows > 0 else MAX_ROWS,
            limits,
        )

    def looks(self, prices: Prices) -> Iterator[None]:
        """Look at one instrument a step: the first look of a day is a long one."""
        for details in prices.market.underlyings(prices.at):
            row = candidate(prices, details) if self._fits(details) else None
            if row is not None:
                self.scan.rank(row)
            yield

    def run(self, prices: Prices) -> list[Candidate]:
        """The instruments in order of rank."""
        rows = (candidate(prices, details) for details in prices.market.underlyings(prices.at) if self._fits(details))
        fitting = [row for row in rows if row is not None and self.limits.hold(row)]
        fitting.sort(key=lambda row: (-self.scan.rank(row), row.details.contract.symbol))
        return fitting[: self.rows]

    def _fits(self, details: ContractDetails) -> bool:
        return (
            details.contract.sec_type is self.kind
            and (not self.funds_only or details.stock_type == "ETF")
            and (not self.exchanges or (details.primary_exchange or details.contract.exchange) in self.exchanges)
        )


def _bound(value: float | None, options: Mapping[str, str], name: str) -> float | None:
    """A bound from its own field, or from the free filter options.

    Raises:
        RequestError: 162 for text that is no number.
    """
    text = options.get(name)
    if value is not None or not text:
        return value
    try:
        return float(text)
    except ValueError as error:
        raise no_history(f"Scanner filter {name}={text[:20]!r} is no number") from error


@dataclass(slots=True)
class ScannerStream:
    """One reqScannerSubscription; ranked anew every 30 seconds of market time, sent when the order has changed."""

    req_id: int
    query: ScanQuery
    shown: tuple[int, ...] | None = None
    period: int = -1

    def publish(self, session: Session, prices: Prices) -> None:
        """Queue the list when it is another; an empty one follows error 165."""
        period = epoch(prices.at) // _PERIOD_S
        if period == self.period:
            return
        self.period = period
        rows = self.query.run(prices)
        ids = tuple(row.details.contract.con_id for row in rows)
        if ids == self.shown:
            return
        self.shown = ids
        if not rows:
            text = "Historical Market Data Service query message:no items retrieved"
            session.error(self.req_id, NO_ITEMS, text)
        session.send(messages.SCANNER_DATA, {"reqId": self.req_id, "rows": _rows(rows)})


def _rows(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    return [
        {**wire_fields(row.details), "rank": rank, "marketName": row.details.market_name}
        for rank, row in enumerate(candidates)
    ]
