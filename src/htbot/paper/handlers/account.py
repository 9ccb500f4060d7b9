"""Positions, account values, summaries, profit."""

from __future__ import annotations

from typing import Any

from htbot.paper.accounts.advisor import ALL_ACCOUNTS
from htbot.paper.accounts.feed import summary_currencies
from htbot.paper.errors import DUPLICATE_TICKER, RequestError, invalid
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.session import PnlLine, Summary, Updates
from htbot.paper.wire import messages

_MAX_SUMMARIES = 2
_UNSUBSCRIBED, _NO_PNL, _NO_PNL_SINGLE = 2100, 10185, 10186
_LEDGER = "$LEDGER"


def positions(context: Context, _values: dict[str, Any]) -> None:
    """Open positions of every account, then each change."""
    gateway, session = context.gateway, context.session
    session.wants_positions = True
    for account in gateway.accounts:
        for position in gateway.ledger.held(account):
            session.send(messages.POSITION, gateway.account_feed.position_values(position))
    session.send(messages.POSITION_END, {})


def cancel_positions(context: Context, _values: dict[str, Any]) -> None:
    """No more positions."""
    context.session.wants_positions = False


def positions_multi(context: Context, values: dict[str, Any]) -> None:
    """Open positions of one account, a group or all, then each change; the same id again replaces it."""
    gateway, session = context.gateway, context.session
    accounts = _accounts(context, values["account"])
    session.position_multis[values["reqId"]] = accounts
    for account in accounts:
        for position in gateway.ledger.held(account):
            row = {**gateway.account_feed.position_values(position), "reqId": values["reqId"]}
            session.send(messages.POSITION_MULTI, row)
    session.send(messages.POSITION_MULTI_END, {"reqId": values["reqId"]})


def account_updates(context: Context, values: dict[str, Any]) -> None:
    """Values and portfolio of one account, then what changes; a new subscription replaces the old one.

    An end of the subscription is told by note 2100.
    """
    gateway, session = context.gateway, context.session
    if not values["subscribe"]:
        if session.updates is not None:
            session.updates = None
            session.error(-1, _UNSUBSCRIBED, "API client has been unsubscribed from account data.")
        return
    account = _one_account(context, values["account"])
    session.updates = Updates((account,))
    gateway.account_feed.send_updates(session, session.updates)
    session.send(messages.ACCOUNT_DOWNLOAD_END, {"account": account})


def account_updates_multi(context: Context, values: dict[str, Any]) -> None:
    """Values of one account, a group or all under a request id; `ledgerAndNLV` leaves the values by currency alone."""
    session = context.session
    request_id = values["reqId"]
    if request_id in session.update_multis:
        raise _duplicate()
    updates = Updates(_accounts(context, values["account"]), values["ledgerAndNLV"], values["modelCode"])
    session.update_multis[request_id] = updates
    context.gateway.account_feed.send_update_multi(session, request_id, updates)
    session.send(messages.ACCOUNT_UPDATE_MULTI_END, {"reqId": request_id})


def account_summary(context: Context, values: dict[str, Any]) -> None:
    """Chosen values of a group's accounts; at most two subscriptions (error 322), the same id again replaces one."""
    session = context.session
    request_id = values["reqId"]
    names = list(dict.fromkeys(tag.strip() for tag in values["tags"].split(",") if tag.strip()))
    if not names:
        raise invalid("Tags cannot be null")
    if not values["group"]:
        raise invalid("Group name cannot be null")
    accounts = _group(context, values["group"])
    if len(session.summaries.keys() - {request_id}) >= _MAX_SUMMARIES:
        cause = "Maximum number of account summary requests exceeded; desubscribe to previous request first"
        raise RequestError(DUPLICATE_TICKER, f"Error processing request.-'bY' : cause - {cause}")
    ledgers = [tag for tag in names if tag.startswith(_LEDGER)]
    summary = Summary(
        values["group"],
        accounts,
        tuple(tag for tag in names if not tag.startswith(_LEDGER)),
        tuple(currency for tag in ledgers for currency in summary_currencies(tag)),
    )
    session.summaries[request_id] = summary
    context.gateway.account_feed.send_summary(session, request_id, summary)
    session.send(messages.ACCOUNT_SUMMARY_END, {"reqId": request_id})


def pnl(context: Context, values: dict[str, Any]) -> None:
    """Daily, unrealised and realised profit of an account, each second."""
    _begin_pnl(context, values, None)


def pnl_single(context: Context, values: dict[str, Any]) -> None:
    """The profit of one position, each second."""
    _begin_pnl(context, values, values["conId"])


def _begin_pnl(context: Context, values: dict[str, Any], con_id: int | None) -> None:
    session, request_id = context.session, values["reqId"]
    if not values["account"]:
        raise invalid("Account must not be empty")
    line = PnlLine(_accounts(context, values["account"]), con_id)
    if request_id in session.pnl:
        raise _duplicate()
    session.pnl[request_id] = line
    context.gateway.account_feed.send_pnl(session, request_id, line)


def cancel_pnl(context: Context, values: dict[str, Any]) -> None:
    """No more profit of an account; error 10185 when there was none."""
    _end_pnl(context, values["reqId"], _NO_PNL, single=False)


def cancel_pnl_single(context: Context, values: dict[str, Any]) -> None:
    """No more profit of a position; error 10186 when there was none."""
    _end_pnl(context, values["reqId"], _NO_PNL_SINGLE, single=True)


def _end_pnl(context: Context, request_id: int, code: int, *, single: bool) -> None:
    line = context.session.pnl.get(request_id)
    if line is None or (line.con_id is not None) != single:
        kind = "PNL single" if single else "PNL"
        raise RequestError(code, f"Failed to cancel {kind} (not subscribed)")
    del context.session.pnl[request_id]


def _duplicate() -> RequestError:
    return RequestError(DUPLICATE_TICKER, "Error processing request.-'bY' : cause - Duplicate ticker id")


def _one_account(context: Context, name: str) -> str:
    """The account of a request that is about one; empty is the only one of the login."""
    accounts = context.gateway.accounts
    if not name and len(accounts) > 1:
        raise invalid("The account code is required for this operation")
    return _accounts(context, name)[0]


def _accounts(context: Context, name: str) -> tuple[str, ...]:
    """The accounts behind an account's or a group's name; empty and `All` are every one."""
    gateway = context.gateway
    if name in {"", ALL_ACCOUNTS}:
        return tuple(gateway.accounts)
    if name in gateway.accounts:
        return (name,)
    members = gateway.advisor.members(name)
    if members is None:
        raise invalid(f"Invalid account code '{name[:20]}'")
    return members


def _group(context: Context, name: str) -> tuple[str, ...]:
    """The accounts of a summary's group."""
    gateway = context.gateway
    if name in {ALL_ACCOUNTS, "AllNonProp"}:
        return tuple(gateway.accounts)
    members = gateway.advisor.members(name) if gateway.advisor.is_advisor else None
    if members is None:
        raise invalid("Group name is invalid")
    return members


def _canceller(attribute: str) -> Handler:
    def cancel(context: Context, values: dict[str, Any]) -> None:
        getattr(context.session, attribute).pop(values["reqId"], None)

    return cancel


HANDLERS: dict[str, Handler] = {
    "reqPositions": positions,
    "cancelPositions": cancel_positions,
    "reqPositionsMulti": positions_multi,
    "cancelPositionsMulti": _canceller("position_multis"),
    "reqAccountUpdates": account_updates,
    "reqAccountUpdatesMulti": account_updates_multi,
    "cancelAccountUpdatesMulti": _canceller("update_multis"),
    "reqAccountSummary": account_summary,
    "cancelAccountSummary": _canceller("summaries"),
    "reqPnL": pnl,
    "cancelPnL": cancel_pnl,
    "reqPnLSingle": pnl_single,
    "cancelPnLSingle": cancel_pnl_single,
}
