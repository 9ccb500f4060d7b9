"""Contract details, option chains, symbol search, market rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from htbot.domain.instruments import SecType
from htbot.domain.sessions import NEW_YORK
from htbot.market.ports import ContractDetails, Market
from htbot.paper.contracts import wire_fields
from htbot.paper.errors import RequestError, no_contract
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages

Spans = tuple[tuple[datetime, datetime], ...]
_HOURS_DAYS = 6
_BASE_TYPES = "ACTIVETIM,ALERT,COND,CONDORDER,DAY,GAT,GTC,GTD,IOC,LIT,LMT,MIT,MKT,OCA,STP,STPLMT,TRAIL,TRAILLMT,WHATIF"
_ORDER_TYPES = {
    SecType.STOCK: "ALGO,FOK,HID,LOC,MIDPX,MOC,OPG,OUTSIDERTH,REL,RTH",
    SecType.OPTION: "ALGO,FOK,REL",
    SecType.INDEX: "",
    SecType.CRYPTO: "CASHQTY",
}
_AGGREGATION = {SecType.STOCK: 1, SecType.OPTION: 2, SecType.INDEX: 1, SecType.FOREX: 4}
_NO_GROUP = 2_147_483_647
_ROUND_LOT = 100
_MOST_SAMPLES = 16
_LETTERS = (
    ("AMEX", "A"), ("BEX", "B"), ("NYSENAT", "C"), ("FINRA", "D"), ("PEARL", "H"), ("ISE", "I"), ("EDGEA", "J"),
    ("DRCTEDGE", "K"), ("LTSE", "L"), ("CHX", "M"), ("NYSE", "N"), ("ARCA", "P"), ("NASDAQ", "Q"), ("MEMX", "U"),
    ("IEX", "V"), ("CBOE", "W"), ("PHLX", "X"), ("BYX", "Y"), ("BATS", "Z"),
)  # fmt: skip
"""Exchanges of a US stock with the letters of the consolidated tape (CTA and UTP plans)."""
_DEPTH = (
    *((exchange, "STK", "Deep2", _NO_GROUP) for exchange in ("ARCA", "BATS", "NASDAQ", "NYSE", "IEX")),
    *((exchange, "FUT", "Deep", _NO_GROUP) for exchange in ("CME", "CBOT", "NYMEX", "COMEX", "CFE")),
    *((exchange, "OPT", "Deep", _NO_GROUP) for exchange in ("CBOE", "ISE", "PHLX")),
    ("IDEALPRO", "CASH", "Deep", 4),
    ("PAXOS", "CRYPTO", "Deep", _NO_GROUP),
)


def contract_details(context: Context, values: dict[str, Any]) -> None:
    """Every contract that fits, then the end; a stock without an exchange on each of its exchanges."""
    found = context.gateway.contracts.search(values, context.gateway.now)
    context.session.tell_in_parts(_all_details(context, values, found))


def _all_details(context: Context, values: dict[str, Any], found: Iterator[ContractDetails]) -> Iterator[None]:
    gateway, session = context.gateway, context.session
    hours: dict[SecType, dict[str, str]] = {}  # the same for all contracts of a kind
    for details in found:
        contract = details.contract
        if contract.sec_type is SecType.STOCK and not values["exchange"] and not values["conId"]:
            exchanges = details.valid_exchanges.split(",")
        else:
            exchanges = [values["exchange"] or contract.exchange]
        rule = gateway.contracts.rule_id(details)
        if contract.sec_type not in hours:
            hours[contract.sec_type] = _hours(gateway.market, contract.con_id, gateway.now)
        shown = {"reqId": values["reqId"], **_details_values(details, rule), **hours[contract.sec_type]}
        for exchange in exchanges:
            session.send(messages.CONTRACT_DETAILS, {**shown, "exchange": exchange})
        yield
    session.send(messages.CONTRACT_DETAILS_END, {"reqId": values["reqId"]})


def _details_values(details: ContractDetails, rule: int) -> dict[str, Any]:
    fields = wire_fields(details)
    last, expires = fields["lastTradeDateOrContractMonth"], details.contract.expiry
    kind = details.contract.sec_type
    exchanges = details.valid_exchanges.split(",")
    ids = [{"tag": tag, "value": value} for tag, value in details.sec_ids]
    if kind is SecType.OPTION:
        ids.append({"tag": "HtbotListing", "value": details.listing})
    suggested = _ROUND_LOT if kind is SecType.STOCK else details.size_increment
    types = sorted([*_BASE_TYPES.split(","), *filter(None, _ORDER_TYPES.get(kind, "").split(","))])
    return {
        **fields,
        "lastTradeDate": last,
        "marketName": details.market_name,
        "minTick": details.min_tick,
        "mdSizeMultiplier": _ROUND_LOT if kind is SecType.STOCK else 1,
        "orderTypes": ",".join(types),
        "validExchanges": details.valid_exchanges,
        "priceMagnifier": details.price_magnifier,
        "underConId": details.under_con_id,
        "longName": details.long_name.replace("\\", "\\\\"),
        "contractMonth": details.contract_month or last[:6],
        "industry": details.industry,
        "category": details.category,
        "subcategory": details.subcategory,
        "aggGroup": _AGGREGATION.get(kind, _NO_GROUP),
        "underSymbol": details.under_symbol,
        "underSecType": details.under_sec_type,
        "secIds": ids,
        "marketRuleIds": ",".join([str(rule)] * len(exchanges)),
        "realExpirationDate": f"{expires:%Y%m%d}" if expires else "",
        "stockType": details.stock_type,
        "minSize": details.min_size,
        "sizeIncrement": details.size_increment,
        "suggestedSizeIncrement": suggested,
        "suggestedSizeIncrementOnly": suggested,
    }


def _hours(market: Market, con_id: int, at: datetime) -> dict[str, str]:
    """Time zone and hours of the coming days."""
    first = at.astimezone(NEW_YORK).date()
    days = [(day, market.hours(con_id, day)) for day in _days(first)]
    return {
        "timeZoneId": days[0][1].zone,
        "tradingHours": hours_text([(day, hours.zone, hours.trading) for day, hours in days]),
        "liquidHours": hours_text([(day, hours.zone, hours.liquid) for day, hours in days]),
    }


def _days(first: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range(_HOURS_DAYS)]


def hours_text(days: Iterable[tuple[date, str, Spans]]) -> str:
    """Spans in the contract's time zone: `20240102:0930-20240102:1600;20240106:CLOSED`."""
    parts = []
    for day, zone, spans in days:
        place = ZoneInfo(zone)
        written = [f"{_local(begins, place)}-{_local(ends, place)}" for begins, ends in spans]
        parts.append(",".join(written) or f"{day:%Y%m%d}:CLOSED")
    return ";".join(parts)


def _local(at: datetime, place: ZoneInfo) -> str:
    return f"{at.astimezone(place):%Y%m%d:%H%M}"


def option_parameters(context: Context, values: dict[str, Any]) -> None:
    """The chains of an underlying: one message for each exchange and trading class."""
    gateway, session = context.gateway, context.session
    con_id = values["underlyingConId"]
    details = gateway.market.contract(con_id)
    if details is None or details.contract.symbol != values["underlyingSymbol"].upper():
        raise no_contract()
    for chain in gateway.market.chains(con_id, gateway.now):
        if values["futFopExchange"] not in {"", chain.exchange}:
            continue
        message = {
            "reqId": values["reqId"],
            "exchange": chain.exchange,
            "underConId": chain.under_con_id,
            "tradingClass": chain.trading_class,
            "multiplier": chain.multiplier,
            "expirations": [{"expiry": expiry} for expiry in chain.expirations],
            "strikes": [{"strike": strike} for strike in chain.strikes],
        }
        session.send(messages.OPTION_PARAMETERS, message)
    session.send(messages.OPTION_PARAMETERS_END, {"reqId": values["reqId"]})


def matching_symbols(context: Context, values: dict[str, Any]) -> None:
    """Underlyings by the beginning of their symbol, then by a word of their name; 16 at most, as at IB."""
    gateway = context.gateway
    found = gateway.market.matching(values["pattern"].strip(), gateway.now)
    samples = []
    for details in found[:_MOST_SAMPLES]:
        chains = gateway.market.chains(details.contract.con_id, gateway.now)
        sample = {
            **wire_fields(details),
            "primaryExchange": details.primary_exchange or details.contract.exchange,
            "derivatives": [{"secType": "OPT"}] if chains else [],
            "description": details.long_name,
        }
        samples.append(sample)
    context.session.send(messages.SYMBOL_SAMPLES, {"reqId": values["reqId"], "samples": samples})


def smart_components(context: Context, values: dict[str, Any]) -> None:
    """The exchanges behind the letters of a quote line's bid and ask exchange."""
    components = [{"bit": bit, "exchange": name, "letter": letter} for bit, (name, letter) in enumerate(_LETTERS)]
    context.session.send(messages.SMART_COMPONENTS, {"reqId": values["reqId"], "components": components})


def depth_exchanges(context: Context, values: dict[str, Any]) -> None:
    """Where books of orders are shown."""
    del values
    rows = [
        {"exchange": exchange, "secType": kind, "listing": "", "service": service, "aggGroup": group}
        for exchange, kind, service, group in _DEPTH
    ]
    context.session.send(messages.DEPTH_EXCHANGES, {"exchanges": rows})


def market_rule(context: Context, values: dict[str, Any]) -> None:
    """The price increments of a market rule."""
    number = values["marketRuleId"]
    rule = context.gateway.contracts.market_rule(number)
    if rule is None:
        raise RequestError(321, f"Error validating request.-'bM' : cause - Invalid market rule id {number}")
    increments = [{"lowEdge": low_edge, "increment": increment} for low_edge, increment in rule]
    context.session.send(messages.MARKET_RULE, {"marketRuleId": number, "increments": increments})


HANDLERS: dict[str, Handler] = {
    "reqContractDetails": contract_details,
    "reqSecDefOptParams": option_parameters,
    "reqMatchingSymbols": matching_symbols,
    "reqMarketRule": market_rule,
    "reqSmartComponents": smart_components,
    "reqMktDepthExchanges": depth_exchanges,
}

__all__ = ["HANDLERS", "hours_text"]
