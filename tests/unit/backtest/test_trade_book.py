"""The book of a backtest with several strategies on shares in one account."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from tests.support import plain
from tests.support.record import DAY, at

from htbot.backtest.plain_request import PlainSignal
from htbot.backtest.trade_book import HeldTrade, TradeBook, at_risk
from htbot.domain.fills import Fill
from htbot.domain.orders import Action
from htbot.domain.trades import recorded


def begun(book: TradeBook[PlainSignal], strategy: str, number: int = 1, **changes: Any) -> HeldTrade:
    trade = plain.trade(number, strategy=strategy, id=f"{strategy}-{number}", **changes)
    return book.begin(trade, plain.entry(trade, number, limit="400.50"))


def test_what_is_one_strategys_own_and_what_is_the_accounts() -> None:
    book: TradeBook[PlainSignal] = TradeBook()
    held = begun(book, "a")
    held.entry_over, held.standing = True, 2
    begun(book, "b", leg=plain.SHORT)
    mine, none = (book.risk_book(name, DAY, at(30), None, None) for name in ("a", "c"))
    assert (mine.open_trades, mine.entries_today, mine.next_sequence) == (1, 1, 2)
    assert (none.open_trades, none.entries_today, none.next_sequence) == (0, 0, 1)
    for seen in (mine, none):
        assert (seen.account_open_trades, seen.trades_today, seen.orders_today) == (2, 2, 2)
        assert seen.working_orders == 3, "a stop and a target of one, the entry of the other"
        assert seen.sides == {(plain.LONG.con_id, 1), (plain.LONG.con_id, -1)}


def test_what_the_brokers_figures_may_not_show_yet() -> None:
    book: TradeBook[PlainSignal] = TradeBook()
    held = begun(book, "a")
    assert unseen(book, at(30)) == Decimal(40_050), "it works"
    leg = plain.LONG
    made = ("E1", held.entry.ref, held.trade.account, leg.con_id, plain.SYMBOL, None, None, None, Action.BUY, 100)
    book.filled((Fill(*made, Decimal("400.00"), 1, at(29), 1),), held.trade.id)
    held.entry_over = True
    held.fold(at(29))
    assert unseen(book, at(29, 59)) == Decimal(40_000), "it has just been filled"
    assert unseen(book, at(30)) == 0


def unseen(book: TradeBook[PlainSignal], as_of: datetime) -> Decimal:
    return book.risk_book("b", DAY, as_of, None, None).unseen_value_usd


@pytest.mark.parametrize(
    ("changes", "loss"),
    [
        ({}, "250.00"),
        ({"rules": replace(plain.RULES, stop_loss_usd=Decimal(120))}, "120"),
        ({"rules": replace(plain.RULES, stop_price=None)}, "40050.00"),
    ],
)
def test_shares_can_lose_what_lies_before_their_nearest_stop(changes: dict[str, Any], loss: str) -> None:
    held = begun(TradeBook(), "a", **changes)
    assert at_risk(held) == (Decimal(loss), Decimal("40050.00")), "an entry that works counts at its limit"


def test_a_trade_is_kept_as_the_record_keeps_it() -> None:
    credit, debit, gain = kept = tuple(map(recorded, (Decimal(-2000) / 7, None, Decimal("1.0000005"))))
    assert (credit, debit, gain) == (Decimal("-285.714286"), None, Decimal("1.000000"))
    assert tuple(map(recorded, kept)) == kept
