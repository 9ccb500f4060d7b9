"""Contracts of a world: what a query fits, and the way back from an id."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from htbot.domain.instruments import Contract, Right, SecType
from htbot.domain.recorded import OptionSeries
from htbot.domain.sessions import NEW_YORK
from htbot.paper.market.con_ids import CLASS, CLASSES, LISTED, Listed, option_id, option_series, underlying_id
from htbot.paper.market.listing import ExpiryRules, strike_grid
from htbot.paper.ports import ContractDetails, ContractQuery, OptionChain
from htbot.pricing.ticks import PriceRule

CENT: PriceRule = ((Decimal(0), Decimal("0.01")),)
INDEX_OPTION: PriceRule = ((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.10")))
STOCK_OPTION: PriceRule = ((Decimal(0), Decimal("0.01")), (Decimal(3), Decimal("0.05")))
_PENNY_CLASSES = frozenset({"SPY", "QQQ", "IWM"})
_RIGHTS = {"": None, "0": None, "?": None, "C": Right.CALL, "CALL": Right.CALL, "P": Right.PUT, "PUT": Right.PUT}
_OCC = re.compile(r"^([A-Z]{1,6}) *(\d{6})([CP])(\d{8})$")
_MULTIPLIER = 100


def option_rule(trading_class: str) -> PriceRule:
    """Ticks of a class's options: SPX and SPXW 0.05 below 3 and 0.10 above, the big ETFs 0.01, others 0.01 / 0.05."""
    if trading_class in {"SPXW", "SPX"}:
        return INDEX_OPTION
    return CENT if trading_class in _PENNY_CLASSES else STOCK_OPTION


def occ_symbol(series: OptionSeries) -> str:
    """OCC's 21 characters, as IB's localSymbol: class padded to 6, yymmdd, right, strike x 1000 in 8 digits."""
    thousandths = int(series.strike * 1000)
    return f"{series.trading_class:<6}{series.expiry:%y%m%d}{series.right.value}{thousandths:08d}"


def parse_occ(text: str) -> OptionSeries | None:
    """The option that an OCC symbol names; None when it is none."""
    match = _OCC.match(text.strip())
    if match is None:
        return None
    try:
        expiry = datetime.strptime(match[2], "%y%m%d").replace(tzinfo=NEW_YORK).date()
    except ValueError:
        return None
    return OptionSeries(match[1], expiry, Decimal(match[4]) / 1000, Right(match[3]))


def underlying_details(symbol: str) -> ContractDetails:
    """A stock or index; a symbol that the table does not know is a stock on SMART."""
    row = LISTED.get(symbol) or Listed(symbol, underlying_id(symbol), symbol, primary_exchange="NYSE")
    index = row.sec_type is SecType.INDEX
    contract = Contract(
        con_id=row.con_id,
        symbol=symbol,
        sec_type=row.sec_type,
        exchange=row.primary_exchange if index else "SMART",
        trading_class=symbol if index else {"ARCA": symbol, "NASDAQ": "NMS"}.get(row.primary_exchange, symbol),
    )
    return ContractDetails(
        contract=contract,
        local_symbol=symbol,
        long_name=row.long_name,
        market_name=contract.trading_class,
        min_tick=Decimal("0.01"),
        price_rule=CENT,
        valid_exchanges=row.primary_exchange if index else "SMART,NYSE,ARCA,NASDAQ,BATS,IEX",
        primary_exchange="" if index else row.primary_exchange,
        stock_type=row.stock_type,
    )


@lru_cache(maxsize=8192)
def option_details(series: OptionSeries, listing: str) -> ContractDetails | None:
    """An option; None when no id can carry it."""
    con_id = option_id(series)
    if con_id is None:
        return None
    name = series.trading_class
    under = LISTED[CLASS[name].underlying]
    rule = option_rule(name)
    return ContractDetails(
        contract=Contract(
            con_id=con_id,
            symbol=under.symbol,
            sec_type=SecType.OPTION,
            exchange="SMART",
            expiry=series.expiry,
            strike=series.strike,
            right=series.right,
            trading_class=name,
            multiplier=_MULTIPLIER,
        ),
        local_symbol=occ_symbol(series),
        long_name=under.long_name,
        market_name=name,
        min_tick=rule[0][1],
        price_rule=rule,
        valid_exchanges="SMART,CBOE" if under.symbol == "SPX" else "SMART,CBOE,AMEX,PHLX,BOX,ISE",
        under_con_id=under.con_id,
        under_symbol=under.symbol,
        under_sec_type=under.sec_type.value,
        listing=listing,
    )


class ContractBook:
    """Everything that can be named in a world.

    Args:
        symbols: underlyings that have prices.
        rules: which expiries are listed.
        reference: price around which strikes are listed on a day (fixed for the day), None without one.
        recorded: options with recorded quotes or trades; always listed until they expire.
    """

    def __init__(
        self,
        symbols: Iterable[str],
        rules: ExpiryRules,
        reference: Callable[[str, date], float | None],
        recorded: Iterable[OptionSeries] = (),
    ) -> None:
        self.symbols = tuple(sorted(symbols))
        self._rules = rules
        self._reference = reference
        self._recorded: dict[tuple[str, date], set[tuple[Decimal, Right]]] = {}
        for series in recorded:
            key = (series.trading_class, series.expiry)
            self._recorded.setdefault(key, set()).add((series.strike, series.right))
        self._underlyings = {underlying_id(symbol): symbol for symbol in self.symbols}

    def symbol(self, con_id: int) -> str | None:
        """The underlying with an id; None for options and strangers."""
        return self._underlyings.get(con_id)

    def contract(self, con_id: int) -> ContractDetails | None:
        """The contract behind an id, listed today or not; None for an underlying that the world does not have."""
        symbol = self._underlyings.get(con_id)
        if symbol is not None:
            return underlying_details(symbol)
        series = option_series(con_id)
        if series is None or CLASS[series.trading_class].underlying not in self.symbols:
            return None
        return self._option(series)

    def details(self, query: ContractQuery, at: datetime) -> list[ContractDetails]:
        """Contracts that a query fits on the New York date of `at`, in order of class, expiry, strike and right."""
        day = at.astimezone(NEW_YORK).date()
        found = self._by_name(query, day)
        wanted = query.exchange.upper()
        kept = [row for row in found if not wanted or wanted in row.valid_exchanges.split(",")]
        return kept if query.currency.upper() in {"", "USD"} else []

    def chains(self, under_con_id: int, day: date) -> list[OptionChain]:
        """Chains of an underlying on a day, per class and exchange."""
        symbol = self._underlyings.get(under_con_id)
        chains = []
        for row in CLASSES if symbol else ():
            expiries = self._expiries(row.name, day) if row.underlying == symbol else []
            if not expiries:
                continue
            strikes = sorted({strike for expiry in expiries for strike, _ in self._strikes(row.name, expiry, day)})
            dates = tuple(f"{expiry:%Y%m%d}" for expiry in expiries)
            chains += [
                OptionChain(exchange, under_con_id, row.name, _MULTIPLIER, dates, tuple(strikes))
                for exchange in ("CBOE", "SMART")
            ]
        return chains

    def _option(self, series: OptionSeries) -> ContractDetails | None:
        recorded = (series.strike, series.right) in self._recorded.get((series.trading_class, series.expiry), ())
        return option_details(series, "recorded" if recorded else self._rules.listing)

    def _by_name(self, query: ContractQuery, day: date) -> list[ContractDetails]:
        if query.con_id:
            row = self.contract(query.con_id)
            alive = row is not None and (row.contract.expiry is None or row.contract.expiry >= day)
            return [row] if row is not None and alive else []
        if query.sec_type.upper() == SecType.OPTION:
            return list(self._options(query, day))
        symbol = (query.symbol or query.local_symbol).upper()
        if symbol not in self.symbols:
            return []
        row = underlying_details(symbol)
        return [row] if query.sec_type.upper() in {"", row.contract.sec_type.value} else []

    def _options(self, query: ContractQuery, day: date) -> Iterator[ContractDetails]:
        if query.local_symbol:
            series = parse_occ(query.local_symbol)
            row = self._option(series) if series and series.expiry >= day and self._knows(series) else None
            yield from [row] if row else []
            return
        right_text, strike = query.right.upper(), _strike(query.strike)
        if right_text not in _RIGHTS or strike is None:
            return
        right = _RIGHTS[right_text]
        for name in self._classes(query):
            for expiry in self._expiries(name, day):
                if not f"{expiry:%Y%m%d}".startswith(query.expiry.replace("-", "")[:8]):
                    continue
                for listed, listed_right in sorted(self._strikes(name, expiry, day)):
                    if right in {None, listed_right} and (not strike or strike == listed):
                        row = self._option(OptionSeries(name, expiry, listed, listed_right))
                        yield from [row] if row else []

    def _knows(self, series: OptionSeries) -> bool:
        row = CLASS.get(series.trading_class)
        return row is not None and row.underlying in self.symbols

    def _classes(self, query: ContractQuery) -> list[str]:
        symbol, name = query.symbol.upper(), query.trading_class.upper()
        rows = [row for row in CLASSES if row.underlying in self.symbols and name in {"", row.name}]
        return [row.name for row in rows if symbol == row.underlying or (symbol == row.name == "SPXW")]

    def _expiries(self, name: str, day: date) -> list[date]:
        recorded = {expiry for traded, expiry in self._recorded if traded == name and expiry >= day}
        return sorted(recorded.union(self._rules.ahead(name, day)))

    def _strikes(self, name: str, expiry: date, day: date) -> set[tuple[Decimal, Right]]:
        listed = set(self._recorded.get((name, expiry), ()))
        reference = self._reference(CLASS[name].underlying, day)
        if reference is not None and expiry >= day and self._rules.lists(name, expiry):
            listed.update((strike, right) for strike in strike_grid(name, reference) for right in Right)
        return listed


def _strike(value: float) -> Decimal | None:
    """A query's strike to a thousandth of a dollar; 0 is 'any', None is nonsense."""
    if not 0.0 <= value < 1e6:
        return None
    return Decimal(str(value)).quantize(Decimal("0.001"))
