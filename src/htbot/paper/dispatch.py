"""One request of one client: read, handled, answered with data or with an error."""

from __future__ import annotations

from typing import Any

from htbot.paper.errors import UNREADABLE, RequestError, invalid
from htbot.paper.gateway import Gateway, Pace
from htbot.paper.handlers import HANDLERS
from htbot.paper.handlers.ports import Context
from htbot.paper.limits import READ_ONLY_REFUSES
from htbot.paper.session import Session
from htbot.paper.wire import requests
from htbot.paper.wire.tables import decode
from htbot.paper.wire.values import WireError

_START_API = 71


def dispatch(gateway: Gateway, pace: Pace, session: Session, texts: list[str], *, again: bool = False) -> None:
    """Handle a request, given as its fields with the message id first.

    `again`: a fault held it back until now, so no other may take it.

    Raises:
        WireError: a request before startApi; the socket closes.
    """
    number = texts[0] if texts else ""
    table = requests.BY_ID.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 5 else None
    if table is None:
        session.error(-1, UNREADABLE, f"Error reading request. Unknown message id {number[:20]!r}")
        return
    if not session.started and table.message_id != _START_API:
        raise WireError(f"{table.name} before startApi")
    body = texts[1:]
    values: dict[str, Any] = {}
    try:
        decode(table, body, session.version, values)
        if gateway.config.clients.read_only and table.name in READ_ONLY_REFUSES:
            raise invalid("The API interface is currently in Read-Only mode.")
        if gateway.faults.in_force and not again and gateway.faults.takes(session, table.name, values, texts):
            return
        HANDLERS[table.name](Context(gateway, pace, session, tuple(body)), values)
    except WireError as error:
        session.error(_request_id(values), UNREADABLE, f"Error reading request. {error}")
    except RequestError as error:
        session.error(_request_id(values), error.code, error.text)


def _request_id(values: dict[str, Any]) -> int:
    """The id that an error about a request carries."""
    number = values.get("reqId", values.get("orderId", -1))
    return int(number)
