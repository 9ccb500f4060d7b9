"""Positions, account values, summaries, profit."""

from __future__ import annotations

from typing import Any

from htbot.paper.errors import DUPLICATE_TICKER, RequestError, invalid
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.session import PnlLine, Summary, Updates
from htbot.paper.wire import messages

_MAX_SUMMARIES = 2
_LEDGER_TAGS = (
    "Currency", "CashBalance", "TotalCashBalance", "StockMarketValue", "OptionMarketValue", "NetLiquidationByCurrency",
    "UnrealizedPnL", "RealizedPnL",
)  # fmt: skip


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
    """Open positions of one account (or all), then each change."""
    gateway, session = context.gateway, context.session
    accounts = _accounts(context, values["account"])
    session.position_multis[values["reqId"]] = accounts
    for account in accounts:
        for position in gateway.ledger.held(account):
            row = {**gateway.account_feed.position_values(position), "reqId": values["reqId"]}
            session.send(messages.POSITION_MULTI, row)
    session.send(messages.POSITION_MULTI_END, {"reqId": values["reqId"]})


def account_updates(context: Context, values: dict[str, Any]) -> None:
    """Values and portfolio of one account, then what changes; a new subscription replaces the old one."""
    gateway, session = context.gateway, context.session
    if not values["subscribe"]:
        session.updates = None
        return
    account = _accounts(context, values["account"])[0]
    session.updates = Updates(account)
    gateway.account_feed.send_updates(session, session.updates)
    session.send(messages.ACCOUNT_DOWNLOAD_END, {"account": account})


def account_updates_multi(context: Context, values: dict[str, Any]) -> None:
    """Values of one account under a request id."""
    session = context.session
    request_id = values["reqId"]
    updates = Updates(_accounts(context, values["account"])[0])
    session.update_multis[request_id] = updates
    context.gateway.account_feed.send_update_multi(session, request_id, updates)
    session.send(messages.ACCOUNT_UPDATE_MULTI_END, {"reqId": request_id})


def account_summary(context: Context, values: dict[str, Any]) -> None:
    """Chosen values of all accounts; at most two subscriptions (error 322)."""
    session = context.session
    request_id = values["reqId"]
    if request_id in session.summaries:
        raise RequestError(DUPLICATE_TICKER, "Error processing request.-'bY' : cause - Duplicate ticker id")
    if len(session.summaries) >= _MAX_SUMMARIES:
        text = "Error processing request.-'bY' : cause - Maximum number of account summary requests exceeded"
        raise RequestError(DUPLICATE_TICKER, text)
    names = [tag.strip() for tag in values["tags"].split(",") if tag.strip()]
    tags: list[str] = []
    for name in names:
        tags += _LEDGER_TAGS if name.startswith("$LEDGER") else (name,)
    summary = Summary(tuple(context.gateway.accounts), tuple(dict.fromkeys(tags)))
    session.summaries[request_id] = summary
    context.gateway.account_feed.send_summary(session, request_id, summary)
    session.send(messages.ACCOUNT_SUMMARY_END, {"reqId": request_id})


def pnl(context: Context, values: dict[str, Any]) -> None:
    """Daily, unrealised and realised profit of an account."""
    line = PnlLine(_accounts(context, values["account"])[0])
    _begin_pnl(context, values["reqId"], line)


def pnl_single(context: Context, values: dict[str, Any]) -> None:
    """The profit of one position."""
    line = PnlLine(_accounts(context, values["account"])[0], values["conId"])
    _begin_pnl(context, values["reqId"], line)


def _begin_pnl(context: Context, request_id: int, line: PnlLine) -> None:
    session = context.session
    if request_id in session.pnl:
        raise RequestError(DUPLICATE_TICKER, "Error processing request.-'bY' : cause - Duplicate ticker id")
    session.pnl[request_id] = line
    context.gateway.account_feed.send_pnl(session, request_id, line)


def _accounts(context: Context, name: str) -> tuple[str, ...]:
    accounts = context.gateway.accounts
    if name in {"", "All"}:
        return tuple(accounts)
    if name not in accounts:
        raise invalid(f"Invalid account code '{name[:20]}'")
    return (name,)


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
    "cancelPnL": _canceller("pnl"),
    "reqPnLSingle": pnl_single,
    "cancelPnLSingle": _canceller("pnl"),
}
