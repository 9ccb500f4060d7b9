"""The desk of a backtest on shares: what its strategies ask it for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from tests.support import plain
from tests.support.record import DAY, NOON, at

from htbot.backtest.plain_desk import PlainDesk, PlainTools
from htbot.backtest.plain_request import PlainSignal
from htbot.backtest.trade_book import TradeBook
from htbot.domain.bars import TapeBar
from htbot.domain.fills import Fill
from htbot.domain.orders import Action, ExitReason, OrderIntent, PriceStyle, Purpose
from htbot.domain.sessions import Session
from htbot.domain.trades import TradeState
from htbot.engine.observation import Fired

SESSION = Session(DAY, NOON - timedelta(hours=2), NOON + timedelta(hours=4), early_close=False)
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


def test_a_part_that_waits_is_given_up_when_its_stop_has_left_no_more_than_it_sells() -> None:
    """As live: what would sell everything is a close and no part, and more than is held is sold by nobody."""
    sizes: dict[str, int] = {}
    placed: list[str] = []

    def place(intent: OrderIntent, _limit: Decimal, _now: object, size: int) -> None:
        placed.append(intent.ref)
        sizes.setdefault(intent.ref, size)  # a change is under way

    has: Any = SimpleNamespace(place=place, works=lambda _ref: True, ended=lambda _ref: False, size=sizes.__getitem__)
    account: Any = SimpleNamespace(held={plain.LONG.con_id: SimpleNamespace(quantity=100)}, book=lambda _fill: None)
    feed: Any = SimpleNamespace(now=at(31))
    book: TradeBook[PlainSignal] = TradeBook()
    desk = PlainDesk(PlainTools(feed, has, book, account))
    held = book.begin(plain.trade(1, strategy="a"), plain.entry(plain.trade(1, strategy="a")))

    def fill(ref: str, action: Action, quantity: int, key: str) -> Fill:
        made = (key, ref, held.trade.account, plain.LONG.con_id, plain.SYMBOL, None, None, None, action, quantity)
        return Fill(*made, Decimal("400.00"), 1, at(30), 1)

    bought = fill(held.entry.ref, Action.BUY, 100, "E1")
    book.filled((bought,), held.trade.id)
    held.entry_over = True
    held.fold(at(30))
    desk.protect(SESSION)
    desk.hear([], SESSION)
    stop = next(one for one in book.intents if one.style is PriceStyle.STOP)
    sale: Any = SimpleNamespace(reached=1, units=lambda *_asked: 60)
    assert desk.leave("a", at(59), replace(LEAVES, sale=sale), "profit level 1")
    desk.act(SESSION)
    part = held.part
    assert part is not None
    assert held.part_waits, "the exchange has not answered that stop and target are smaller"

    desk.hear([fill(stop.ref, Action.SELL, 40, "X1")], SESSION)
    assert (held.part, held.part_waits) == (None, False)
    sizes.update(dict.fromkeys(sizes, 40))
    desk.protect(SESSION)
    assert part.ref not in placed
