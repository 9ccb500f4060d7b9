"""News, fundamentals and corporate events: the login has no subscription to any, as IB says it."""

from __future__ import annotations

from typing import Any

from htbot.paper.errors import RequestError
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages

_NO_NEWS, _NO_FUNDAMENTALS = 10276, 10358
# The providers that IB lists for every login without a news subscription of its own.
_PROVIDERS = (
    ("BRFG", "Briefing.com General Market Columns"),
    ("BRFUPDN", "Briefing.com Analyst Actions"),
    ("DJNL", "Dow Jones Newsletters"),
)


def providers(context: Context, _values: dict[str, Any]) -> None:
    """The list of providers."""
    rows = [{"code": code, "name": name} for code, name in _PROVIDERS]
    context.session.send(messages.NEWS_PROVIDERS, {"providers": rows})


def _not_allowed(_context: Context, _values: dict[str, Any]) -> None:
    raise RequestError(_NO_NEWS, "News feed is not allowed.")


def fundamentals(context: Context, values: dict[str, Any]) -> None:
    """200 for an unknown contract, else the missing subscription."""
    asked = {
        **values,
        "lastTradeDateOrContractMonth": "",
        "strike": 0,
        "right": "",
        "multiplier": "",
        "tradingClass": "",
    }
    context.gateway.contracts.search(asked, context.gateway.now)
    raise RequestError(_NO_FUNDAMENTALS, "Fundamentals data is not allowed.")


def _silent(_context: Context, _values: dict[str, Any]) -> None:
    """Bulletins, of which there are none, and cancels of what was refused: IB does not answer these."""


HANDLERS: dict[str, Handler] = {
    "reqNewsProviders": providers,
    "reqNewsArticle": _not_allowed,
    "reqHistoricalNews": _not_allowed,
    "reqWshMetaData": _not_allowed,
    "reqWshEventData": _not_allowed,
    "reqFundamentalData": fundamentals,
    **dict.fromkeys(
        ("reqNewsBulletins", "cancelNewsBulletins", "cancelFundamentalData", "cancelWshMetaData", "cancelWshEventData"),
        _silent,
    ),
}
