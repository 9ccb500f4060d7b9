"""Display groups of TWS windows, and the identity checks of linked programs (requests 65 to 70, 72 and 73).

A gateway has no windows, but IB's has groups all the same: programs use them to hand each other a contract. What a
group shows is `none`, `<conId>@<exchange>` or `combo` (IB's public API documentation, "Display Groups").
"""

from __future__ import annotations

import re
from typing import Any

from htbot.paper.errors import DUPLICATE_TICKER, RequestError, invalid
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages
from htbot.paper.wire.tables import Table

_GROUPS = range(1, 8)
_NOTHING = "none"
_SHOWN = re.compile(r"none|combo|\d{1,10}@[A-Z0-9.]{1,20}")


def query(context: Context, values: dict[str, Any]) -> None:
    """The groups there are."""
    listed = "|".join(map(str, _GROUPS))
    context.session.send(messages.DISPLAY_GROUP_LIST, {"reqId": values["reqId"], "groups": listed})


def subscribe(context: Context, values: dict[str, Any]) -> None:
    """Tell what a group shows, now and at each change."""
    group, req_id = values["groupId"], values["reqId"]
    if group not in _GROUPS:
        raise invalid(f"There is no display group {group}, only {_GROUPS[0]} to {_GROUPS[-1]}")
    if req_id in context.session.display_groups:
        raise RequestError(DUPLICATE_TICKER, f"Error processing request.-'bM' : cause - Duplicate ticker id {req_id}")
    context.session.display_groups[req_id] = group
    shown = context.gateway.display_groups.get(group, _NOTHING)
    context.session.send(messages.DISPLAY_GROUP_UPDATED, {"reqId": req_id, "contractInfo": shown})


def update(context: Context, values: dict[str, Any]) -> None:
    """Let a group show something else; every subscriber of it is told, this one too."""
    group = context.session.display_groups.get(values["reqId"])
    if group is None:
        raise invalid(f"Request {values['reqId']} is not subscribed to a display group")
    shown = values["contractInfo"].strip()
    if not _SHOWN.fullmatch(shown):
        raise invalid(f"{shown[:40]!r} is not what a display group can show: none, combo or conId@exchange")
    context.gateway.display_groups[group] = shown
    for session in context.gateway.sessions.values():
        for req_id, wanted in session.display_groups.items():
            if wanted == group:
                session.send(messages.DISPLAY_GROUP_UPDATED, {"reqId": req_id, "contractInfo": shown})


def unsubscribe(context: Context, values: dict[str, Any]) -> None:
    """No more of that; an unknown id is not worth an answer."""
    context.session.display_groups.pop(values["reqId"], None)


def _unverified(table: Table) -> Handler:
    """Linked programs must be registered with IB; none is here, so each is told that it failed."""

    def refuse(context: Context, _values: dict[str, Any]) -> None:
        context.session.send(table, {"isSuccessful": False, "errorText": "The program is not registered for linking"})

    return refuse


HANDLERS: dict[str, Handler] = {
    "queryDisplayGroups": query,
    "subscribeToGroupEvents": subscribe,
    "updateDisplayGroup": update,
    "unsubscribeFromGroupEvents": unsubscribe,
    "verifyRequest": _unverified(messages.VERIFY_COMPLETED),
    "verifyMessage": _unverified(messages.VERIFY_COMPLETED),
    "verifyAndAuthRequest": _unverified(messages.VERIFY_AND_AUTH_COMPLETED),
    "verifyAndAuthMessage": _unverified(messages.VERIFY_AND_AUTH_COMPLETED),
}
