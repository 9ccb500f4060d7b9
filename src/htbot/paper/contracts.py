"""Contracts between the wire and the market: queries, wire fields, combinations, market rules."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import UNDERLYINGS, Contract, SecType
from htbot.domain.orders import Action
from htbot.market.ports import ContractDetails, ContractQuery, Market
from htbot.matching.fills import OrderLeg
from htbot.matching.ticks import PriceRule
from htbot.paper.errors import RequestError, invalid, no_contract, world_broken

BAG_CON_ID = 28812380
_MARKET_RULES: dict[tuple[tuple[Decimal, Decimal], ...], int] = {
    ((Decimal(0), Decimal("0.01")),): 26,
    ((Decimal(0), Decimal("0.01")), (Decimal(3), Decimal("0.05"))): 109,
    ((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.1"))): 110,
}
_MULTIPLIED = frozenset({SecType.OPTION, SecType.FUTURE, SecType.CONTINUOUS_FUTURE})
_SEC_TYPES = {
    *SecType, "CFD", "BOND", "BILL", "CMDTY", "FUND", "FOP", "WAR", "IOPT", "FUT+CONTFUT", "FIXED", "SLB", "NEWS", "EC",
}  # fmt: skip
_DEFAULT_COMBO_TICK = Decimal("0.01")
_MOST_RATIO = 10_000
_EXPIRY = re.compile(r"\d{6}(\d{2})?")


@dataclass(frozen=True, slots=True)
class Tradable:
    """What an order, a quote line or a chart is about: one contract, or a combination of several.

    `wire` holds the contract's fields as messages write them; for a combination also `comboLegs`.
    """

    wire: Mapping[str, Any]
    legs: tuple[OrderLeg, ...]
    details: tuple[ContractDetails, ...]
    price_rule: PriceRule

    @property
    def is_combination(self) -> bool:
        """True for secType BAG."""
        return bool(self.wire["secType"] == SecType.BAG)

    @property
    def con_ids(self) -> tuple[int, ...]:
        """Contract ids of the legs, in order."""
        return tuple(leg.con_id for leg in self.legs)


def wire_fields(details: ContractDetails, exchange: str | None = None) -> dict[str, Any]:
    """A contract's fields as every outgoing message names them."""
    contract = details.contract
    return {
        "conId": contract.con_id,
        "symbol": contract.symbol,
        "secType": contract.sec_type.value,
        "lastTradeDateOrContractMonth": details.last_trade_date,
        "strike": contract.strike or 0,
        "right": contract.right.value if contract.right else "",
        "multiplier": str(contract.multiplier) if contract.sec_type in _MULTIPLIED else "",
        "exchange": contract.exchange if exchange is None else exchange,
        "primaryExchange": details.primary_exchange,
        "currency": contract.currency,
        "localSymbol": details.local_symbol,
        "tradingClass": contract.trading_class,
    }


def query_from(values: Mapping[str, Any]) -> ContractQuery:
    """The query in a request's contract fields.

    Raises:
        RequestError: 321 for a security type, an expiry or a right that is none.
    """
    sec_type = str(values["secType"]).upper()
    if sec_type not in _SEC_TYPES and (sec_type or not (values["conId"] or values.get("secId"))):
        raise invalid("Please enter a valid security type")
    expiry = str(values["lastTradeDateOrContractMonth"]).split(" ")[0].replace("-", "")
    if expiry and not _EXPIRY.fullmatch(expiry):
        raise invalid(f"Invalid expiry '{expiry[:20]}': use yyyymmdd or yyyymm")
    right = str(values["right"]).upper()
    if right not in {"", "?", "0", "C", "P", "CALL", "PUT"}:
        raise invalid(f"Invalid right '{right[:20]}'")
    return ContractQuery(
        con_id=values["conId"],
        symbol=str(values["symbol"]).upper(),
        sec_type=sec_type,
        expiry=expiry,
        strike=float(values["strike"]),
        right=right[0] if right[:1] in {"C", "P"} else "",
        exchange=values["exchange"],
        currency=values["currency"],
        trading_class=values["tradingClass"],
        local_symbol=values["localSymbol"],
        multiplier=str(values["multiplier"]).removesuffix(".0"),
        primary_exchange=values["primaryExchange"],
        sec_id_type=values.get("secIdType", ""),
        sec_id=values.get("secId", ""),
        include_expired=bool(values.get("includeExpired", False)),
    )


class ContractDesk:
    """Finds contracts in the market, with IB's errors where there is none."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._rules: dict[int, PriceRule] = {number: rule for rule, number in _MARKET_RULES.items()}

    def search(self, values: Mapping[str, Any], at: datetime) -> Iterator[ContractDetails]:
        """Everything that fits a request's contract fields; chains of options are made as they are read.

        Raises:
            RequestError: 200 when nothing fits, 321 for a combination.
        """
        if str(values["secType"]).upper() == SecType.BAG:
            raise invalid("Contract details of a combination cannot be requested")
        found = self._found(query_from(values), at)
        first = next(found, None)
        if first is None:
            raise no_contract()
        return chain([first], found)

    def _found(self, query: ContractQuery, at: datetime) -> Iterator[ContractDetails]:
        for part in self._parts(query, at):
            for details in self._market.details(part, at):
                self.rule_id(details)
                yield details

    def _parts(self, query: ContractQuery, at: datetime) -> Iterator[ContractQuery]:
        """A query for whole chains as one for each class and expiry, in the order in which the market lists them."""
        whole = query.sec_type.upper() != SecType.OPTION or query.con_id or query.local_symbol or query.strike
        rows = [] if whole else self._market.details(ContractQuery(symbol=query.symbol), at)
        chains = [found for row in rows for found in self._market.chains(row.contract.con_id, at)]
        if not chains:
            yield query
        for listed in chains:
            if listed.exchange == "SMART" and query.trading_class.upper() in {"", listed.trading_class}:
                for expiry in listed.expirations:
                    if expiry.startswith(query.expiry.replace("-", "")[:8]):
                        yield replace(query, trading_class=listed.trading_class, expiry=expiry)

    def known(self, con_id: int) -> ContractDetails:
        """The contract behind an id that the gateway's own books hold.

        Raises:
            ConfigurationError: the market does not know it any more.
        """
        details = self._market.contract(con_id)
        if details is None:
            raise ConfigurationError(world_broken(f"contract {con_id}", self._market.start))
        return details

    def exists(self, con_id: int) -> bool:
        """Whether the market knows a contract id."""
        return self._market.contract(con_id) is not None

    def contract(self, con_id: int) -> Contract:
        """The plain contract behind an id of the books."""
        return self.known(con_id).contract

    def tradable(self, values: Mapping[str, Any], at: datetime) -> Tradable:
        """The one contract or combination that a request names.

        Raises:
            RequestError: 200 when there is none or more than one, 321 for legs that make no combination.
        """
        if str(values["secType"]).upper() == SecType.BAG:
            return self._combination(values)
        found = list(self.search(values, at))
        if len(found) > 1:
            found = [item for item in found if item.contract.exchange == values["exchange"]] or found
        if len({item.contract.con_id for item in found}) > 1:
            raise RequestError(200, "The contract description specified for is ambiguous: several contracts fit")
        details = found[0]
        leg = OrderLeg(details.contract.con_id, 1, Action.BUY)
        exchange = values["exchange"] or details.contract.exchange
        return Tradable(wire_fields(details, exchange), (leg,), (details,), details.price_rule)

    def _combination(self, values: Mapping[str, Any]) -> Tradable:
        wire_legs = values.get("comboLegs") or []
        if not wire_legs:
            raise invalid("A combination needs legs")
        legs = []
        details = []
        for wire_leg in wire_legs:
            if not 1 <= wire_leg["ratio"] <= _MOST_RATIO or wire_leg["action"] not in {"BUY", "SELL"}:
                raise invalid(f"Leg {wire_leg['conId']}: a ratio from 1 to {_MOST_RATIO} and BUY or SELL are needed")
            found = self._market.contract(wire_leg["conId"])
            if found is None:
                raise no_contract()
            legs.append(OrderLeg(wire_leg["conId"], wire_leg["ratio"], Action(wire_leg["action"])))
            details.append(found)
        if len({leg.con_id for leg in legs}) < len(legs):
            raise invalid("A combination may name each contract once")
        largest = max(item.contract.multiplier for item in details)
        shares = (Decimal(item.contract.multiplier) / largest for item in details)
        legs = [replace(leg, share=share) for leg, share in zip(legs, shares, strict=True)]
        symbol = values["symbol"] or details[0].contract.symbol
        underlying = UNDERLYINGS.get(details[0].contract.symbol)
        tick = underlying.combo_tick if underlying else _DEFAULT_COMBO_TICK
        wire = {
            "conId": BAG_CON_ID,
            "symbol": symbol,
            "secType": SecType.BAG.value,
            "strike": 0,
            "right": "?",
            "exchange": values["exchange"] or "SMART",
            "currency": values["currency"] or "USD",
            "localSymbol": symbol,
            "tradingClass": "COMB",
            "comboLegs": wire_legs,
            "comboLegsDescrip": ",".join(f"{leg.con_id}|{leg.signed_ratio}" for leg in legs),
        }
        return Tradable(wire, tuple(legs), tuple(details), ((Decimal(0), tick),))

    def rule_id(self, details: ContractDetails) -> int:
        """The market rule number of a contract; the same rule has the same number in every world."""
        number = _MARKET_RULES.get(details.price_rule)
        if number is None:
            number = 1000 + zlib.crc32(repr(details.price_rule).encode()) % 9000
            self._rules[number] = details.price_rule
        return number

    def market_rule(self, number: int) -> PriceRule | None:
        """The price increments behind a market rule number."""
        return self._rules.get(number)
