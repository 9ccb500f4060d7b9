"""Option calculations on request: tick type 53 answers once."""

from __future__ import annotations

from typing import Any

from htbot.paper.errors import invalid
from htbot.paper.feeds.calculations import Terms
from htbot.paper.feeds.lines import CUSTOM_OPTION, option_values
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages


def _terms(context: Context, values: dict[str, Any]) -> Terms:
    gateway = context.gateway
    tradable = gateway.contracts.tradable(values, gateway.now)
    contract = tradable.details[0].contract
    terms = None
    if not tradable.is_combination:
        terms = Terms.of(contract, gateway.now, gateway.prices.greeks(contract.con_id))
    if terms is None:
        raise invalid(f"{tradable.wire['symbol']} {tradable.wire['secType']} is no option that can be calculated")
    return terms


def implied_volatility(context: Context, values: dict[str, Any]) -> None:
    """The volatility that gives a price at a price of the underlying."""
    greeks = _terms(context, values).at_price(values["optionPrice"], values["underPrice"])
    answer = {"reqId": values["reqId"], **option_values(CUSTOM_OPTION, greeks)}
    context.session.send(messages.TICK_OPTION, answer)


def option_price(context: Context, values: dict[str, Any]) -> None:
    """The price at a volatility and a price of the underlying."""
    greeks = _terms(context, values).at_volatility(values["volatility"], values["underPrice"])
    answer = {"reqId": values["reqId"], **option_values(CUSTOM_OPTION, greeks)}
    context.session.send(messages.TICK_OPTION, answer)


def _answered(_context: Context, _values: dict[str, Any]) -> None:
    """A cancel of what was answered at once."""


HANDLERS: dict[str, Handler] = {
    "reqCalcImpliedVolatility": implied_volatility,
    "reqCalcOptionPrice": option_price,
    "cancelCalcImpliedVolatility": _answered,
    "cancelCalcOptionPrice": _answered,
}
