"""Contract details, option chains, symbol search, market rules."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from htbot.domain.instruments import SecType
from htbot.domain.sessions import NEW_YORK, SessionTable
from htbot.paper.contracts import wire_fields
from htbot.paper.errors import RequestError, no_contract
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.ports import ContractDetails, ContractQuery
from htbot.paper.wire import messages
from htbot.paper.wire.times import ZONE_NAME

_ORDER_TYPES = "ACTIVETIM,DAY,GTC,GTD,IOC,FOK,LMT,MKT,WHATIF"
_HOURS_DAYS = 6


def contract_details(context: Context, values: dict[str, Any]) -> None:
    """Every contract that fits, then the end."""
    gateway, session = context.gateway, context.session
    found = gateway.contracts.search(values, gateway.now)
    hours = hours_text(gateway.market.sessions, gateway.now)
    for details in found:
        rule = gateway.contracts.rule_id(details)
        session.send(messages.CONTRACT_DETAILS, _details_values(values["reqId"], details, rule, hours))
    session.send(messages.CONTRACT_DETAILS_END, {"reqId": values["reqId"]})


def _details_values(request_id: int, details: ContractDetails, rule: int, hours: str) -> dict[str, Any]:
    fields = wire_fields(details)
    expiry = fields["lastTradeDateOrContractMonth"]
    exchanges = details.valid_exchanges.split(",")
    return {
        **fields,
        "reqId": request_id,
        "lastTradeDate": expiry,
        "marketName": details.market_name,
        "minTick": details.min_tick,
        "orderTypes": _ORDER_TYPES,
        "validExchanges": details.valid_exchanges,
        "underConId": details.under_con_id,
        "longName": details.long_name.replace("\\", "\\\\"),
        "contractMonth": expiry[:6],
        "timeZoneId": ZONE_NAME,
        "tradingHours": hours,
        "liquidHours": hours,
        "underSymbol": details.under_symbol,
        "underSecType": details.under_sec_type,
        "secIds": [{"tag": "HtbotListing", "value": details.listing}] if expiry else [],
        "marketRuleIds": ",".join([str(rule)] * len(exchanges)),
        "realExpirationDate": expiry,
        "stockType": details.stock_type,
    }


def hours_text(sessions: SessionTable, at: datetime) -> str:
    """Regular hours of the coming days: `20240102:0930-20240102:1600;20240106:CLOSED`."""
    day = at.astimezone(NEW_YORK).date()
    parts = []
    for offset in range(_HOURS_DAYS):
        date = day + timedelta(days=offset)
        session = sessions.on(date)
        if session is None:
            parts.append(f"{date:%Y%m%d}:CLOSED")
        else:
            opens, closes = session.opens.astimezone(NEW_YORK), session.closes.astimezone(NEW_YORK)
            parts.append(f"{opens:%Y%m%d:%H%M}-{closes:%Y%m%d:%H%M}")
    return ";".join(parts)


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
    """Stocks and indices whose symbol is the pattern."""
    gateway = context.gateway
    pattern = values["pattern"].strip().upper()
    samples = []
    for sec_type in (SecType.STOCK, SecType.INDEX):
        query = ContractQuery(symbol=pattern, sec_type=sec_type.value)
        for details in gateway.market.details(query, gateway.now) if pattern else ():
            chains = gateway.market.chains(details.contract.con_id, gateway.now)
            sample = {
                **wire_fields(details),
                "derivatives": [{"secType": "OPT"}] if chains else [],
                "description": details.long_name,
            }
            samples.append(sample)
    context.session.send(messages.SYMBOL_SAMPLES, {"reqId": values["reqId"], "samples": samples})


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
}

__all__ = ["HANDLERS", "hours_text"]
