"""Profit and loss of trades: unrealised from marks, realised from leg fills, unknown stays None."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.domain.signals import Leg
from htbot.domain.trades import Trade, recorded
from htbot.portfolio.marks import Marks
from htbot.portfolio.positions import latest

NET_PRICE_TOLERANCE = Decimal("0.005")


@dataclass(frozen=True, slots=True)
class TradeResult:
    """What the fills of one trade say, to the decimals that the record keeps: memory and record are equal.

    `opened` and `closed` are whole spreads; `credit` and `debit` averages per unit, None before the first
    spread. `gross_usd` is the realised part, commissions apart; `commissions_usd` is None while one is unknown.
    """

    opened: int
    closed: int
    credit: Decimal | None
    debit: Decimal | None
    gross_usd: Decimal | None
    commissions_usd: Decimal | None

    @property
    def net_usd(self) -> Decimal | None:
        """Gross less commissions, None while either is unknown."""
        if self.gross_usd is None or self.commissions_usd is None:
            return None
        return self.gross_usd - self.commissions_usd


def open_pnl(trade: Trade, marks: Marks, basis: str) -> Decimal | None:
    """Unrealised dollars of what a trade holds, multiplier x units x (credit - closing cost); commissions apart.

    Spec 01 section 7: credit 4.20 and cost 6.20 lose 200. None while the credit or the cost is unknown.
    """
    return _pnl(trade, marks, basis, trade.left)


def whole_pnl(trade: Trade, marks: Marks, basis: str) -> Decimal | None:
    """The same of all that was opened, sold or not: what stop, target and the best gain are counted in."""
    return _pnl(trade, marks, basis, trade.quantity)


def _pnl(trade: Trade, marks: Marks, basis: str, units: int) -> Decimal | None:
    cost = marks.cost(basis)
    if trade.credit is None or cost is None:
        return None
    return (trade.credit - cost) * trade.legs[0].multiplier * units


def maximum_loss_usd(trade: Trade) -> Decimal | None:
    """The most that a trade can lose with what it holds: width less credit, or from the entry to the nearest stop.

    What was bought can lose what was paid. Without a stop a short sale counts so too, where no bound exists. Of one
    that is over it is what it could lose before.
    """
    if trade.credit is None:
        return None
    units = trade.legs[0].multiplier * (trade.left or trade.quantity)
    if trade.width is not None:
        return (trade.width - trade.credit) * units
    rules, losses = trade.rules, [abs(trade.credit) * units]
    if rules.stop_loss_usd is not None:
        losses.append(rules.stop_loss_usd * units / trade.units)
    if rules.stop_price is not None:
        losses.append((-trade.credit - trade.legs[0].ratio * rules.stop_price) * units)
    return max(min(losses), Decimal(0))


def open_result(
    trades: Iterable[Trade], marks_of: Callable[[tuple[Leg, ...], datetime], Marks], as_of: datetime
) -> Decimal | None:
    """Unrealised dollars of open trades, each on its own basis; 0 without any, None while one is unknown."""
    total = Decimal(0)
    for trade in trades:
        result = open_pnl(trade, marks_of(trade.legs, as_of), trade.rules.pnl_basis)
        if result is None:
            return None
        total += result
    return total


def trade_result(legs: Sequence[Leg], entry: Iterable[Fill], exits: Iterable[Fill]) -> TradeResult:
    """Fold the leg fills of a trade's entry and exit orders.

    Corrections replace their originals, repeats count once (RULINGS 3). Gross is the cash of the closed spreads: their
    share of the entry at average price and all of the exit.

    Raises:
        StopTrading: a fill is of a contract that is no leg, or the exit closed more than was opened.
    """
    entered, exited = latest(entry), latest(exits)
    opened, credit = _spreads(legs, entered, side=1)
    closed, debit = _spreads(legs, exited, side=-1)
    if closed > opened:
        raise StopTrading(f"exit fills close {closed} spreads, entry fills opened {opened}")
    gross = None
    if credit is not None and debit is not None:
        gross = (credit - debit) * legs[0].multiplier * closed
    credit, debit, gross = recorded(credit), recorded(debit), recorded(gross)
    return TradeResult(opened, closed, credit, debit, gross, commissions([*entered, *exited]))


def commissions(fills: Iterable[Fill]) -> Decimal | None:
    """Sum of the commissions, None while the broker has not reported one of them."""
    total = Decimal(0)
    for fill in fills:
        if fill.commission is None:
            return None
        total += fill.commission
    return total


def net_price(legs: Sequence[Leg], fills: Iterable[Fill]) -> Decimal | None:
    """The combination's average price per unit from its leg fills, signed as IB; None before one whole spread.

    Bought combinations and sold ones have the same sign: long leg less short leg.
    """
    folded = latest(fills)
    total = Decimal(0)
    for leg in legs:
        price = _average(leg, folded)
        if price is None:
            return None
        total += leg.ratio * price
    return total


def assert_net_price(legs: Sequence[Leg], fills: Iterable[Fill], bag_price: Decimal) -> None:
    """Check that the legs sum to the price of the BAG execution (RULINGS 3).

    Raises:
        StopTrading: they do not, or a leg is missing.
    """
    legs_price = net_price(legs, fills)
    if legs_price is None:
        raise StopTrading(f"BAG executed at {bag_price}, a leg has no execution")
    if abs(legs_price - bag_price) > NET_PRICE_TOLERANCE:
        raise StopTrading(f"BAG executed at {bag_price}, its legs sum to {legs_price}")


def _average(leg: Leg, fills: Sequence[Fill]) -> Decimal | None:
    own = [fill for fill in fills if fill.con_id == leg.con_id]
    quantity = sum(fill.quantity for fill in own)
    if quantity == 0:
        return None
    return sum((fill.price * fill.quantity for fill in own), Decimal(0)) / quantity


def _spreads(legs: Sequence[Leg], fills: Sequence[Fill], side: int) -> tuple[int, Decimal | None]:
    """Whole spreads traded and their average price as a credit; `side` +1 for opening fills, -1 for closing ones."""
    known = {leg.con_id for leg in legs}
    strange = next((fill for fill in fills if fill.con_id not in known), None)
    if strange is not None:
        raise StopTrading(f"execution {strange.exec_id} is of contract {strange.con_id}, which is no leg of the trade")
    units = []
    for leg in legs:
        signed = sum(fill.signed_quantity for fill in fills if fill.con_id == leg.con_id) * side
        units.append(max(0, signed // leg.ratio if signed * leg.ratio > 0 else 0))
    whole = min(units, default=0)
    price = net_price(legs, fills)
    if whole == 0 or price is None:
        return 0, None
    return whole, -price
