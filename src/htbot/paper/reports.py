"""What clients are told about orders, executions and accounts, encoded for each session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from htbot.domain.orders import Action
from htbot.paper.accounts.credit import WhatIf
from htbot.paper.accounts.valuation import money
from htbot.paper.book.orders import Execution, PaperOrder, Status
from htbot.paper.feeds.lines import MODELLED
from htbot.paper.session import Session
from htbot.paper.wire import messages
from htbot.paper.wire.times import stamp
from htbot.paper.wire.values import UNSET_DOUBLE

_MARGINS = (
    "initMarginBefore", "maintMarginBefore", "equityWithLoanBefore", "initMarginChange", "maintMarginChange",
    "equityWithLoanChange", "initMarginAfter", "maintMarginAfter", "equityWithLoanAfter",
)  # fmt: skip
_ADDED, _REMOVED = 1, 2
_NO_MARGINS = dict.fromkeys(_MARGINS, UNSET_DOUBLE)
_SIDES = {Action.BUY: "BOT", Action.SELL: "SLD"}


_TWS_FILLS_IN: dict[str, object] = {
    # what TWS writes into an order that says nothing of it
    "deltaNeutralOrderType": "None",
    "adjustedOrderType": "None",
    "rule80A": "0",
    "clearingIntent": "IB",
    "volatilityType": 0,
    "referencePriceType": 0,
}


def order_values(order: PaperOrder) -> dict[str, Any]:
    """An order as openOrder and completedOrder write it: what the client asked for, with our state over it."""
    ticket, terms = order.ticket, order.ticket.terms
    values = {**order.echo, **order.tradable.wire}
    values.update((name, value) for name, value in _TWS_FILLS_IN.items() if not values.get(name))
    stop = order.progress.trail_stop if order.progress.trail_stop is not None else terms.trail_stop
    limit = order.progress.working_limit if terms.limit is None else terms.limit
    values.update(
        orderId=order.order_id,
        clientId=order.client_id,
        permId=order.perm_id,
        account=order.account,
        action=order.echo["action"].upper(),
        totalQuantity=order.quantity,
        orderType=terms.kind.value,
        lmtPrice=limit if limit is not None else 0,
        auxPrice=terms.aux if terms.aux is not None else 0,
        trailStopPrice=stop,
        tif=ticket.tif,
        ocaGroup=order.oca_group,
        ocaType=ticket.oca_type,
        parentPermId=order.parent_perm_id,
        status=order.status.value,
        usePriceMgmtAlgo=order.echo["usePriceMgmtAlgo"] or 0,
        cashQty=order.echo["cashQty"] or 0,
    )
    return values


def send_open_order(session: Session, order: PaperOrder) -> None:
    """Queue openOrder; once the order has filled it tells the commission so far, as TWS does."""
    charged = {"commission": order.commission, "commissionCurrency": "USD"} if order.filled else {}
    session.send(messages.OPEN_ORDER, {**order_values(order), **_NO_MARGINS, **charged})


def send_order_status(session: Session, order: PaperOrder) -> None:
    """Queue orderStatus."""
    values = {
        "orderId": order.order_id,
        "status": order.status.value,
        "filled": order.filled,
        "remaining": order.remaining,
        "avgFillPrice": order.average_price,
        "permId": order.perm_id,
        "parentId": order.ticket.parent_id,
        "lastFillPrice": order.last_price,
        "clientId": order.client_id,
        "whyHeld": order.why_held,
    }
    session.send(messages.ORDER_STATUS, values)


def send_what_if(session: Session, order: PaperOrder, answer: WhatIf) -> None:
    """Queue the one openOrder that answers a what-if."""
    before, after = answer.before, answer.after
    figures = (
        (before.initial, after.initial),
        (before.requirement.maintenance, after.requirement.maintenance),
        (before.equity_with_loan, after.equity_with_loan),
    )
    olds, news = ([money(amount) for amount in side] for side in zip(*figures, strict=True))
    changes = [money(Decimal(new) - Decimal(old)) for old, new in zip(olds, news, strict=True)]
    texts = (*olds, *changes, *news)  # the change of what is shown: before and change are after, to the cent
    values = {
        **order_values(order),
        **dict(zip(_MARGINS, texts, strict=True)),
        "commission": answer.commission,
        "minCommission": answer.commission,
        "maxCommission": answer.commission,
        "commissionCurrency": "USD",
    }
    session.send(messages.OPEN_ORDER, values)


def send_completed(session: Session, order: PaperOrder) -> None:
    """Queue completedOrder."""
    completed_at = order.completed_at or order.created_at
    if order.status is Status.FILLED:
        status = f"Filled Size: {order.filled}"
    else:
        status = f"{order.status.value}: {order.reason}" if order.reason else "Cancelled by Trader"
    values = {
        **order_values(order),
        "filledQuantity": order.filled,
        "completedTime": stamp(completed_at, session.version),
        "completedStatus": status,
    }
    session.send(messages.COMPLETED_ORDER, values)


def send_execution(session: Session, request_id: int, execution: Execution) -> None:
    """Queue execDetails; request id -1 when nobody asked."""
    values = {
        **execution.contract,
        "reqId": request_id,
        "orderId": execution.order_id,
        "execId": execution.exec_id,
        "time": stamp(execution.at, session.version),
        "account": execution.account,
        "executionExchange": execution.contract["exchange"],
        "side": _SIDES[execution.side],
        "shares": execution.quantity,
        "price": execution.price,
        "permId": execution.perm_id,
        "clientId": execution.client_id,
        "cumQty": execution.cumulative,
        "avgPrice": execution.average_price,
        "orderRef": execution.ref,
        "lastLiquidity": _ADDED if execution.added else _REMOVED,
        "evRule": MODELLED if execution.modelled else "",
    }
    session.send(messages.EXECUTION, values)


def send_commission(session: Session, execution: Execution) -> None:
    """Queue the commission report of an execution that has one."""
    if execution.commission is None:
        return
    values = {
        "execId": execution.exec_id,
        "commission": execution.commission,
        "realizedPNL": UNSET_DOUBLE if execution.realized_usd is None else execution.realized_usd,
    }
    session.send(messages.COMMISSION_REPORT, values)


class ClientReports:
    """Sends what the book says to the client that owns the order, and to the master client, which hears of all."""

    def __init__(self, sessions: Mapping[int, Session], master: int | None = None) -> None:
        self._sessions = sessions
        self._master = master

    def order_changed(self, order: PaperOrder) -> None:
        """Queue openOrder and orderStatus, in that order (TWS_PROTOCOL section 6)."""
        for session in self._receivers(order):
            send_open_order(session, order)
            send_order_status(session, order)

    def executed(self, executions: list[Execution], order: PaperOrder | None) -> None:
        """Queue execDetails, then the order's state; the broker's own trades go to everybody."""
        for session in self._receivers(order):
            for execution in executions:
                send_execution(session, -1, execution)
            if order is not None:
                send_open_order(session, order)
                send_order_status(session, order)

    def charged(self, executions: list[Execution], order: PaperOrder | None) -> None:
        """Queue the commissions of executions that were told before."""
        for session in self._receivers(order):
            for execution in executions:
                send_commission(session, execution)

    def order_error(self, order: PaperOrder, code: int, text: str) -> None:
        """Queue an error with the order's id."""
        session = self._sessions.get(order.client_id)
        if session is not None:
            session.error(order.order_id, code, text)

    def _receivers(self, order: PaperOrder | None) -> Iterable[Session]:
        if order is None:
            return self._sessions.values()
        wanted = {order.client_id, order.client_id if self._master is None else self._master}
        return [self._sessions[client_id] for client_id in sorted(wanted) if client_id in self._sessions]
