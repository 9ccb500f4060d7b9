"""The desk of a backtest on shares: what its strategies ask it for."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from tests.support import plain
from tests.support.record import DAY, at

from htbot.backtest.plain_desk import PlainDesk, PlainTools
from htbot.backtest.plain_request import PlainSignal
from htbot.backtest.trade_book import TradeBook
from htbot.domain.bars import TapeBar
from htbot.domain.fills import Fill
from htbot.domain.orders import Action, ExitReason, Purpose
from htbot.domain.trades import TradeState
from htbot.engine.observation import Fired

LEAVES = Fired("leave", -1, TapeBar(0, DAY.toordinal(), 600, 605, 960, False, *[400.0] * 5), 400.0, "its own signal")


def test_an_exit_wish_waits_until_its_entry_can_fill_no_further() -> None:
    feed: Any = SimpleNamespace(now=at(31))
    nobody: Any = None
    book: TradeBook[PlainSignal] = TradeBook()
    desk = PlainDesk(PlainTools(feed, nobody, book, nobody))
    trade = plain.trade(1, strategy="a")
    held = book.begin(trade, plain.entry(trade))
    assert desk.leave("a", at(59), LEAVES, "its own signal") is None, "nothing is filled yet"
    made = ("E1", held.entry.ref, trade.account, plain.LONG.con_id, plain.SYMBOL, None, None, None, Action.BUY, 40)
    book.filled((Fill(*made, Decimal("400.00"), 1, at(30), 1),), trade.id)
    held.fold(at(30))
    assert held.trade.state is TradeState.OPEN
    assert desk.leave("a", at(59), LEAVES, "its own signal") is None, "the rest still works"
    assert [one for one in book.intents if one.purpose is Purpose.EXIT] == []
    held.entry_over = True
    assert desk.leave("a", at(59), LEAVES, "its own signal") is True
    [close] = [one for one in book.intents if one.purpose is Purpose.EXIT]
    assert (close.quantity, close.exit_reason) == (40, ExitReason.SIGNAL)
    assert desk.leave("a", trade.opened_at, LEAVES, "its own signal") is False, "entered after its bar"
