from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.spread_day import CALENDAR, DAY, request, walk, world

from htbot.backtest.spread_book import SpreadBook
from htbot.backtest.spread_run import run_spreads
from htbot.backtest.spread_trades import Extremes, closed_trade
from htbot.backtest.trade_book import HeldTrade
from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.domain.instruments import Right
from htbot.domain.orders import Action, ExitReason, OrderIntent, PriceStyle, Purpose
from htbot.domain.signals import Direction, SpreadLeg
from htbot.domain.trades import ExitRules, Trade, TradeState

NOW = datetime.fromisoformat("2024-07-03T14:00:00+00:00")
LEGS = (
    SpreadLeg(1, "SPX", DAY, Decimal(5500), Right.PUT, -1),
    SpreadLeg(2, "SPX", DAY, Decimal(5460), Right.PUT, 1),
)


def trade(number: int, at: datetime = NOW, day: date = DAY) -> tuple[Trade, OrderIntent]:
    made = Trade(
        id=f"trade-{number}",
        strategy="spx_breakout",
        account="DU1",
        symbol="SPX",
        session=day,
        direction=Direction.BULL,
        state=TradeState.OPENING,
        legs=LEGS,
        quantity=1,
        width=Decimal(40),
        rules=ExitRules(Decimal(400), Decimal(200), at + timedelta(hours=1), at + timedelta(hours=2)),
        config_hash="hash",
        opened_at=at,
    )
    entry = OrderIntent(
        ref=f"E{number}",
        trade_id=made.id,
        strategy=made.strategy,
        account=made.account,
        session=day,
        purpose=Purpose.ENTRY,
        action=Action.BUY,
        symbol="SPX",
        quantity=1,
        legs=LEGS,
        limit=Decimal(-5),
        worst_limit=Decimal(-4),
        tick=Decimal("0.05"),
        style=PriceStyle.LADDER,
        created_at=at,
    )
    return made, entry


def fills(ref: str, prices: tuple[str, str], *, opens: bool, at: datetime = NOW) -> list[Fill]:
    sides = (Action.SELL, Action.BUY) if opens else (Action.BUY, Action.SELL)
    return [
        Fill(
            exec_id=f"{ref}-{leg.con_id}",
            ref=ref,
            account="DU1",
            con_id=leg.con_id,
            symbol="SPX",
            expiry=DAY,
            strike=leg.strike,
            right=leg.right,
            side=side,
            quantity=1,
            price=Decimal(price),
            multiplier=100,
            executed_at=at,
            perm_id=0,
            commission=Decimal(1),
        )
        for leg, side, price in zip(LEGS, sides, prices, strict=True)
    ]


def open_one(book: SpreadBook, number: int = 1, at: datetime = NOW, day: date = DAY) -> HeldTrade:
    held = book.begin(*trade(number, at, day))
    book.filled(fills(f"E{number}", ("6.00", "1.00"), opens=True, at=at), held.trade.id)
    held.entry_over = True
    held.fold(at)
    return held


def close_one(book: SpreadBook, held: HeldTrade, at: datetime) -> None:
    held.exit_reason = ExitReason.TIME
    book.filled(fills(f"X{held.trade.id}", ("3.00", "0.50"), opens=False, at=at), held.trade.id)
    held.fold(at)


def test_an_entry_that_works_counts_whole_at_the_least_it_accepts() -> None:
    book = SpreadBook()
    book.begin(*trade(1))
    seen = book.risk_book("spx_breakout", DAY, NOW, None, None)
    assert (seen.open_trades, seen.working_orders, seen.entries_today, seen.next_sequence) == (1, 1, 1, 2)
    assert seen.open_maximum_loss_usd == (40 - 4) * 100
    assert seen.last_entry_at == NOW
    assert len(seen.recent_orders) == 1
    assert book.risk_book("other", DAY, NOW, None, None).recent_orders == ()


def test_an_open_trade_counts_at_its_credit_and_a_closed_one_no_more() -> None:
    book = SpreadBook()
    held = open_one(book)
    seen = book.risk_book("spx_breakout", DAY, NOW, None, None)
    assert (seen.open_trades, seen.working_orders) == (1, 0)
    assert seen.value_by_symbol_usd == {"SPX": Decimal(35 * 100)}
    assert book.guarded == [held]

    close_one(book, held, NOW + timedelta(minutes=20))
    later = book.risk_book("spx_breakout", DAY, NOW + timedelta(minutes=21), "a halt", Decimal(7))
    assert (later.open_trades, later.entries_today, later.trades_today) == (0, 1, 1)
    assert later.last_exit_at == NOW + timedelta(minutes=20)
    assert later.strategy_realized_today_usd == Decimal(250 - 4)
    assert (later.halted_by, later.peak_equity_usd) == ("a halt", Decimal(7))
    assert later.recent_orders == ()
    assert later.sale_proceeds_usd == {DAY: Decimal(650)}


def test_an_entry_that_was_never_filled_is_an_entry_and_no_trade() -> None:
    book = SpreadBook()
    held = book.begin(*trade(1))
    held.entry_over = True
    held.fold(NOW)
    seen = book.risk_book("spx_breakout", DAY, NOW, None, None)
    assert held.trade.state is TradeState.VOID
    assert (seen.open_trades, seen.entries_today, seen.trades_today, seen.trades_this_week) == (0, 1, 0, 0)
    assert book.whole.trades == []


def test_what_is_two_weeks_old_is_kept_apart_and_not_lost() -> None:
    book = SpreadBook()
    close_one(book, open_one(book), NOW + timedelta(minutes=20))
    book.begin_session(DAY + timedelta(days=5))
    assert book.intents
    book.begin_session(DAY + timedelta(days=15))
    assert (book.intents, book.fills) == ([], [])
    assert [one.id for one in book.whole.trades] == ["trade-1"]
    assert len(book.whole.fills) == 4
    assert (
        book.risk_book("spx_breakout", DAY + timedelta(days=15), NOW + timedelta(days=15), None, None).next_sequence
        == 1
    )


def test_only_a_closed_trade_has_an_outside() -> None:
    book = SpreadBook()
    held = open_one(book)
    with pytest.raises(StopTrading, match="is open, not closed"):
        closed_trade(held.trade, held.entry_fills, held.exit_fills, Extremes())
    close_one(book, held, NOW + timedelta(minutes=1))
    unknown = replace(held.trade, commissions_usd=None)
    with pytest.raises(StopTrading, match="its result is unknown"):
        closed_trade(unknown, held.entry_fills, held.exit_fills, Extremes())
    shown = closed_trade(held.trade, held.entry_fills, held.exit_fills, Extremes(Decimal(9), Decimal(-4)))
    assert [(leg.side, leg.fill, leg.exit_fill) for leg in shown.legs] == [
        ("SELL", Decimal("6.00"), Decimal("3.00")),
        ("BUY", Decimal("1.00"), Decimal("0.50")),
    ]
    assert (shown.credit, shown.debit, shown.net_pnl, shown.duration_s) == (5, Decimal("2.50"), 246, 60.0)
    assert (shown.max_gain, shown.max_loss) == (9, -4)


def test_a_limit_of_entries_ends_them() -> None:
    """The book is what the gate counts from: with one entry a day the second signal is refused."""
    assert CALENDAR.on(DAY) is not None
    asked = request(world(walk()))
    result = run_spreads(replace(asked, limits=replace(asked.limits, max_entries_per_day=1)))
    assert [one.accepted for one in result.signals] == [True] + [False] * (len(result.signals) - 1)
    assert len(result.signals) > 1
    assert result.signals[1].refused_by == "entries_per_day: 1 entries today, limit 1"
