"""Seats that share an account: what is counted together, what is not, in which order."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.bars import FIRST_DAY, daily, tape, walk
from tests.unit.backtest.test_bars import Script, ScriptConfig, closes

from htbot.backtest.bars import run_backtest
from htbot.backtest.metrics import measure
from htbot.backtest.report import report_html
from htbot.backtest.request import BacktestRequest
from htbot.backtest.result import BacktestResult
from htbot.backtest.several import Seat, run_several
from htbot.backtest.tape import Tape
from htbot.domain.errors import ConfigurationError
from htbot.strategies.registry import create_bar

REQUEST = BacktestRequest(Path("unused"), commission="none", fill="close")


def seat(bars: Tape, symbol: str = "TEST", **config: Any) -> Seat:
    return Seat(Script(ScriptConfig(**config)), replace(bars, symbol=symbol))


def play(*seats: Seat, **asked: Any) -> BacktestResult:
    return run_several(replace(REQUEST, **asked), seats)


def told(result: BacktestResult) -> list[tuple[str, int, str]]:
    return [(trade.symbol, int(trade.direction), str(trade.gross_pnl)) for trade in result.trades]


WALKS = (walk(12, 1), walk(12, 2, minutes=15))
NAMES = ("range_bound", "momentum", "ma_crossover")


@pytest.mark.parametrize("fill", ["book", "close", "next_open"])
def test_without_limits_seats_trade_as_they_would_alone(fill: str) -> None:
    asked = BacktestRequest(Path("unused"), fill=fill, engine="events")  # type: ignore[arg-type]
    tapes = [replace(bars, symbol=symbol) for bars, symbol in zip(WALKS, ("AAA", "BBB"), strict=True)]
    pairs = list(itertools.product(NAMES, tapes))
    settings = {tapes[0].symbol: {}, tapes[1].symbol: {"bar_minutes": 15}}

    def seats() -> list[Seat]:
        return [Seat(create_bar(name, settings[bars.symbol]), bars) for name, bars in pairs if name != "ma_crossover"]

    together = run_several(asked, seats())
    alone = [run_backtest(asked, one.strategy, one.tape) for one in seats()]
    names = {(trade.strategy, trade.symbol) for trade in together.trades}
    assert len(names) > 1
    for one in alone:
        own = [trade for trade in together.trades if (trade.strategy, trade.symbol) == (one.strategy, one.symbol)]
        assert [replace(trade, id="") for trade in own] == [replace(trade, id="") for trade in one.trades]
    gains = [one.curve.equity[-1] - one.cash for one in alone]
    assert together.curve.equity[-1] == together.cash + sum(gains, Decimal(0))
    assert len({trade.id for trade in together.trades}) == len(together.trades)
    assert [trade.closed_at for trade in together.trades] == sorted(trade.closed_at for trade in together.trades)


def test_one_seat_is_a_backtest() -> None:
    bars = WALKS[0]
    strategy = create_bar("momentum")
    asked = BacktestRequest(Path("unused"), engine="events")
    one, same = run_several(asked, [Seat(create_bar("momentum"), bars)]), run_backtest(asked, strategy, bars)
    assert (one.curve.days, one.curve.equity) == (same.curve.days, same.curve.equity)
    assert one.closes == {"TEST": same.curve.prices}


def test_positions_are_counted_over_all_seats() -> None:
    first, second = tape([closes(101, 101, 110)]), tape([closes(100, 101, 110)])
    both = play(seat(first, "AAA"), seat(second, "BBB"))
    assert told(both) == [("AAA", 1, "90.00"), ("BBB", 1, "90.00")]
    one = play(seat(first, "AAA"), seat(second, "BBB"), limits={"concurrent_trades": "1"})
    assert (told(one), one.refusals) == ([("AAA", 1, "90.00")], {"concurrent_trades": 1})
    assert one.assumptions["limits"] == "concurrent_trades"


def test_the_value_of_all_positions_counts_for_leverage_until_they_are_closed() -> None:
    first, second = tape([closes(101, 110, 100, 100)]), tape([closes(101, 100, 101, 110)])
    asked: dict[str, Any] = {"limits": {"leverage": "1"}, "cash": Decimal(1500)}
    result = play(seat(first, "AAA"), seat(second, "BBB"), **asked)
    assert told(result) == [("AAA", 1, "90.00"), ("BBB", 1, "90.00")]  # BBB enters once AAA has left
    assert result.refusals == {"leverage": 1}
    assert result.trades[1].opened_at.minute == 45


def test_the_days_loss_of_one_seat_stops_the_others() -> None:
    losing, other = tape([closes(99, 110, 100, 100)]), tape([closes(100, 100, 101, 110), closes(101, 110)])
    result = play(seat(losing, "AAA"), seat(other, "BBB"), limits={"daily_loss_usd": "50"})
    assert told(result) == [("AAA", -1, "-110.00"), ("BBB", 1, "90.00")]
    assert result.refusals == {"account_daily_loss": 1}
    assert result.trades[1].opened_at.date() > result.trades[0].opened_at.date()


def test_entries_of_the_day_are_the_accounts_and_a_strategys_own_are_its_own() -> None:
    bars = tape([closes(101, 110, 101, 110)])
    shared = play(seat(bars, "AAA"), seat(bars, "BBB"), limits={"entries_per_day": "3"})
    assert [one[0] for one in told(shared)] == ["AAA", "BBB", "AAA"]
    own = play(seat(bars, "AAA", max_entries_per_day=1), seat(bars, "BBB"))
    assert [one[0] for one in told(own)] == ["AAA", "BBB", "BBB"]
    assert own.refusals == {"entries_per_day": 1}
    assert own.assumptions["limits"] == "entries_per_day"


def test_what_fills_at_an_open_is_known_at_that_open() -> None:
    """A bar of half an hour that opens at 09:35 + 25: its order fills before the short bars inside it decide."""
    long = tape([[(100, 100, 100, 101), (100, 100, 100, 110), (100, 100, 100, 100)]], minutes=30)
    short = tape([closes(*[100] * 6, 101, *[100] * 10, 110)])
    slow = Seat(Script(ScriptConfig(), minutes=30), replace(long, symbol="AAA"))
    result = play(slow, seat(short, "BBB"), fill="next_open", limits={"concurrent_trades": "1"})
    assert told(result)[0][0] == "AAA"
    assert result.refusals == {"concurrent_trades": 1}


def test_a_symbol_that_begins_later_or_has_holes_keeps_its_worth() -> None:
    early, late = tape([closes(101, 103), closes(103, 104), closes(104, 105)]), tape([closes(100), closes(101, 120)])
    late.bars["session"] += 1
    late.bars["start_s"] += 86_400
    result = play(seat(early, "AAA"), seat(late, "BBB"))
    days = tuple(date.fromordinal(FIRST_DAY + number) for number in range(3))
    assert result.curve.days == days
    assert result.curve.equity == (100_020, 100_030, 100_230)
    assert result.closes["AAA"] == (103, 104, 105)
    assert np.isnan(result.closes["BBB"][0])
    assert result.closes["BBB"][1:] == (100, 120)
    assert result.assumptions["at the end"].startswith("+10 AAA, +10 BBB still held")


def test_the_report_shows_each_symbols_prices_and_what_each_strategy_earned() -> None:
    bars = tape([closes(101, 110, 100)])
    result = play(seat(bars, "AAA"), seat(bars, "BBB"))
    page = report_html(result, measure(result))
    assert page.count("Closes of AAA") == page.count("Closes of BBB") == 1
    assert "script on AAA, BBB" in page.replace('<span class="on">', "").replace("</span>", "")
    assert [group.key for group in measure(result).by_strategy] == ["script"]


def test_mistakes_are_named() -> None:
    bars = tape([closes(101)])
    with pytest.raises(ConfigurationError, match="--engine compiled runs one strategy"):
        play(seat(bars), seat(bars, "BBB"), engine="compiled")
    with pytest.raises(ConfigurationError, match="no session of BBB from 2200-01-01 to None"):
        play(seat(bars, "BBB"), start=date(2200, 1, 1))
    with pytest.raises(ConfigurationError, match="bars of 5 minutes cannot be made of bars of whole sessions"):
        play(seat(daily([closes(101)])))
