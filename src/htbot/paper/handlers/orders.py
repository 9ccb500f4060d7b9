"""Orders, open and completed orders, executions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from htbot.paper.accounts.advisor import Allocation, Funds
from htbot.paper.accounts.trading_day import Instruction
from htbot.paper.book.book import Submission
from htbot.paper.book.orders import Execution, PaperOrder
from htbot.paper.errors import RequestError, invalid
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.reports import (
    send_commission,
    send_completed,
    send_execution,
    send_open_order,
    send_order_status,
    send_what_if,
)
from htbot.paper.wire import messages
from htbot.paper.wire.times import parse_stamp
from htbot.paper.wire.values import MAYBE_DECIMAL, read

_SIDES = {"BUY": "BUY", "BOT": "BUY", "SELL": "SELL", "SLD": "SELL"}


def place_order(context: Context, values: dict[str, Any]) -> None:
    """Place or modify an order, or answer a what-if."""
    gateway, session = context.gateway, context.session
    if not values["exchange"]:
        raise invalid("Missing order exchange")
    group = values["faGroup"] or values.get("faProfile")
    shares = _shares(context, values, group) if group else {}
    account = _owner(context, shares) if shares else _account(context, values["account"])
    submission = Submission(session.client_id, session.version, context.frame, values, account, shares)
    if values["whatIf"]:
        order, answer = gateway.book.what_if(submission, gateway.now)
        send_what_if(session, order, answer)
        return
    context.pace.order_arrived()
    gateway.book.place(submission, gateway.now)


def _account(context: Context, name: str) -> str:
    """The account that trades; an adviser's master has no positions of its own."""
    gateway = context.gateway
    if gateway.advisor.is_advisor and name in {"", gateway.advisor.master}:
        raise RequestError(436, "You must specify an allocation (either a single account, group, or profile).")
    if not name:
        if len(gateway.accounts) > 1:
            raise RequestError(435, "You must specify an account.")
        return gateway.accounts[0]
    if name not in gateway.accounts:
        raise invalid(f"Invalid account code '{name[:20]}'")
    return name


def _shares(context: Context, values: dict[str, Any], group: str) -> dict[str, Decimal]:
    """The units of each account of an adviser's group, or of a profile of clients before protocol version 177."""
    gateway = context.gateway
    if not gateway.advisor.is_advisor:
        raise invalid("Only an adviser's login has groups: give account instead of faGroup")
    tradable = gateway.contracts.tradable(values, gateway.now)
    con_id = tradable.con_ids[0]

    def funds_of(account: str) -> Funds:
        worth = gateway.valuer.value(account)
        position = gateway.ledger.positions.get((account, con_id))
        held = Decimal(0) if position is None else position.quantity
        return Funds(worth.net_liquidation, worth.available_funds, held)

    percentage = read("faPercentage", MAYBE_DECIMAL, values["faPercentage"])
    lot = Decimal(1) if tradable.is_combination else tradable.details[0].size_increment
    asked = Allocation(group, values["faMethod"], percentage, lot)
    shares = gateway.advisor.allocate(asked, values["totalQuantity"], funds_of)
    if not shares:
        raise RequestError(426, "None of the accounts have enough shares.")
    return shares


def _owner(context: Context, shares: dict[str, Decimal]) -> str:
    """The account that a shared order stands in: the master, or the only one that gets something."""
    return next(iter(shares)) if len(shares) == 1 else context.gateway.advisor.master or ""


def cancel_order(context: Context, values: dict[str, Any]) -> None:
    """Cancel an order of this client."""
    context.pace.order_arrived()
    context.gateway.book.cancel(context.session.client_id, values["orderId"], context.gateway.now)


def global_cancel(context: Context, _values: dict[str, Any]) -> None:
    """Cancel everything of everybody."""
    context.pace.order_arrived()
    context.gateway.book.cancel_all(context.gateway.now)


def open_orders(context: Context, _values: dict[str, Any]) -> None:
    """This client's working orders."""
    own = [order for order in context.gateway.book.working if order.client_id == context.session.client_id]
    _send_open(context, own)


def all_open_orders(context: Context, _values: dict[str, Any]) -> None:
    """The working orders of all clients."""
    _send_open(context, context.gateway.book.working)


def _send_open(context: Context, orders: list[PaperOrder]) -> None:
    for order in orders:
        send_open_order(context.session, order)
        send_order_status(context.session, order)
    context.session.send(messages.OPEN_ORDER_END, {})


def auto_open_orders(context: Context, _values: dict[str, Any]) -> None:
    """Bind orders that are made by hand: there are none here, and only client 0 may ask."""
    if context.session.client_id != 0:
        raise RequestError(327, "Only the default client (i.e 0) can auto bind orders.")


def completed_orders(context: Context, _values: dict[str, Any]) -> None:
    """Orders of all clients that ended since midnight."""
    midnight = context.gateway.midnight()
    for order in context.gateway.book.completed():
        if order.completed_at is not None and order.completed_at >= midnight:
            send_completed(context.session, order)
    context.session.send(messages.COMPLETED_ORDERS_END, {})


def executions(context: Context, values: dict[str, Any]) -> None:
    """Executions since midnight that pass the filter, each with its commission, then the end."""
    gateway, session = context.gateway, context.session
    since = max(gateway.midnight(), parse_stamp(values["time"]) or gateway.midnight())
    for execution in gateway.book.executions:
        if execution.at >= since and _passes(execution, values):
            send_execution(session, values["reqId"], execution)
            send_commission(session, execution)
    session.send(messages.EXECUTION_END, {"reqId": values["reqId"]})


def _passes(execution: Execution, values: dict[str, Any]) -> bool:
    wanted = (
        (values["clientId"], execution.client_id),
        (values["account"], execution.account),
        (values["symbol"].upper(), execution.contract["symbol"]),
        (values["secType"].upper(), execution.contract["secType"]),
        (values["exchange"].upper(), execution.contract["exchange"]),
        (_SIDES.get(values["side"].upper(), values["side"]), execution.side.value),
    )
    return all(not asked or asked == actual for asked, actual in wanted)


def exercise_options(context: Context, values: dict[str, Any]) -> None:
    """Exercise a long option or let it lapse."""
    gateway = context.gateway
    contract = {**values, "primaryExchange": ""}  # this request alone has no such field
    con_id = gateway.contracts.tradable(contract, gateway.now).con_ids[0]
    account = _account(context, values["account"])
    instruction = Instruction(
        account, con_id, values["exerciseAction"], values["exerciseQuantity"], bool(values["override"])
    )
    gateway.day.exercise(instruction, gateway.now)


HANDLERS: dict[str, Handler] = {
    "placeOrder": place_order,
    "exerciseOptions": exercise_options,
    "cancelOrder": cancel_order,
    "reqGlobalCancel": global_cancel,
    "reqOpenOrders": open_orders,
    "reqAllOpenOrders": all_open_orders,
    "reqAutoOpenOrders": auto_open_orders,
    "reqCompletedOrders": completed_orders,
    "reqExecutions": executions,
}
