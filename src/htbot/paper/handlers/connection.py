"""startApi, time, ids, accounts."""

from __future__ import annotations

from typing import Any

from htbot.paper.errors import CLIENT_ID_IN_USE, INVALID_LOG_LEVEL, RequestError
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.limits import MAX_CLIENTS
from htbot.paper.wire import messages
from htbot.telemetry.logs import get_logger

_STEPPED = "stepped"
_LOG_LEVELS = range(1, 6)
_log = get_logger("htbot.paper.server")


def start_api(context: Context, values: dict[str, Any]) -> None:
    """Take the session in, or refuse a client id that is in use (error 326) and close that socket."""
    gateway, session = context.gateway, context.session
    client_id = values["clientId"]
    if session.started:
        return
    if client_id in gateway.sessions or client_id in gateway.held_ids:
        text = "Unable to connect as the client id is already in use. Retry with a unique client id."
    elif len(gateway.sessions) >= MAX_CLIENTS:
        text = f"Unable to connect as {MAX_CLIENTS} clients are connected. Disconnect one of them and retry."
    else:
        _join(context, client_id, values)
        return
    session.error(-1, CLIENT_ID_IN_USE, text)
    session.close()


def _join(context: Context, client_id: int, values: dict[str, Any]) -> None:
    gateway, session = context.gateway, context.session
    session.client_id = client_id
    session.started = True
    session.stepped = _STEPPED in values["optionalCapabilities"].replace(";", " ").replace(",", " ").split()
    gateway.sessions[client_id] = session
    _log.info("client joined", client_id=client_id, version=session.version, stepped=session.stepped)
    managed_accounts(context, values)
    next_valid_id(context, values)
    gateway.faults.joined(client_id)
    for code, text in gateway.faults.link.notes():
        session.error(-1, code, text)
    context.pace.joined(session)


def managed_accounts(context: Context, _values: dict[str, Any]) -> None:
    """The accounts as a comma list."""
    context.session.send(messages.MANAGED_ACCOUNTS, {"accounts": ",".join(context.gateway.accounts)})


def next_valid_id(context: Context, _values: dict[str, Any]) -> None:
    """A number above every order id that this client ever used."""
    gateway, client_id = context.gateway, context.session.client_id
    order_id = gateway.faults.announced(client_id, gateway.book.next_order_id(client_id))
    context.session.send(messages.NEXT_VALID_ID, {"orderId": order_id})


def current_time(context: Context, _values: dict[str, Any]) -> None:
    """The market time; for a stepped client this answers the last marker."""
    context.pace.asked_time(context.session)


def user_info(context: Context, values: dict[str, Any]) -> None:
    """No white branding."""
    context.session.send(messages.USER_INFO, {"reqId": values["reqId"], "whiteBrandingId": ""})


def log_level(_context: Context, values: dict[str, Any]) -> None:
    """How much IB's own log file says; there is none, so a level that IB knows changes nothing."""
    if values["level"] not in _LOG_LEVELS:
        raise RequestError(INVALID_LOG_LEVEL, f"Invalid log level {values['level']}: use 1 to 5")


HANDLERS: dict[str, Handler] = {
    "startApi": start_api,
    "reqManagedAccts": managed_accounts,
    "reqIds": next_valid_id,
    "reqCurrentTime": current_time,
    "reqUserInfo": user_info,
    "setServerLogLevel": log_level,
}
