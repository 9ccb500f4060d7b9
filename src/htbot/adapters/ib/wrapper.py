"""ib_async's wrapper with one addition: every message that matters is told to a sink, raw and in order of arrival.

ib_async marks a trade Cancelled on any error that carries its id, also when only a modification failed (RULINGS 4), and
drops the leg fills of a combination from its own sums (RULINGS 3). So the desk listens here, before such conclusions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import ib_async as ib
from ib_async.wrapper import Wrapper

from htbot.adapters.ib.translation import as_utc, decimal_or_none, fill_from_ib
from htbot.execution.messages import (
    BagExecutionMessage,
    CommissionMessage,
    ErrorMessage,
    LegExecutionMessage,
    OpenOrderMessage,
    OrderMessage,
    OrderStatusMessage,
)
from htbot.marketdata.messages import ConnectionMessage, LineMessage, MarketMessage, QuoteMessage, TimeMessage

SessionMessage = OrderMessage | MarketMessage
Sink = Callable[[SessionMessage], None]

# 10197, a competing session, is not among them: it stops quotes, which age and refuse entries by themselves, nothing
# tells of its end, and exits must go on.
CONNECTIVITY_LOST = frozenset({1100, 2110})
CONNECTIVITY_RESTORED = frozenset({1101, 1102})
DATA_LOST = 1101
# Answers to a request for quotes after which there are none: too many lines, no such contract, not subscribed.
LINE_ENDED = frozenset({101, 200, 321, 322, 354, 10089, 10168, 10186})


def execution_message(contract: ib.Contract, execution: ib.Execution) -> LegExecutionMessage | BagExecutionMessage:
    """An execution of a leg or of the combination, told apart by its security type."""
    if contract.secType == "BAG":
        return BagExecutionMessage(
            exec_id=execution.execId,
            ref=execution.orderRef,
            order_id=execution.orderId,
            perm_id=execution.permId,
            quantity=int(execution.shares),
            cumulative=int(execution.cumQty),
            price=Decimal(str(execution.price)),
            executed_at=as_utc(execution.time),
        )
    return LegExecutionMessage(fill_from_ib(contract, execution), execution.orderId, execution.clientId)


def open_order_message(order: ib.Order, state: ib.OrderState, *, completed: bool) -> OpenOrderMessage:
    """An open or completed order as the broker holds it."""
    return OpenOrderMessage(
        ref=order.orderRef,
        order_id=0 if completed else order.orderId,
        client_id=order.clientId,
        perm_id=order.permId,
        account=order.account,
        status=state.status,
        limit=decimal_or_none(order.auxPrice if order.orderType == "STP" else order.lmtPrice),
        quantity=int(order.totalQuantity),
        completed=completed,
        filled=int(decimal_or_none(order.filledQuantity) or 0),
    )


class TellingWrapper(Wrapper):
    """Forwards what ib_async has futures for, so that they resolve, then tells the sink."""

    def attach(self, sink: Sink) -> None:
        """Name the receiver of the messages."""
        self.sink = sink
        self.open_orders: dict[int, OpenOrderMessage] = {}
        """What openOrder has told since this was last emptied, by permId: the broker's own word for each order."""
        self.positions_told = False
        """Whether all positions have come since the session began: without them nothing seems to be held."""

    def positionEnd(self) -> None:  # noqa: N802
        """All positions have come."""
        super().positionEnd()  # type: ignore[no-untyped-call]
        self.positions_told = True

    def orderStatus(self, orderId: int, status: str, filled: float, remaining: float, *rest: Any) -> None:  # noqa: N802, N803
        """Tell an orderStatus. ib_async's own view of it is left out: nobody asks for it, and it prints each one."""
        average_price, perm_id, _parent, _last, client_id, why_held = rest[:6]
        self.sink(
            OrderStatusMessage(
                order_id=orderId,
                client_id=client_id,
                perm_id=perm_id,
                status=status,
                filled=int(filled),
                remaining=int(remaining),
                average_price=Decimal(str(average_price)),
                why_held=why_held,
            )
        )

    def openOrder(self, orderId: int, contract: ib.Contract, order: ib.Order, orderState: ib.OrderState) -> None:  # noqa: N802, N803
        """Tell an openOrder."""
        super().openOrder(orderId, contract, order, orderState)
        if order.whatIf:  # ib_async waits for ever when the margins are left out
            self._endReq(orderId, orderState)  # type: ignore[no-untyped-call]
        else:
            message = open_order_message(order, orderState, completed=False)
            self.open_orders[order.permId] = message
            self.sink(message)

    def execDetails(self, reqId: int, contract: ib.Contract, execution: ib.Execution) -> None:  # noqa: N802, N803
        """execDetails, pushed or asked for."""
        super().execDetails(reqId, contract, execution)
        self.sink(execution_message(contract, execution))

    def commissionReport(self, commissionReport: ib.CommissionReport) -> None:  # noqa: N802, N803
        """Tell a commissionReport."""
        super().commissionReport(commissionReport)
        commission = decimal_or_none(commissionReport.commission)
        if commission is not None:
            self.sink(CommissionMessage(commissionReport.execId, commission))

    def currentTime(self, time: int) -> None:  # noqa: N802
        """currentTime: heartbeat, and marker of a stepped world."""
        super().currentTime(time)
        self.sink(TimeMessage(datetime.fromtimestamp(time, UTC)))

    def error(self, reqId: int, errorCode: int, errorString: str, advancedOrderRejectJson: str) -> None:  # noqa: N803
        """Tell an error; the session's own state apart from that of orders and requests."""
        super().error(reqId, errorCode, errorString, advancedOrderRejectJson)
        if errorCode in CONNECTIVITY_LOST:
            self.sink(ConnectionMessage(connected=False, code=errorCode, text=errorString))
        elif errorCode in CONNECTIVITY_RESTORED:
            lost = errorCode == DATA_LOST
            self.sink(ConnectionMessage(connected=True, code=errorCode, text=errorString, data_lost=lost))
        elif (line := self._line(reqId)) and errorCode in LINE_ENDED:
            self.sink(LineMessage(line, f"{errorCode} {errorString}"))
        else:
            self.sink(ErrorMessage(reqId, errorCode, errorString))

    def _line(self, request_id: int) -> int:
        """The contract whose quotes a request is for, 0 for any other request."""
        ticker = self.reqId2Ticker.get(request_id)
        return 0 if ticker is None or ticker.contract is None else ticker.contract.conId

    def tcpDataProcessed(self) -> None:  # noqa: N802
        """The end of one network packet: tell which lines have ticked in it."""
        super().tcpDataProcessed()  # type: ignore[no-untyped-call]
        if self.pendingTickers:
            ticked = frozenset(ticker.contract.conId for ticker in self.pendingTickers if ticker.contract)
            self.sink(QuoteMessage(ticked))
