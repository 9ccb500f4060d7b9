"""Any trade on shares: what protects it lies on the right side, on the grid, and loses no more than it may."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from tests.support import plain
from tests.support.examples import some_hundred
from tests.support.record import ACCOUNT, at

from htbot.domain.fills import Fill
from htbot.domain.orders import Action, ExitReason, PriceStyle
from htbot.domain.signals import PlainLeg
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.execution.fills import check_fills, whole_spreads
from htbot.execution.intents import ProtectivePlace, exit_intent, protective_intent
from htbot.execution.ladder import limit_at
from htbot.execution.protective import protective_prices
from htbot.execution.trade_fold import TradeFacts, fold_trade

cents = st.integers(100, 100_000).map(lambda number: Decimal(number) / 100)
dollars = st.one_of(st.none(), st.integers(1, 100_000).map(Decimal))
prices = st.one_of(st.none(), st.integers(1, 1_000_000).map(lambda number: Decimal(number) / 1000))
legs = st.sampled_from([plain.LONG, plain.SHORT])


@st.composite
def trades(draw: st.DrawFn) -> Trade:
    rules = ExitRules(
        draw(dollars), draw(dollars), at(180), at(225), stop_price=draw(prices), target_price=draw(prices)
    )
    leg = draw(legs)
    entry = draw(cents)
    held = plain.trade(leg=leg, rules=rules, quantity=draw(st.integers(1, 5000)), state=TradeState.OPEN)
    return replace(held, credit=-leg.ratio * entry)


@some_hundred
@given(trades())
def test_protective_prices_keep_what_the_rules_promise(trade: Trade) -> None:
    leg, rules, found = trade.legs[0], trade.rules, protective_prices(trade)
    entry = -(trade.credit or Decimal(0)) * leg.ratio
    for price in (found.stop, found.target):
        assert price is None or (price > 0 and price % plain.CENT == 0)
    if found.stop is not None:
        loss = (entry - found.stop) * leg.ratio * trade.units
        assert rules.stop_loss_usd is None or loss <= rules.stop_loss_usd
        assert rules.stop_price is None or (found.stop - rules.stop_price) * leg.ratio >= 0
        assert rules.stop_loss_usd is not None or rules.stop_price is not None
    if found.target is not None:
        gain = (found.target - entry) * leg.ratio * trade.units
        nearest = [price for price in (rules.target_price,) if price is not None]
        nearest += (
            [] if rules.profit_target_usd is None else [entry + leg.ratio * rules.profit_target_usd / trade.units]
        )
        assert min((price - found.target) * leg.ratio for price in nearest) <= 0
        assert rules.target_price is not None or gain >= (rules.profit_target_usd or 0)


@some_hundred
@given(trades(), st.sampled_from(ExitReason), st.integers(1, 5000), st.floats(0, 500))
def test_an_exit_of_shares_stands_as_it_was_sent(
    trade: Trade, reason: ExitReason, quantity: int, elapsed_s: float
) -> None:
    close = exit_intent(trade, reason, None, at(5), min(quantity, trade.quantity))
    assert limit_at(close, None, elapsed_s, None) == close.limit == close.worst_limit
    assert close.limit * trade.legs[0].ratio > 0


def fill(number: int, ref: str, leg: PlainLeg, side: Action, quantity: int, price: Decimal) -> Fill:
    made = (f"{number}.01", ref, ACCOUNT, leg.con_id, leg.symbol, None, None, None, side, quantity, price, 1)
    return Fill(*made, at(number), 900)


@some_hundred
@given(legs, cents, cents, st.lists(st.tuples(st.booleans(), st.integers(1, 50)), min_size=1, max_size=6))
def test_whichever_order_closes_which_part_the_fold_is_the_cash(
    leg: PlainLeg, entry: Decimal, exit_: Decimal, parts: list[tuple[bool, int]]
) -> None:
    """Stop and target fill in any parts; cash in less cash out is the gross, and the last one gives the reason."""
    total = sum(quantity for _, quantity in parts)
    trade = plain.trade(leg=leg, quantity=total)
    opening = Action.BUY if leg.ratio > 0 else Action.SELL
    closing = Action.SELL if leg.ratio > 0 else Action.BUY
    opened = [fill(1, "E1", leg, opening, total, entry)]
    closed = [
        fill(number, "stop" if stop else "target", leg, closing, quantity, exit_)
        for number, (stop, quantity) in enumerate(parts, 2)
    ]
    reasons = {"stop": ExitReason.STOP_LOSS, "target": ExitReason.PROFIT_TARGET}
    facts = TradeFacts(opened, closed, entry_over=True, exit_live=False, exit_reason=None, reasons=reasons)
    after = fold_trade(trade, facts, at(60))
    assert after.state is TradeState.CLOSED
    cash = sum((-fill.signed_quantity * fill.price for fill in (*opened, *closed)), Decimal(0))
    assert after.gross_pnl_usd is not None
    assert abs(after.gross_pnl_usd - cash) < Decimal("0.0001")
    assert after.exit_reason is reasons["stop" if parts[-1][0] else "target"]
    stop = protective_intent(
        replace(after, credit=after.credit), PriceStyle.STOP, entry, at(1), ProtectivePlace(1, "group", total)
    )
    own = [item for item in closed if item.ref == "stop"]
    check_fills(stop, own)
    assert whole_spreads(stop.legs, own) == sum(quantity for is_stop, quantity in parts if is_stop)
