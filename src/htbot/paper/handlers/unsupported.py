"""Requests for what this gateway does not have: an empty list, or the code that IB gives without a permission."""

from __future__ import annotations

from typing import Any

from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages
from htbot.paper.wire.tables import Table


def _empty(table: Table) -> Handler:
    def answer(context: Context, values: dict[str, Any]) -> None:
        context.session.send(table, {"reqId": values.get("reqId", "")})

    return answer


HANDLERS: dict[str, Handler] = {
    "reqSoftDollarTiers": _empty(messages.SOFT_DOLLAR_TIERS),
    "reqMktDepthExchanges": _empty(messages.DEPTH_EXCHANGES),
    "reqSmartComponents": _empty(messages.SMART_COMPONENTS),
}
