"""An adviser's groups, profiles and aliases; family codes."""

from __future__ import annotations

from typing import Any

from htbot.paper.accounts.advisor import FaData
from htbot.paper.errors import invalid
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.wire import messages

_PROFILES_GONE = 177


def request_fa(context: Context, values: dict[str, Any]) -> None:
    """One of the tables as XML."""
    what = _table(context, values["type"])
    document = context.gateway.advisor.document(what)
    context.session.send(messages.RECEIVE_FA, {"type": what.value, "xml": document})


def replace_fa(context: Context, values: dict[str, Any]) -> None:
    """Take a table from XML, then say that it is in force."""
    what = _table(context, values["type"])
    context.gateway.advisor.replace(what, values["xml"])
    text = f"{what.name.lower()} replaced"
    context.session.send(messages.REPLACE_FA_END, {"reqId": values["reqId"], "text": text})


def family_codes(context: Context, _values: dict[str, Any]) -> None:
    """An adviser's accounts share a code; any other login has one empty row for all of its accounts."""
    advisor = context.gateway.advisor
    rows = [{"account": "*", "code": ""}]
    if advisor.master is not None:
        rows = [{"account": account, "code": f"{advisor.master}A"} for account in context.gateway.accounts]
    context.session.send(messages.FAMILY_CODES, {"codes": rows})


def _table(context: Context, number: int) -> FaData:
    """The table that is asked for; profiles went into the groups with protocol version 177."""
    if not context.gateway.advisor.is_advisor:
        raise invalid("FA data operations ignored for non FA customers")
    gone = {FaData.PROFILES} if context.session.version >= _PROFILES_GONE else set()
    found = next((what for what in FaData if what == number and what not in gone), None)
    if found is None:
        raise invalid("Non-existent FA data operation request")
    return found


HANDLERS: dict[str, Handler] = {
    "requestFA": request_fa,
    "replaceFA": replace_fa,
    "reqFamilyCodes": family_codes,
}
