"""Watched strategies in the whole stack: bars over the wire, evaluated by workers, signals for people."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.running import EVERYTHING, Instance, environment, running, until

from htbot.persistence.queries.shapes import TradeView
from htbot.services.callers import Caller
from htbot.services.strategies import NewStrategy

CALLER = Caller("test")
FAST = {"short_window": 2, "long_window": 3, "allow_short": True, "bar_minutes": 1}
TRADED = {**FAST, "quantity": 5, "exit_time": "15:40", "stop_loss_usd": "50", "profit_target_usd": "50"}

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


def said(instance: Instance, name: str) -> str:
    (state,) = (one for one in instance.people.strategies.states() if one.instance.name == name)
    return state.why_not or ("a signal" if state.as_of else "")


def test_strategies_are_watched_on_live_bars(tmp_path: Path) -> None:
    environ = environment(tmp_path, PAPER_SPEED="20", PAPER_START="2026-03-03T14:40:00+00:00")
    with running(environ) as instance:
        until(instance.connected, 120, "the desk is connected")
        strategies = instance.people.strategies
        strategies.add(NewStrategy("spy", "ma_crossover", "SPY", FAST, enabled=True), CALLER)
        strategies.add(NewStrategy("spx", "ma_crossover", "SPX", {**FAST, "bar_minutes": 5}, enabled=True), CALLER)
        strategies.add(NewStrategy("trades", "ma_crossover", "QQQ", TRADED, enabled=True, mode="trade"), CALLER)
        strategies.add(NewStrategy("typo", "ma_crossover", "NOSUCH", FAST, enabled=True), CALLER)
        until(lambda: _actions(instance, "spy") == {"enter", "leave"}, 180, "spy has entered and left")
        until(lambda: "flat" in said(instance, "spx") or "holds" in said(instance, "spx"), 120, "spx is looked at")
        assert said(instance, "typo") == "waits for its history: 0 of 3 bars of 1 min are there"
        mails = [mail.text for mail in instance.people.queries.alerts(EVERYTHING)]
        assert any("the broker knows no STK NOSUCH" in text for text in mails)
        late = [one for one in instance.people.queries.signals(EVERYTHING) if "after its end" in one.trigger]
        assert len(late) <= 2

        until(lambda: _closed(instance, "trades"), 180, "a traded strategy has bought and sold")
        _check_trade(instance, _closed(instance, "trades")[0])

        # a look that had begun before may be the first to see them: its instant is older than the change
        assert strategies.change("spy", {"long_window": "4"}, CALLER).observed is None
        until(lambda: strategies.show("spy")[0].observed is not None, 120, "the new settings count")
        assert {"evaluate_bars", "evaluate_part"} <= {
            task.name.rpartition(".")[2] for task in instance.people.queries.status().tasks
        }


def _actions(instance: Instance, name: str) -> set[str]:
    found = instance.people.queries.signals(EVERYTHING)
    assert all(one.refused_by == "observe" for one in found if one.strategy == name)
    return {one.action for one in found if one.strategy == name}


def _closed(instance: Instance, name: str) -> list[TradeView]:
    return [one for one in instance.people.queries.trades(EVERYTHING) if one.strategy == name and one.closed_at]


def _check_trade(instance: Instance, trade: TradeView) -> None:
    """Shares by their leg, one entry, a stop and a target that stood at the gateway, and one close by any of them."""
    [leg] = trade.legs
    assert (leg.symbol, leg.expiry, leg.strike, leg.right, leg.quantity) == ("QQQ", None, None, None, 5)
    assert (trade.width, trade.credit, trade.debit) == (None, None, None)
    assert leg.fill is not None
    assert leg.exit_fill is not None
    assert trade.gross_pnl == 5 * trade.direction * (leg.exit_fill - leg.fill)
    orders = [one for one in instance.people.queries.orders(EVERYTHING) if one.trade_id == trade.id]
    assert sum(one.purpose == "entry" and one.filled for one in orders) == 5
    assert sum(one.filled for one in orders if one.purpose == "exit") == 5
    assert len(orders) >= 3, "an entry, a stop and a target at least"
    why = instance.people.queries.why(trade.id)
    assert [step.step for step in why.steps][-1] == "alert"
