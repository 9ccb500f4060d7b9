"""The gateway's order book: every order of every client, from acceptance to its end.

The book decides and records; what clients are told goes out through `Reports`. Nothing in here reads a clock.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from htbot.matching.fees import commissions
from htbot.matching.fills import Natural, is_marketable, leg_side, natural
from htbot.paper.bookings import Booking, booking
from htbot.paper.contracts import ContractDesk, wire_fields
from htbot.paper.credit import Credit, WhatIf, traded_legs
from htbot.paper.errors import (
    CANCEL_IMPOSSIBLE,
    CANCEL_NOT_FOUND,
    CANCELLED,
    DUPLICATE_ORDER,
    MODIFY_MISMATCH,
    RequestError,
)
from htbot.paper.ledger import Ledger
from htbot.paper.order_entry import check_tradable, ticket_from
from htbot.paper.orders import Execution, PaperOrder, Status
from htbot.paper.prices import Prices
from htbot.paper.records import Records
from htbot.paper.valuation import Valuer


class Reports(Protocol):
    """Where the book says what happened."""

    def order_changed(self, order: PaperOrder) -> None:
        """The order was accepted or its state, price or size changed."""
        ...

    def executed(self, executions: list[Execution], order: PaperOrder | None) -> None:
        """The order filled: executions of one moment, the combination's own first; no order = done by the broker."""
        ...

    def order_error(self, order: PaperOrder, code: int, text: str) -> None:
        """An error or note about an order, for its client."""
        ...


@dataclass(frozen=True, slots=True)
class Submission:
    """A placeOrder message with its sender; `frame` is the message as it came."""

    client_id: int
    version: int
    frame: tuple[str, ...]
    values: Mapping[str, Any]
    account: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What the book works with."""

    contracts: ContractDesk
    prices: Prices
    ledger: Ledger
    valuer: Valuer
    records: Records


class Book:
    """Orders by client and order id, and by permId."""

    def __init__(self, parts: Parts, reports: Reports, world_id: str) -> None:
        self._parts = parts
        self._reports = reports
        self._records = parts.records
        self._credit = Credit(parts.prices, parts.valuer)
        self._world = zlib.crc32(world_id.encode())
        self._orders: dict[tuple[int, int], PaperOrder] = {}
        self._working: dict[int, PaperOrder] = {}
        self.executions: list[Execution] = []

    def restore(self) -> None:
        """Read the book from the records of an earlier run."""
        for order in self._records.orders(self._parts.contracts):
            self._orders[order.key] = order
            if order.working:
                self._working[order.perm_id] = order
        self.executions = list(self._records.executions())

    @property
    def working(self) -> list[PaperOrder]:
        """Orders that may still fill, oldest permId first."""
        return [self._working[perm_id] for perm_id in sorted(self._working)]

    def completed(self) -> Iterator[PaperOrder]:
        """Orders that are filled, cancelled or rejected."""
        return (order for order in self._orders.values() if not order.working)

    def next_order_id(self, client_id: int) -> int:
        """A number above every order id that the client ever used."""
        return self._records.next_order_id(client_id)

    def has_due(self) -> bool:
        """Whether an order waits for its first look at the market."""
        return any(order.due for order in self._working.values())

    # --- requests -----------------------------------------------------------------------------------------------

    def place(self, message: Submission, at: datetime) -> PaperOrder | None:
        """Accept a new order or a modification; None when it was refused by the account's risk (reported as 201).

        Raises:
            RequestError: the message is answered with an error and nothing changed.
        """
        order_id = message.values["orderId"]
        order = self._orders.get((message.client_id, order_id))
        if order is not None and order.working:
            return self._modify(order, message, at)
        if order is not None or order_id < self.next_order_id(message.client_id):
            raise RequestError(DUPLICATE_ORDER, "Duplicate order id")
        tradable = self._parts.contracts.tradable(message.values, at)
        ticket = ticket_from(message.values, tradable)
        check_tradable(tradable, at)
        order = PaperOrder(
            client_id=message.client_id,
            order_id=order_id,
            perm_id=self._records.new_perm_id(self._world),
            account=message.account,
            frame=message.frame,
            version=message.version,
            created_at=at,
            tradable=tradable,
            ticket=ticket,
            echo=dict(message.values),
            status=Status.PRE_SUBMITTED,
        )
        self._records.use_order_id(message.client_id, order_id)
        self._orders[order.key] = order
        refusal = self._credit.refusal(order, at)
        if refusal is not None:
            self._refuse(order, refusal, at)
            return None
        self._working[order.perm_id] = order
        self._accept(order)
        return order

    def what_if(self, message: Submission, at: datetime) -> tuple[PaperOrder, WhatIf]:
        """Margins and commission of an order that is not placed.

        Raises:
            RequestError: the order would not be accepted.
        """
        tradable = self._parts.contracts.tradable(message.values, at)
        ticket = ticket_from(message.values, tradable)
        check_tradable(tradable, at)
        order = PaperOrder(
            message.client_id, message.values["orderId"], 0, message.account, message.frame, message.version, at,
            tradable, ticket, dict(message.values), Status.PRE_SUBMITTED,
        )  # fmt: skip
        return order, self._credit.what_if(order)

    def cancel(self, client_id: int, order_id: int, at: datetime) -> PaperOrder:
        """Cancel an order of this client.

        Raises:
            RequestError: 10147 when there is none, 10148 when it is over.
        """
        order = self._orders.get((client_id, order_id))
        if order is None:
            raise RequestError(CANCEL_NOT_FOUND, f"OrderId {order_id} that needs to be cancelled is not found.")
        if not order.working:
            text = f"OrderId {order_id} that needs to be cancelled cannot be cancelled, state: {order.status}."
            raise RequestError(CANCEL_IMPOSSIBLE, text)
        self.end(order, at, "")
        return order

    def cancel_all(self, at: datetime) -> None:
        """Cancel every working order of every client."""
        for order in self.working:
            self.end(order, at, "Global cancel")

    # --- the market moves -----------------------------------------------------------------------------------------

    def activate(self, order: PaperOrder) -> None:
        """The market is open: an order that was held works now."""
        if order.status is Status.PRE_SUBMITTED:
            order.status = Status.SUBMITTED
            self._save(order)
            self._reports.order_changed(order)

    def match(self, order: PaperOrder, at: datetime) -> bool:
        """Look at the market for one working order (fill rule `book`); whether it filled."""
        if order.ticket.good_till is not None and order.ticket.good_till <= at:
            self.end(order, at, "good-till date reached")
            return False
        was_due, order.due = order.due, False
        quotes = self._parts.prices.quotes(order.tradable.con_ids)
        price = natural(order.tradable.legs, order.ticket.action, quotes)
        if price is None or not is_marketable(order.ticket.action, order.ticket.limit, price.net):
            if order.ticket.tif in {"IOC", "FOK"}:
                self.end(order, at, "")
            elif was_due:
                self._save(order)
            return False
        self._fill(order, price, at)
        return True

    def end(self, order: PaperOrder, at: datetime, reason: str) -> None:
        """Cancel or expire a working order: status Cancelled and error 202."""
        order.status = Status.CANCELLED
        order.completed_at = at
        order.reason = reason
        self._finish(order)
        self._reports.order_changed(order)
        self._reports.order_error(order, CANCELLED, f"Order Canceled - reason:{reason}")

    def broker_trade(self, trade: Booking, contract: dict[str, Any], at: datetime) -> Execution:
        """A trade that the broker makes by itself, such as an expiry: no order, no client."""
        execution = Execution(
            exec_id=self._records.new_execution_id(self._world, 1),
            order_id=0,
            client_id=0,
            perm_id=self._records.new_perm_id(self._world),
            account=trade.account,
            ref="",
            contract=contract,
            at=at,
            side=trade.side,
            quantity=int(trade.quantity),
            price=trade.price,
            cumulative=int(trade.quantity),
            average_price=trade.price,
            commission=trade.commission,
            realized_usd=self._parts.ledger.book(trade),
        )
        self._keep(execution)
        self._reports.executed([execution], None)
        return execution

    # --- inside ---------------------------------------------------------------------------------------------------

    def _modify(self, order: PaperOrder, message: Submission, at: datetime) -> PaperOrder:
        tradable = self._parts.contracts.tradable(message.values, at)
        ticket = ticket_from(message.values, tradable)
        asked = (tradable.legs, ticket.action, message.account)
        same = asked == (order.tradable.legs, order.ticket.action, order.account)
        if not same or ticket.quantity <= order.filled:
            raise RequestError(MODIFY_MISMATCH, "Order being modified does not match original order")
        changed = replace(order, ticket=ticket, tradable=tradable)
        refusal = self._credit.refusal(changed, at)
        if refusal is not None:
            raise refusal
        order.ticket = ticket
        order.tradable = tradable
        order.frame = message.frame
        order.version = message.version
        order.echo = dict(message.values)
        self._accept(order)
        return order

    def _accept(self, order: PaperOrder) -> None:
        order.due = True
        self._save(order)
        self._reports.order_changed(order)

    def _refuse(self, order: PaperOrder, refusal: RequestError, at: datetime) -> None:
        order.status = Status.INACTIVE
        order.completed_at = at
        order.reason = refusal.text
        self._save(order)
        self._reports.order_changed(order)
        self._reports.order_error(order, refusal.code, refusal.text)

    def _fill(self, order: PaperOrder, price: Natural, at: datetime) -> None:
        quantity = order.remaining
        self.activate(order)
        order.filled += quantity
        order.filled_value += price.net * quantity
        order.last_price = price.net
        order.status = Status.FILLED
        order.completed_at = at
        executions = self._executions(order, price, quantity, at)
        for execution in executions:
            self._keep(execution)
        self._finish(order)
        self._reports.executed(executions, order)

    def _executions(self, order: PaperOrder, price: Natural, quantity: int, at: datetime) -> list[Execution]:
        tradable = order.tradable
        fees = commissions(traded_legs(tradable, price.leg_prices, Decimal(quantity)))
        head = Execution(
            exec_id=self._records.new_execution_id(self._world, 1),
            order_id=order.order_id,
            client_id=order.client_id,
            perm_id=order.perm_id,
            account=order.account,
            ref=order.ticket.ref,
            contract={key: value for key, value in tradable.wire.items() if key != "comboLegs"},
            at=at,
            side=order.ticket.action,
            quantity=quantity,
            price=price.net,
            cumulative=order.filled,
            average_price=order.average_price,
        )
        executions = [head] if tradable.is_combination else []
        for index, (leg, details) in enumerate(zip(tradable.legs, tradable.details, strict=True)):
            side = leg_side(leg, order.ticket.action)
            units = leg.ratio * quantity
            leg_price, fee = price.leg_prices[index], fees[index]
            realized = self._parts.ledger.book(
                booking(order.account, details.contract, side, Decimal(units), leg_price, fee)
            )
            part = index + 2 if tradable.is_combination else 1
            executions.append(
                replace(
                    head,
                    exec_id=f"{head.exec_id[:-6]}.{part:02d}.01",
                    contract=wire_fields(details, tradable.wire["exchange"]),
                    side=side,
                    quantity=units,
                    price=leg_price,
                    cumulative=leg.ratio * order.filled,
                    average_price=leg_price,
                    commission=fee,
                    realized_usd=realized,
                    modelled=self._is_modelled(leg.con_id),
                )
            )
        return executions

    def _is_modelled(self, con_id: int) -> bool:
        quote = self._parts.prices.quote(con_id)
        return quote is not None and quote.modelled

    def _keep(self, execution: Execution) -> None:
        self.executions.append(execution)
        self._records.save_execution(execution)

    def _finish(self, order: PaperOrder) -> None:
        order.due = False
        self._working.pop(order.perm_id, None)
        self._save(order)

    def _save(self, order: PaperOrder) -> None:
        self._records.save_order(order)
