"""A record with one open trade and everything that belongs to it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tests.support import record

from htbot.domain.orders import OrderState
from htbot.domain.positions import Position
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.engine import Database
from htbot.persistence.records import Account, PnlSnapshot
from htbot.persistence.repositories import (
    AccountRepository,
    AlertRepository,
    BarRepository,
    EvaluationRepository,
    FillRepository,
    IntentRepository,
    OrderRepository,
    PnlRepository,
    PositionRepository,
    RiskDecisionRepository,
    SignalRepository,
    TradeRepository,
)


def opened_trade(database: Database) -> Trade:
    """A signal was approved, its spread sold for 4.30 and marked once."""
    trade = record.trade(credit=Decimal("4.30"))
    entry = record.entry(trade)
    filled = record.order(entry, state=OrderState.FILLED, filled=1, average_price=Decimal("-4.30"), perm_id=900)
    with database.transaction() as session:
        AccountRepository(session).upsert(
            Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON, Decimal(100_000), None, Decimal(99_000))
        )
        BarRepository(session).upsert(record.WORLD, [record.bar(10)], record.at(-5))
        EvaluationRepository(session).add(record.evaluation())
        signal_id = SignalRepository(session).add(record.signal(), None)
        RiskDecisionRepository(session).add(record.approval(), signal_id)
        TradeRepository(session).add(trade)
        IntentRepository(session).add(entry)
        OrderRepository(session).upsert(filled, record.at(2))
        FillRepository(session).add(
            record.fill(entry, record.SHORT, "e1.01", "5.80", commission=Decimal("1.05")), record.at(2)
        )
        FillRepository(session).add(record.fill(entry, record.LONG, "e2.01", "1.50"), record.at(2))
        TradeRepository(session).save(replace(trade, state=TradeState.OPEN), TradeState.OPENING)
        held = [
            Position(record.ACCOUNT, leg.con_id, "SPX", leg.expiry, leg.strike, leg.right, 100, leg.ratio, price)
            for leg, price in ((record.SHORT, Decimal("5.80")), (record.LONG, Decimal("1.50")))
        ]
        PositionRepository(session).put(held, record.at(2))
        PnlRepository(session).add_snapshot(
            PnlSnapshot(trade.id, record.at(3), Decimal("3.90"), Decimal("4.10"), Decimal(40), Decimal(20), Decimal(40))
        )
        AlertRepository(session).add(record.alert(params={"trade_id": trade.id}))
    return trade


def opened_elsewhere(database: Database, account: str) -> Trade:
    """The same spread is held in another account by another strategy."""
    trade = record.trade(9, id=f"another-{account}-9", strategy="another", account=account)
    told = Account(account, account, record.WORLD, "paper", record.NOON, Decimal(50_000), None, None)
    held = [
        Position(account, leg.con_id, "SPX", leg.expiry, leg.strike, leg.right, 100, leg.ratio, Decimal(2))
        for leg in trade.legs
    ]
    with database.transaction() as session:
        AccountRepository(session).upsert(told)
        RiskDecisionRepository(session).add(record.approval(9), None)
        TradeRepository(session).add(trade)
        PositionRepository(session).put(held, record.at(2))
        AlertRepository(session).add(record.alert(account=account, dedup_key=f"alert of {account}"))
    return trade
