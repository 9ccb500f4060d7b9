"""What reqContractDetails tells of each kind of contract."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from htbot.domain.instruments import Contract, Right, SecType
from htbot.domain.recorded import OptionSeries
from htbot.domain.sessions import NEW_YORK
from htbot.market.con_ids import UNDERLYING_OF, option_id, underlying_id
from htbot.market.futures import Future
from htbot.market.ports import ContractDetails
from htbot.market.security_ids import cusip_of
from htbot.market.universe import LISTED, Listed
from htbot.pricing.ticks import PriceRule

CENT: PriceRule = ((Decimal(0), Decimal("0.01")),)
INDEX_OPTION: PriceRule = ((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.10")))
STOCK_OPTION: PriceRule = ((Decimal(0), Decimal("0.01")), (Decimal(3), Decimal("0.05")))
MULTIPLIER = 100
STOCK_EXCHANGES = "SMART,AMEX,NYSE,CBOE,PHLX,ISE,CHX,ARCA,NASDAQ,DRCTEDGE,BEX,BATS,EDGEA,BYX,IEX,PEARL,MEMX"
_OPTION_EXCHANGES = "SMART,AMEX,CBOE,PHLX,PSE,ISE,BOX,BATS,NASDAQOM,CBOE2,NASDAQBX,MIAX,GEMINI,EDGX,MERCURY,PEARL"
_INDEX_CLASSES = frozenset({"SPX", "SPXW", "NDX", "NDXP", "RUT", "RUTW"})
_PENNY_CLASSES = frozenset({"SPY", "QQQ", "IWM", "XSP"})
_OCC = re.compile(r"^([A-Z]{1,6}) *(\d{6})([CP])(\d{8})$")
_TRADING_CLASS = {"NASDAQ": "NMS"}
_OWN_EXCHANGE = frozenset({SecType.INDEX, SecType.FOREX, SecType.CRYPTO})


def option_rule(trading_class: str) -> PriceRule:
    """Ticks of a class's options: indices 0.05 below 3, 0.10 above; the big ETFs 0.01; others, and VIX, 0.01 / 0.05."""
    if trading_class in _INDEX_CLASSES:
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


@lru_cache(maxsize=1024)
def underlying_details(symbol: str) -> ContractDetails:
    """A stock, index, currency pair or coin; a symbol that the table does not know is a stock on SMART."""
    row = LISTED.get(symbol) or Listed(symbol, underlying_id(symbol), symbol, primary_exchange="NYSE")
    stock = row.sec_type not in _OWN_EXCHANGE
    contract = Contract(
        con_id=row.con_id,
        symbol=row.base,
        sec_type=row.sec_type,
        exchange="SMART" if stock else row.primary_exchange,
        currency=row.currency,
        trading_class=_class_of(row),
    )
    return ContractDetails(
        contract=contract,
        local_symbol=symbol,
        long_name=row.long_name,
        market_name=contract.trading_class or symbol,
        min_tick=row.tick,
        price_rule=((Decimal(0), row.tick),),
        valid_exchanges=STOCK_EXCHANGES if stock else row.primary_exchange,
        primary_exchange=row.primary_exchange if stock else "",
        stock_type=row.stock_type,
        industry=row.industry,
        category=row.category,
        subcategory=row.category,
        sec_ids=security_ids(row.isin) if row.isin else (),
        min_size=row.lot,
        size_increment=row.lot,
    )


def _class_of(row: Listed) -> str:
    """The trading class as IB names it: NASDAQ's shares are of one class, an index of none, a coin of its own."""
    if row.sec_type is SecType.STOCK:
        return _TRADING_CLASS.get(row.primary_exchange, row.symbol)
    return {SecType.INDEX: "", SecType.CRYPTO: row.base}.get(row.sec_type, row.symbol)


def security_ids(isin: str) -> tuple[tuple[str, str], ...]:
    """Numbers of a security, as IB's secIdList has them."""
    cusip = cusip_of(isin)
    return (("ISIN", isin), ("CUSIP", cusip)) if cusip else (("ISIN", isin),)


@lru_cache(maxsize=1024)
def future_details(future: Future) -> ContractDetails:
    """One month of a future."""
    root = future.root
    under = LISTED.get(root.underlying)
    return ContractDetails(
        contract=Contract(
            con_id=future.con_id,
            symbol=root.symbol,
            sec_type=SecType.FUTURE,
            exchange=root.exchange,
            expiry=future.expiry,
            trading_class=root.name,
            multiplier=root.multiplier,
        ),
        local_symbol=future.local_symbol,
        long_name=root.long_name,
        market_name=root.name,
        min_tick=root.tick,
        price_rule=((Decimal(0), root.tick),),
        valid_exchanges=root.exchange,
        under_con_id=under.con_id if under else 0,
        under_symbol=root.symbol,
        under_sec_type=SecType.INDEX.value,
        contract_month=future.contract_month,
    )


@lru_cache(maxsize=32_768)
def option_details(series: OptionSeries, listing: str, last_trade: date) -> ContractDetails | None:
    """An option; None when no id can carry it."""
    con_id = option_id(series)
    if con_id is None:
        return None
    name = series.trading_class
    under = LISTED[UNDERLYING_OF[name]]
    rule = option_rule(name)
    index = under.sec_type is SecType.INDEX
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
            multiplier=MULTIPLIER,
        ),
        local_symbol=occ_symbol(series),
        long_name=under.long_name,
        market_name=name,
        min_tick=rule[0][1],
        price_rule=rule,
        valid_exchanges=f"SMART,{'CBOE' if index else _OPTION_EXCHANGES.removeprefix('SMART,')}",
        under_con_id=under.con_id,
        under_symbol=under.symbol,
        under_sec_type=under.sec_type.value,
        listing=listing,
        industry=under.industry,
        category=under.category,
        subcategory=under.category,
        contract_month=f"{series.expiry:%Y%m}",
        last_trade=last_trade,
    )
