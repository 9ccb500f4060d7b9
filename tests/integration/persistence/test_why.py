"""The ten steps of shares that were held over night and sold in part: both are told, and each size of the stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from tests.support import plain, record

from htbot.domain.fills import Fill
from htbot.domain.orders import Action, ExitReason, OrderIntent, OrderState, PriceStyle, Purpose, order_reference
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.engine import Database
from htbot.persistence.queries import trades, why
from htbot.persistence.records import PnlSnapshot
from htbot.persistence.repositories import (
    FillRepository,
    IntentRepository,
    OrderRepository,
    PnlRepository,
    RiskDecisionRepository,
    TradeRepository,
)


def leaving(of: Trade, number: int, style: PriceStyle, quantity: int, level: int | None = None) -> OrderIntent:
    return replace(
        plain.entry(of, limit="398.00"),
        ref=order_reference(of.strategy, of.account, of.session, Purpose.EXIT, number),
        purpose=Purpose.EXIT,
        action=Action.SELL,
        quantity=quantity,
        style=style,
        created_at=record.at(1 + number),
        good_till=None,
        decision_id=None,
        exit_reason=ExitReason.STOP_LOSS if level is None else ExitReason.PROFIT_TARGET,
        level=level,
        group="both" if style is PriceStyle.STOP else None,
    )


def filled(intent: OrderIntent, exec_id: str, price: str, quantity: int) -> Fill:
    leg = intent.legs[0]
    return Fill(
        *(exec_id, intent.ref, intent.account, leg.con_id, leg.symbol, None, None, None, intent.action, quantity),
        *(Decimal(price), 1, record.at(3, int(exec_id[1])), 900),
    )


def told(database: Database, trade_id: str) -> dict[str, str]:
    with database.transaction() as session:
        found = why.explain(session, trade_id)
    assert found is not None
    return {step.step: step.summary for step in found.steps}


def test_parts_sizes_of_the_stop_and_nights_are_told(database: Database) -> None:
    trade = plain.trade(credit=Decimal(-400), state=TradeState.OPEN)
    entry, stop = plain.entry(trade), leaving(trade, 1, PriceStyle.STOP, 100)
    part, never = (leaving(trade, number, PriceStyle.MARKET, 30, level) for number, level in ((3, 1), (2, None)))
    morning = timedelta(days=1)
    with database.transaction() as session:
        RiskDecisionRepository(session).add(record.approval(), None)
        TradeRepository(session).add(trade)
        for intent in (entry, stop, never):
            assert IntentRepository(session).add(intent)
        assert IntentRepository(session).withdraw(never.ref, record.at(1), "another one leaves")
        assert IntentRepository(session).add(part)
        for number, (intent, state, quantity) in enumerate(
            [
                (entry, OrderState.FILLED, 100),
                (stop, OrderState.SUBMITTED, 100),
                (stop, OrderState.SUBMITTED, 70),
                (part, OrderState.FILLED, 30),
            ]
        ):
            OrderRepository(session).upsert(record.order(intent, state=state, quantity=quantity), record.at(2 + number))
        for number, (intent, price, quantity) in enumerate([(entry, "400", 100), (part, "401", 10), (part, "403", 20)]):
            FillRepository(session).add(filled(intent, f"e{number}.01", price, quantity), record.at(3))
        for at, mid in ((record.at(3), 5), (record.at(60), 8), (record.at(3) + morning, 12)):
            PnlRepository(session).add_snapshot(PnlSnapshot(trade.id, at, mid_pnl_usd=Decimal(mid)))
        sold = replace(trade, closed=30, gross_pnl_usd=Decimal(70))
        TradeRepository(session).save(sold, TradeState.OPEN)
    steps = told(database, trade.id)
    assert steps["intent"] == (
        "entry BUY 100 at 400.50; stop SELL 100 at 398.00; exit SELL 30 at the market WITHDRAWN; "
        "exit SELL 30 for profit level 1 at the market"
    )
    assert steps["order"] == "entry FILLED at 400.50; stop SUBMITTED for 100, 70 at 398.00; exit FILLED at the market"
    assert steps["fill"] == "BUY 100 SPY at 400.00; SELL 10 SPY at 401.00; SELL 20 SPY at 403.00"
    assert steps["pnl"] == "open, held over 1 night, 30 of 100 closed, gross 70.00, 3 marks"
    with database.transaction() as session:
        found = trades.trade(session, trade.id)
        assert found is not None
        assert found.exit_price == Decimal("402.333333"), "an average has six decimals, as amounts of the record have"
        closed = replace(sold, state=TradeState.CLOSED, closed=100, closed_at=record.at(2) + 2 * morning)
        TradeRepository(session).save(closed, TradeState.OPEN)
    assert told(database, trade.id)["pnl"].startswith("closed by None, held over 2 nights, net")
