"""The loop of a backtest, bar by bar: entries, exits, fills, limits, sizes; and that both engines agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.bars import FIRST_DAY, daily, tape, walk

from htbot.backtest.bar_run import run_bars
from htbot.backtest.bars import LIMITS, run_backtest, set_up
from htbot.backtest.compiler.rewrite import NotCompilable
from htbot.backtest.request import BacktestRequest
from htbot.backtest.result import BacktestResult
from htbot.domain.bars import TapeBar
from htbot.domain.errors import ConfigurationError, StopTrading
from htbot.domain.numeric import UNKNOWN
from htbot.domain.orders import ExitReason
from htbot.strategies.bar_strategy import LEAVE, WAIT, Advice, BarConfig, BarInputs, BarStrategy, Holding

Rows = list[tuple[float, float, float, float]]
FLAT: Rows = [(100, 100, 100, 100)]


def closes(*prices: float) -> Rows:
    return [(price, price, price, price) for price in prices]


@dataclass(frozen=True, kw_only=True)
class ScriptConfig(BarConfig):
    quantity: int = 10


class Script(BarStrategy):
    """Long at a close of 101, short at 99, leaves at 110; stop and target three and four points away."""

    name = "script"
    Config = ScriptConfig

    protected: bool
    confidence: float

    def __init__(
        self, config: ScriptConfig, *, protected: bool = False, confidence: float = 1.0, minutes: int = 5
    ) -> None:
        super().__init__(config)
        self.minutes = minutes
        self.protected = protected
        self.confidence = confidence

    @property
    def inputs(self) -> BarInputs:
        return BarInputs(self.minutes, 1)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        if bar.close == 110.0:
            return LEAVE
        side = 0
        if bar.close == 101.0:
            side = 1
        if bar.close == 99.0:
            side = -1
        if side == 0 or held.side != 0:
            return WAIT
        if self.protected:
            return Advice(side, False, bar.close - side * 3.0, bar.close + side * 4.0, self.confidence)
        return Advice(side, False, UNKNOWN, UNKNOWN, self.confidence)


def play(
    sessions: list[Rows], config: dict[str, Any] | None = None, *, protected: bool = False, **asked: Any
) -> BacktestResult:
    request = BacktestRequest(Path("unused"), engine="events", commission="none", fill="close")
    strategy = Script(ScriptConfig(**(config or {})), protected=protected, confidence=asked.pop("confidence", 1.0))
    return run_backtest(replace(request, **asked), strategy, tape(sessions))


def told(result: BacktestResult) -> list[tuple[int, str, str, str]]:
    return [
        (int(trade.direction), str(trade.legs[0].fill), str(trade.legs[0].exit_fill), str(trade.exit_reason))
        for trade in result.trades
    ]


DAY = {"exit_time": time(15)}


def test_a_trade_from_entry_to_its_own_signal() -> None:
    (trade,) = play([closes(100, 101, 105, 110, 100)]).trades
    assert (trade.legs[0].fill, trade.legs[0].exit_fill, trade.gross_pnl) == (101, 110, Decimal("90.00"))
    assert (trade.exit_reason, trade.detail) == (ExitReason.SIGNAL, "")
    assert (trade.opened_at.minute, trade.closed_at.minute) == (40, 50)
    assert (trade.max_gain, trade.max_loss, trade.exposure) == (90, 0, 1010)
    assert trade.id == "script-backtest-20210729-1"


def test_a_short_earns_when_the_price_falls_and_may_be_forbidden() -> None:
    sessions = [closes(100, 99, 90, 110)]
    assert told(play(sessions, DAY)) == [(-1, "99.00", "110.00", "signal")]
    assert play(sessions, DAY).trades[0].max_gain == 90
    assert play(sessions, DAY | {"allow_short": False}).trades == ()


def test_dollars_of_the_whole_position_close_it() -> None:
    rows = [closes(101, 104, 106, 100)]
    assert told(play(rows, {"profit_target_usd": Decimal(50)})) == [(1, "101.00", "106.00", "profit_target")]
    assert told(play([closes(101, 99.5, 99, 100)], {"stop_loss_usd": Decimal(15)}))[0][2:] == ("99.50", "stop_loss")


def test_time_and_the_end_of_the_data_close_what_may_not_stay_over_night() -> None:
    assert told(play([closes(101, 102, 103)], {"exit_time": time(9, 45)})) == [(1, "101.00", "103.00", "time")]
    assert told(play([closes(101, 102, 103)], DAY)) == [(1, "101.00", "103.00", "market_close")]


def test_no_entry_where_it_could_not_be_left() -> None:
    assert play([closes(100, 100, 101)], DAY).trades == ()
    assert play([closes(100, 101, 105)], {"entry_end": time(9, 40)}).trades == ()
    assert play([closes(101, 101, 105)], {"entry_start": time(9, 40)}).trades == ()
    assert len(play([closes(100, 101, 110)], {"entry_start": time(9, 40), "exit_time": time(15)}).trades) == 1


def test_over_night_the_position_stays_and_days_end_it() -> None:
    result = play([closes(101, 102), closes(103, 104), closes(105, 106)], {"max_hold_days": 1})
    assert told(result) == [(1, "101.00", "103.00", "time")]
    held = play([closes(101, 102), closes(103, 104)])
    assert held.trades == ()
    assert held.curve.equity == (Decimal(100_010), Decimal(100_030))
    assert held.assumptions["at the end"] == "+10 TEST still held, marked at the last close"


def test_the_next_open_fills_what_the_close_decided() -> None:
    rows: Rows = [(101, 101, 101, 101), (101.5, 102, 101, 102), (110, 110, 110, 110), (111, 111, 111, 100)]
    assert told(play([rows], fill="next_open")) == [(1, "101.50", "111.00", "signal")]
    (trade,) = play([rows], fill="next_open").trades
    assert trade.opened_at.minute == 35  # the decision, not the fill
    last = play([[(101, 101, 101, 101), (102, 103, 101, 103)]], DAY, fill="next_open")
    assert told(last) == [(1, "102.00", "103.00", "market_close")]


def test_the_book_fills_at_the_touch_and_inside_the_bar() -> None:
    rows: Rows = [(100, 101, 100, 101), (101, 106, 100, 102), (102, 102, 102, 102)]
    assert told(play([rows], protected=True, fill="book")) == [(1, "101.01", "104.99", "profit_target")]
    down: Rows = [(100, 101, 100, 101), (101, 101, 97, 98), (98, 98, 98, 98)]
    assert told(play([down], protected=True, fill="book")) == [(1, "101.01", "97.99", "stop_loss")]
    dollars: Rows = [(100, 101, 100, 101), (101, 103, 101, 102)]
    target = play([dollars], {"profit_target_usd": Decimal(15)}, fill="book")
    assert told(target) == [(1, "101.01", "102.50", "profit_target")]


def test_price_exits_at_the_close() -> None:
    assert told(play([closes(101, 104, 105.5)], protected=True)) == [(1, "101.00", "105.50", "profit_target")]
    assert told(play([closes(99, 98, 103)], DAY, protected=True)) == [(-1, "99.00", "103.00", "stop_loss")]


def test_profit_levels_sell_shares_of_the_original_quantity_once_each() -> None:
    rows = [closes(101, 106.5, 106.5, 112, 112, 122)]
    (trade,) = play(rows, {"quantity": 8, "profit_levels": True}).trades
    assert (trade.legs[0].quantity, trade.detail) == (8, "sold in 3 parts, the last profit level")
    assert trade.gross_pnl == Decimal("5.5") * 2 + 11 * 4 + 21 * 2
    (both,) = play([closes(101, 112, 122)], {"quantity": 8, "profit_levels": True}).trades
    assert both.gross_pnl == 11 * 6 + 21 * 2  # a gap through two levels is one order
    (small,) = play([closes(101, 106.5, 107, 122)], {"quantity": 2, "profit_levels": True}).trades
    assert small.gross_pnl == Decimal("5.5") + 21
    (single,) = play([closes(101, 106.5, 112, 122)], {"quantity": 1, "profit_levels": True}).trades
    assert single.gross_pnl == 21


@pytest.mark.parametrize(("confidence", "units"), [(0.75, 39), (0.5, 24), (0.2, 9)])
def test_size_by_confidence_is_a_share_of_the_equity(confidence: float, units: int) -> None:
    (trade,) = play([closes(101, 110)], {"sizing": "confidence"}, confidence=confidence).trades
    assert trade.legs[0].quantity == units


def test_what_the_equity_does_not_buy_is_refused() -> None:
    result = play([closes(101, 110)], {"sizing": "confidence"}, cash=Decimal(1000))
    assert (result.trades, result.refusals) == ((), {"size_zero": 1})


def test_limits_refuse_and_are_counted() -> None:
    result = play([closes(101, 110, 101, 110), closes(101, 110)], limits={"entries_per_day": "1"})
    assert (len(result.trades), result.refusals) == (2, {"entries_per_day": 1})
    assert result.assumptions["limits"] == "entries_per_day"
    assert play([closes(101, 110)], {"max_entries_per_day": 1}).assumptions["limits"] == "entries_per_day"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("leverige", "1", "unknown limit leverige: did you mean leverage?"),
        ("leverage", "much", "limit leverage=much is no number"),
        ("leverage", "0", "limit leverage=0 is out of range: a number above 0"),
        ("entries_per_day", "0.5", "limit entries_per_day=0.5 is out of range: a whole number"),
        ("leverage", "inf", "limit leverage=inf is out of range: a number above 0"),
    ],
)
def test_a_limit_that_cannot_be_used_is_named(name: str, value: str, error: str) -> None:
    with pytest.raises(ConfigurationError, match=error.replace("?", r"\?")):
        play([FLAT], limits={name: value})


def test_a_cooldown_keeps_the_next_entry_waiting() -> None:
    rows = [closes(101, 110, 101, 101, 101, 110)]
    assert [trade.opened_at.minute for trade in play(rows, {"cooldown_minutes": 10}).trades] == [35, 50]


def test_entries_begin_at_the_start_and_the_data_end_at_the_end() -> None:
    sessions = [closes(101, 110)] * 4
    first, last = date.fromordinal(FIRST_DAY + 1), date.fromordinal(FIRST_DAY + 2)
    result = play(sessions, start=first, end=last)
    assert [trade.opened_at.date() for trade in result.trades] == [first, last]
    assert result.curve.days == (first, last)
    with pytest.raises(ConfigurationError, match="no session of TEST from 2021-08-05 to None"):
        play(sessions, start=date(2021, 8, 5))


def test_commissions_are_taken_from_the_equity() -> None:
    result = play([closes(101, 110)], commission="fixed")
    assert (result.trades[0].commissions, result.curve.equity) == (Decimal("2.00"), (Decimal(100_088),))


@pytest.mark.parametrize("fill", ["close", "next_open", "book"])
def test_both_engines_make_the_same_deals_and_end_in_the_same_state(fill: str, tmp_path_factory: Any) -> None:
    from htbot.backtest.compiler.layout import fields_of
    from htbot.engine.bar_loop import BarLoop

    folder = Path(tmp_path_factory.getbasetemp()) / "compiled"
    request = BacktestRequest(folder, fill=fill, limits={"entries_per_day": 4})  # type: ignore[arg-type]
    played = walk(30, seed=11)
    for name in ("open", "high", "low", "close"):
        played.bars[name] = np.round(played.bars[name] / 4)
    ways = []
    for way in ("events", "compiled"):
        config = ScriptConfig(exit_time=time(15, 30), cooldown_minutes=10)
        loop = set_up(request, Script(config, protected=True))
        run = run_bars(loop, played, folder, way)  # type: ignore[arg-type]
        numbers = {name: kind for name, kind in fields_of(BarLoop, {}).items() if kind in (int, float)}
        state = {name: kind(getattr(loop, name)) for name, kind in numbers.items()}
        ways.append((run.deals.tolist(), repr(state), loop.account.realised_u, loop.refusals))
    assert ways[0] == ways[1]
    assert len(ways[0][0]) > 20


LEVELS = {"quantity": 8, "profit_levels": True, "exit_time": time(16)}


def test_a_part_sold_at_the_open_and_the_rest_at_the_close_of_one_bar_are_both_told() -> None:
    rows: Rows = [(101, 101, 101, 101), (101, 107, 101, 107), (107, 107, 107, 107)]
    (trade,) = play([rows, FLAT], LEVELS | {"exit_time": time(15)}, fill="next_open").trades
    assert (trade.legs[0].quantity, trade.detail) == (8, "sold in 2 parts")
    assert trade.gross_pnl == 2 * 6 + 6 * 6


def test_deals_add_up_to_the_account_in_every_way_of_running(tmp_path_factory: Any) -> None:
    folder = Path(tmp_path_factory.getbasetemp()) / "compiled"
    for fill in ("close", "next_open", "book"):
        request = BacktestRequest(folder, fill=fill)  # type: ignore[arg-type]
        played = walk(25, seed=5, step=0.004)
        for name in ("open", "high", "low", "close"):
            played.bars[name] = np.round(played.bars[name] / 4)
        runs = [
            run_bars(set_up(request, Script(ScriptConfig(**LEVELS))), played, folder, way)  # type: ignore[arg-type]
            for way in ("events", "compiled")
        ]
        assert runs[0].deals.tolist() == runs[1].deals.tolist()
        assert len(runs[0].deals) > 10


class Cutting(Script):
    """Keeps a fraction where it says whole numbers."""

    name = "cutting"

    score: int

    def __init__(self, config: ScriptConfig) -> None:
        super().__init__(config)
        self.score = 0

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        self.score += bar.close  # type: ignore[assignment]
        return LEAVE if held.side else WAIT


def test_what_does_not_compile_runs_in_the_event_loop_and_says_why(tmp_path: Path) -> None:
    loop = set_up(BacktestRequest(tmp_path), Cutting(ScriptConfig()))
    run = run_bars(loop, tape([FLAT]), tmp_path)
    assert not run.compiled
    assert run.why_not == "it does not compile: TypingError: a float is assigned to a field of whole numbers"
    with pytest.raises(NotCompilable):
        run_bars(loop, tape([FLAT]), tmp_path, "compiled")


def test_books_that_do_not_add_up_are_no_result() -> None:
    loop = set_up(BacktestRequest(Path("unused")), Script(ScriptConfig()))
    loop.account.book(1)
    with pytest.raises(StopTrading, match="deals add up to 0 micro-dollars, the account says 1"):
        run_bars(loop, tape([FLAT]), Path("unused"), "events")


def test_bars_of_whole_sessions_enter_at_their_close() -> None:
    days = [[(101, 101, 101, 101)], [(104, 104, 104, 104)], [(110, 110, 110, 110)]]
    request = BacktestRequest(Path("unused"), engine="events", commission="none", fill="close")
    config = ScriptConfig()
    strategy = Script(config, minutes=1440)
    result = run_backtest(request, strategy, daily(days))
    assert told(result) == [(1, "101.00", "110.00", "signal")]


def test_entries_outside_of_their_hours_are_counted() -> None:
    assert play([closes(101, 101, 105)], {"entry_start": time(9, 45)}).refusals == {"entry_window": 2}


def test_an_entry_at_the_next_open_is_in_the_equity_from_its_fill_on() -> None:
    night: list[Rows] = [closes(100, 101), [(111, 111, 111, 111), (121, 121, 121, 121)]]
    result = play(night, fill="next_open", commission="fixed")
    assert result.curve.equity == (Decimal(100_000), Decimal(100_099))
    assert result.open_since is not None
    assert result.open_since.minute == 30


def test_the_fee_of_a_position_that_is_held_is_paid() -> None:
    assert play([closes(101, 102), closes(103, 104)], commission="fixed").curve.equity == (100_009, 100_029)


def test_an_unknown_confidence_buys_nothing() -> None:
    result = play([closes(101, 110)], {"sizing": "confidence"}, confidence=UNKNOWN)
    assert (result.trades, result.refusals) == ((), {"size_zero": 1})


def test_every_limit_names_a_field() -> None:
    loop = set_up(BacktestRequest(Path("x")), Script(ScriptConfig()))
    assert all(hasattr(loop.limits, field) for field, _ in LIMITS.values())
