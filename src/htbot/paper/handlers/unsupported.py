"""Requests for what this gateway does not have: an empty list, or the code that IB gives without a permission."""

from __future__ import annotations

from typing import Any

from htbot.paper.errors import NOT_SUBSCRIBED, RequestError
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages
from htbot.paper.wire.tables import Table

_SUBSCRIPTION = "Requested market data requires additional subscription for API."


def _refusal(code: int, text: str) -> Handler:
    def refuse(_context: Context, _values: dict[str, Any]) -> None:
        raise RequestError(code, text)

    return refuse


def _empty(table: Table) -> Handler:
    def answer(context: Context, values: dict[str, Any]) -> None:
        context.session.send(table, {"reqId": values.get("reqId", "")})

    return answer


def _silent(_context: Context, _values: dict[str, Any]) -> None:
    """Cancels of what was refused, and news of which there are none."""


HANDLERS: dict[str, Handler] = {
    "reqFundamentalData": _refusal(430, "Fundamentals data for the security specified is not available."),
    "reqScannerSubscription": _refusal(NOT_SUBSCRIBED, _SUBSCRIPTION),
    "reqScannerParameters": _refusal(NOT_SUBSCRIBED, _SUBSCRIPTION),
    "reqCalcImpliedVolatility": _refusal(NOT_SUBSCRIBED, _SUBSCRIPTION),
    "reqCalcOptionPrice": _refusal(NOT_SUBSCRIBED, _SUBSCRIPTION),
    "reqNewsArticle": _refusal(10276, "News feed is not allowed."),
    "reqHistoricalNews": _refusal(10276, "News feed is not allowed."),
    "reqWshMetaData": _refusal(10276, "News feed is not allowed."),
    "reqWshEventData": _refusal(10276, "News feed is not allowed."),
    "reqSoftDollarTiers": _empty(messages.SOFT_DOLLAR_TIERS),
    "reqMktDepthExchanges": _empty(messages.DEPTH_EXCHANGES),
    "reqSmartComponents": _empty(messages.SMART_COMPONENTS),
    "reqNewsProviders": _empty(messages.NEWS_PROVIDERS),
    **dict.fromkeys(
        (
            "reqNewsBulletins", "cancelNewsBulletins", "cancelScannerSubscription",
            "cancelFundamentalData", "cancelCalcImpliedVolatility", "cancelCalcOptionPrice",
            "cancelWshMetaData", "cancelWshEventData",
        ),
        _silent,
    ),
}  # fmt: skip
