"""ib_async's objects to htbot's words and back. Nothing else in the program knows both."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

import ib_async as ib

from htbot.domain.bars import Bar
from htbot.domain.fills import Fill
from htbot.domain.instruments import Contract, Instrument, Right, SecType, Underlying
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.orders import Action, OrderIntent, PriceStyle
from htbot.domain.quotes import Quote
from htbot.domain.sessions import NEW_YORK
from htbot.marketdata.snapshot import ListedOption

_UNSET = 1.7e308
_UNSET_PRICE = ib.util.UNSET_DOUBLE
_REDUCE_WITH_BLOCK = 2
# How the paper gateway marks an execution at a modelled price; a real broker leaves the field to fixed income.
MODELLED = "MODEL"


def decimal_or_none(number: float | str | Decimal | None) -> Decimal | None:
    """A broker's number as Decimal; unset, not-a-number and infinite are None."""
    if number is None or number == "":
        return None
    value = float(number)
    if not math.isfinite(value) or abs(value) > _UNSET:
        return None
    return Decimal(str(number))


def strike_of(number: float) -> Decimal:
    """A strike without trailing zeros and without an exponent: 410, 410.5."""
    return Decimal(f"{number:.4f}".rstrip("0").rstrip("."))


def price_or_none(price: float, size: float | None = None) -> float | None:
    """A quoted side, or None for IB's -1, 0 with no size, not-a-number and infinity (RULINGS 5)."""
    if not math.isfinite(price) or price < 0 or (size is not None and not size > 0):
        return None
    return price


def underlying_contract(underlying: Instrument) -> ib.Contract:
    """The query for an underlying, or any stock, fund or index."""
    if underlying.sec_type is SecType.INDEX:
        return ib.Index(underlying.symbol, underlying.exchange, "USD")
    return ib.Stock(underlying.symbol, underlying.exchange, "USD")


def option_query(underlying: Underlying, expiry: date) -> ib.Contract:
    """The query for every option that is really listed for one expiry."""
    return ib.Contract(
        symbol=underlying.symbol,
        secType="OPT",
        lastTradeDateOrContractMonth=f"{expiry:%Y%m%d}",
        exchange="SMART",
        currency="USD",
        tradingClass=underlying.option_class,
    )


def contract_from_ib(contract: ib.Contract) -> Contract:
    """A resolved contract of the broker."""
    expiry = contract.lastTradeDateOrContractMonth[:8]
    is_option = contract.secType == "OPT"
    return Contract(
        con_id=contract.conId,
        symbol=contract.symbol,
        sec_type=SecType(contract.secType),
        exchange=contract.exchange,
        currency=contract.currency,
        expiry=datetime.strptime(expiry, "%Y%m%d").replace(tzinfo=NEW_YORK).date() if expiry else None,
        strike=strike_of(contract.strike) if is_option else None,
        right=Right(contract.right[0]) if is_option else None,
        trading_class=contract.tradingClass,
        multiplier=int(float(contract.multiplier or 1)),
    )


def listed_among(contracts: Iterable[Contract], underlying: Underlying, expiry: date) -> list[ListedOption]:
    """The options of one expiry by strike; what is in other money or of another size is not one of them (FAULTS 32)."""
    found = []
    for contract in contracts:
        alike = (contract.expiry, contract.currency, contract.multiplier) == (expiry, "USD", underlying.multiplier)
        if alike and contract.strike is not None and contract.right is not None:
            named = (contract.con_id, expiry, contract.strike, contract.right, contract.trading_class)
            found.append(ListedOption(*named))
    return sorted(found, key=lambda option: (option.strike, option.right))


class Leg(Protocol):
    """One leg of a combination."""

    @property
    def con_id(self) -> int:
        """The contract."""
        ...

    @property
    def ratio(self) -> int:
        """Units per combination, negative when sold."""
        ...

    @property
    def option(self) -> bool:
        """An option, or a stock or fund."""
        ...


class Combination(Protocol):
    """An intent, or a question about one. `action` is that of our books: a short sale is bought there."""

    @property
    def action(self) -> Action:
        """Opened by BUY, closed by SELL."""
        ...

    @property
    def symbol(self) -> str:
        """The underlying."""
        ...

    @property
    def legs(self) -> Sequence[Leg]:
        """What is bought and sold."""
        ...


def bag_contract(intent: Combination) -> ib.Contract:
    """The combination of an intent: long legs BUY, short legs SELL (spec 02 section 3)."""
    legs = [
        ib.ComboLeg(
            conId=leg.con_id,
            ratio=abs(leg.ratio),
            action="BUY" if leg.ratio > 0 else "SELL",
            exchange="SMART",
        )
        for leg in intent.legs
    ]
    return ib.Contract(symbol=intent.symbol, secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)


def order_contract(intent: Combination) -> ib.Contract:
    """What an intent trades: its combination, or the option, stock or fund of its one leg."""
    if len(intent.legs) > 1:
        return bag_contract(intent)
    leg = intent.legs[0]
    kind = "OPT" if leg.option else "STK"
    return ib.Contract(conId=leg.con_id, symbol=intent.symbol, secType=kind, exchange="SMART", currency="USD")


def intent_order(intent: OrderIntent, order_id: int, limit: Decimal, quantity: int | None = None) -> ib.Order:
    """The order of an intent at a limit; the same order id again is a modification. Entries are GTD (RULINGS 8).

    What stands for a trade is GTC: it is there over night, and after a session in which nobody could look after it.

    `quantity` is less than the intent's where it stands for what is held by now. Protective orders of one group reduce
    each other, and only one of them is at the exchange at a time (OCA type 2).
    """
    order = _order(intent, intent.quantity if quantity is None else quantity, limit)
    if intent.style is PriceStyle.STOP:
        order.orderType, order.auxPrice, order.lmtPrice = "STP", order.lmtPrice, _UNSET_PRICE
    elif intent.style is PriceStyle.MARKET:
        order.orderType, order.lmtPrice = "MKT", _UNSET_PRICE
    order.orderId = order_id
    order.orderRef = intent.ref
    order.account = intent.account
    order.tif = "DAY"
    if intent.group is not None:
        order.ocaGroup, order.ocaType = intent.group, _REDUCE_WITH_BLOCK
    if intent.protective:
        order.tif = "GTC"
    if intent.good_till is not None:
        order.tif = "GTD"
        order.goodTillDate = intent.good_till.astimezone(UTC).strftime("%Y%m%d-%H:%M:%S")
    return order


def _order(intent: Combination, quantity: int, limit: Decimal) -> ib.Order:
    """A limit order; one of a single leg has the side and the price of its contract, whatever our books call them."""
    if len(intent.legs) > 1:
        return ib.LimitOrder(intent.action.value, quantity, float(limit))
    ratio = intent.legs[0].ratio
    bought = (intent.action is Action.BUY) is (ratio > 0)
    return ib.LimitOrder("BUY" if bought else "SELL", quantity, float(limit * ratio))


def what_if_order(question: MarginQuestion, order_id: int) -> ib.Order:
    """An order that the broker is shown and never places."""
    order = _order(question, question.quantity, question.limit)
    order.orderId = order_id
    order.account = question.account
    order.tif = "DAY"
    order.whatIf = True
    return order


def what_if_from_ib(state: ib.OrderState) -> WhatIf:
    """The margins of a what-if's answer; IB writes what it does not know as the largest float."""
    return WhatIf(
        equity_with_loan_after=decimal_or_none(state.equityWithLoanAfter),
        initial_margin_after=decimal_or_none(state.initMarginAfter),
        maintenance_margin_after=decimal_or_none(state.maintMarginAfter),
        commission=decimal_or_none(state.commission),
    )


def fill_from_ib(contract: ib.Contract, execution: ib.Execution) -> Fill:
    """One execution of a leg or of a plain contract."""
    resolved = contract_from_ib(contract)
    return Fill(
        exec_id=execution.execId,
        ref=execution.orderRef,
        account=execution.acctNumber,
        con_id=contract.conId,
        symbol=contract.symbol,
        expiry=resolved.expiry,
        strike=resolved.strike,
        right=resolved.right,
        side=Action.BUY if execution.side == "BOT" else Action.SELL,
        quantity=int(execution.shares),
        price=Decimal(str(execution.price)),
        multiplier=resolved.multiplier,
        executed_at=as_utc(execution.time),
        perm_id=execution.permId,
        modelled=execution.evRule == MODELLED,
    )


def as_utc(moment: datetime) -> datetime:
    """An aware UTC time; the broker's zone-less times are New York's."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=NEW_YORK)
    return aware.astimezone(UTC)


def bar_from_ib(symbol: str, minutes: int, bar: ib.BarData) -> Bar:
    """One historical bar."""
    start = bar.date if isinstance(bar.date, datetime) else datetime.combine(bar.date, datetime.min.time())
    return Bar(symbol, as_utc(start), minutes, bar.open, bar.high, bar.low, bar.close, max(bar.volume, 0.0))


def quote_from_ticker(ticker: ib.Ticker, as_of: datetime) -> Quote:
    """The two sides of a streamed line as of a market time."""
    con_id = ticker.contract.conId if ticker.contract else 0
    return Quote(
        con_id=con_id,
        as_of=as_of,
        bid=price_or_none(ticker.bid, ticker.bidSize),
        ask=price_or_none(ticker.ask, ticker.askSize),
        bid_size=ticker.bidSize if math.isfinite(ticker.bidSize) else 0.0,
        ask_size=ticker.askSize if math.isfinite(ticker.askSize) else 0.0,
        last=price_or_none(ticker.last),
        data_type=ticker.marketDataType,
    )
