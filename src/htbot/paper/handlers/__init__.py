"""What the gateway does with each request: one function a request, named as in `wire/requests.py`."""

from __future__ import annotations

from htbot.paper.handlers import (
    account,
    advisor,
    connection,
    contracts,
    data,
    display,
    history,
    orders,
    streams,
    unsupported,
)
from htbot.paper.handlers.ports import Handler

HANDLERS: dict[str, Handler] = {
    **unsupported.HANDLERS,
    **history.HANDLERS,
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
