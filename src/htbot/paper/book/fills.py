"""Fills become executions, positions, cash and commissions; corrections put them right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from htbot.matching.fees import Bill, charge
from htbot.matching.fills import leg_side
from htbot.matching.terms import Outcome
from htbot.matching.view import whole_lots
from htbot.paper.accounts.bookings import Booking, booking
from htbot.paper.accounts.credit import traded_legs
from htbot.paper.book.orders import Execution, PaperOrder, Portion
from htbot.paper.book.parts import Parts
from htbot.paper.contracts import wire_fields


@dataclass(frozen=True, slots=True)
class _Fill:
    """One fill of one account: `units` at `net`, and price and commission of each leg; `portion` counts it already."""

    portion: Portion
    units: Decimal
    net: Decimal
    leg_prices: Sequence[Decimal]
    fees: Sequence[Decimal]
    at: datetime
    added: bool


class Fills:
    """Books fills and keeps the executions, the latest version of each by the root of its id."""

    def __init__(self, parts: Parts, world: int) -> None:
        self._contracts = parts.contracts
        self._prices = parts.prices
        self._ledger = parts.ledger
        self._valuer = parts.valuer
        self._records = parts.records
        self._world = world
        self.executions: dict[str, Execution] = {}

    def restore(self) -> None:
        """Read the executions of an earlier run."""
        for execution in self._records.executions():
            self.executions[execution.root] = execution

    def forget(self, before: datetime) -> None:
        """Drop executions from before an instant."""
        for root in [root for root, row in self.executions.items() if row.at < before]:
            del self.executions[root]
        self._records.forget_executions(before)

    def fill(self, order: PaperOrder, outcome: Outcome, at: datetime) -> list[Execution]:
        """Book an outcome that fills; the executions of each account, a combination's own before its legs."""
        price, units = outcome.price, outcome.quantity
        if price is None:
            return []
        order.progress = outcome.progress
        order.filled_value += price.net * units
        order.last_price = price.net
        order.leg_values = tuple(
            value + leg_price * leg.ratio * units
            for value, leg_price, leg in zip(order.leg_values, price.leg_prices, order.tradable.legs, strict=True)
        )
        executions: list[Execution] = []
        portions = []
        for portion, part in zip(order.portions, _parts(order, units), strict=True):
            if part:
                bill, fees = self._charge(order, portion, part, price.leg_prices)
                portions.append(replace(portion, filled=portion.filled + part, bill=bill))
                fill = _Fill(portions[-1], part, price.net, price.leg_prices, fees, at, outcome.added_liquidity)
                executions += self._executions(order, fill)
            else:
                portions.append(portion)
        order.portions = tuple(portions)
        for execution in executions:
            self._keep(execution)
        return executions

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
            quantity=trade.quantity,
            price=trade.price,
            cumulative=trade.quantity,
            average_price=trade.price,
            commission=trade.commission,
            realized_usd=self._book(trade),
        )
        self._keep(execution)
        return execution

    def correct(self, order: PaperOrder, wrong: Execution, price: Decimal, quantity: Decimal) -> Execution:
        """Put an execution of a single contract's order right; quantity 0 takes it back with its commission."""
        commission = wrong.commission or Decimal(0)
        charged = commission if quantity else Decimal(0)
        contract = self._contracts.contract(order.tradable.con_ids[0])
        before = booking(wrong.account, contract, wrong.side, wrong.quantity, wrong.price, commission)
        after = booking(wrong.account, contract, wrong.side, quantity, price, charged)
        self._ledger.correct(before, after if quantity else None)
        change = quantity - wrong.quantity
        value = price * quantity - wrong.price * wrong.quantity
        order.progress = replace(order.progress, filled=order.filled + change)
        order.filled_value += value
        order.leg_values = (order.leg_values[0] + value,)
        order.portions = tuple(
            replace(portion, filled=portion.filled + change) if portion.account == wrong.account else portion
            for portion in order.portions
        )
        root, _dot, version = wrong.exec_id.rpartition(".")
        right = replace(
            wrong,
            exec_id=f"{root}.{int(version) + 1:02d}",
            quantity=quantity,
            price=price,
            cumulative=wrong.cumulative + change,
            average_price=order.average_price,
            commission=charged,
        )
        self._keep(right)
        return right

    def _charge(
        self, order: PaperOrder, portion: Portion, units: Decimal, prices: Sequence[Decimal]
    ) -> tuple[Bill, tuple[Decimal, ...]]:
        """The commission of each leg of one more fill; the order's minimum is paid once."""
        legs = traded_legs(order.tradable, prices, units, order.ticket.action, self._valuer.rates)
        return charge(legs, self._valuer.rules.plan, portion.bill)

    def _executions(self, order: PaperOrder, fill: _Fill) -> list[Execution]:
        tradable, ticket = order.tradable, order.ticket
        cumulative = fill.portion.filled
        head = Execution(
            exec_id=self._records.new_execution_id(self._world, 1),
            order_id=order.order_id,
            client_id=order.client_id,
            perm_id=order.perm_id,
            account=fill.portion.account,
            ref=ticket.ref,
            contract={key: value for key, value in tradable.wire.items() if key != "comboLegs"},
            at=fill.at,
            side=ticket.action,
            quantity=fill.units,
            price=fill.net,
            cumulative=cumulative,
            average_price=order.average_price,
            added=fill.added,
        )
        executions = [head] if tradable.is_combination else []
        for index, (leg, details) in enumerate(zip(tradable.legs, tradable.details, strict=True)):
            side = leg_side(leg, ticket.action)
            units = leg.ratio * fill.units
            leg_price, fee = fill.leg_prices[index], fill.fees[index]
            trade = booking(head.account, details.contract, side, units, leg_price, fee)
            part = index + 2 if tradable.is_combination else 1
            executions.append(
                replace(
                    head,
                    exec_id=f"{head.exec_id[:-6]}.{part:02d}.01",
                    contract=wire_fields(details, tradable.wire["exchange"]),
                    side=side,
                    quantity=units,
                    price=leg_price,
                    cumulative=leg.ratio * cumulative,
                    average_price=order.leg_values[index] / (leg.ratio * order.filled),
                    commission=fee,
                    realized_usd=self._book(trade),
                    modelled=self._is_modelled(leg.con_id),
                )
            )
        return executions

    def _book(self, trade: Booking) -> Decimal | None:
        """Book a trade; what it realised in USD after its commission, None when it only opened."""
        realized = self._ledger.book(trade)
        return None if realized is None else self._valuer.rates.in_usd(trade.currency, realized) - trade.apart

    def _is_modelled(self, con_id: int) -> bool:
        quote = self._prices.quote(con_id)
        return quote is not None and quote.modelled

    def _keep(self, execution: Execution) -> None:
        self.executions[execution.root] = execution
        self._records.save_execution(execution)


def _parts(order: PaperOrder, units: Decimal) -> list[Decimal]:
    """A fill shared out so that every account comes as near to its part of what is filled as whole lots allow."""
    portions, lot = order.portions, order.ticket.terms.lot
    if len(portions) == 1:
        return [units]
    whole = sum(portion.share for portion in portions)
    short = [order.filled * portion.share / whole - portion.filled for portion in portions]
    parts = [Decimal(0)] * len(portions)
    rest = units
    for index in sorted(range(len(parts)), key=lambda index: -short[index]):
        parts[index] = min(rest, whole_lots(max(Decimal(0), short[index]), lot))
        rest -= parts[index]
    for index in sorted(range(len(parts)), key=lambda index: parts[index] - short[index]):
        part = min(rest, lot)
        parts[index] += part
        rest -= part
    return parts
