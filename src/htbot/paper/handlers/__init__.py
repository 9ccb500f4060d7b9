"""What the gateway does with each request: one function a request, named as in `wire/requests.py`."""

from __future__ import annotations

from htbot.paper.handlers import (
    account,
    advisor,
    calculations,
    connection,
    contracts,
    data,
    display,
    history,
    news,
    orders,
    scanner,
    streams,
    unsupported,
)
from htbot.paper.handlers.ports import Handler

HANDLERS: dict[str, Handler] = {
    **unsupported.HANDLERS,
    **calculations.HANDLERS,
    **history.HANDLERS,
    **news.HANDLERS,
    **scanner.HANDLERS,
    **streams.HANDLERS,
    **connection.HANDLERS,
    **display.HANDLERS,
    **contracts.HANDLERS,
    **data.HANDLERS,
    **orders.HANDLERS,
    **account.HANDLERS,
    **advisor.HANDLERS,
}

__all__ = ["HANDLERS", "Handler"]
