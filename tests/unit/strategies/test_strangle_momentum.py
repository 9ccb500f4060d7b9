from __future__ import annotations

import csv
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from htbot.domain.errors import CallerMistake, ConfigurationError, StopTrading
from htbot.domain.instruments import Right
from htbot.domain.sessions import NEW_YORK, Session
from htbot.marketdata.sessions import trading_window
from htbot.strategies.registry import STRATEGIES, create
from htbot.strategies.strangle_momentum import BidBar, Phase, Side, StrangleConfig, StrangleMomentum

ANSWERS = Path(__file__).with_name("answers") / "strangle_momentum.csv"
DAY = date(2024, 7, 17)
OPENS = datetime(2024, 7, 17, 13, 30, tzinfo=UTC)
SESSION = Session(DAY, OPENS, OPENS + timedelta(minutes=390), early_close=False)
ROWS = list(csv.DictReader(ANSWERS.read_text().splitlines()))
STRATEGY = StrangleMomentum(StrangleConfig())
WINDOW = trading_window(SESSION, STRATEGY.hours)


def at(text: str) -> datetime:
    return datetime.combine(DAY, time.fromisoformat(text), tzinfo=NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize("row", ROWS, ids=[row["case"] for row in ROWS])
def test_the_answers_of_the_file(row: dict[str, str]) -> None:
    paid = float(row["paid"]) if row["paid"] else None
    side = Side(Right.CALL, Phase(row["phase"]), int(row["bought"]), int(row["sold"]), paid)
    bar = BidBar(*(float(row[name]) for name in ("open", "high", "low", "close"))) if row["open"] else None
    reason = STRATEGY.exit_of(side, bar, at(row["at"]), WINDOW)
    assert (reason.value if reason else "") == row["answer"]


def test_the_file_has_both_exits_and_none() -> None:
    assert {row["answer"] for row in ROWS} == {"profit_target", "time", ""}


@pytest.mark.parametrize(
    ("phase", "ask", "clock", "told"),
    [
        (Phase.WAITING, "2.00", "09:31:00", None),
        (Phase.WAITING, "2.05", "09:31:00", "premium"),
        (Phase.WAITING, None, "09:31:00", "quotes"),
        (Phase.WAITING, "2.00", "09:30:59", "hours"),
        (Phase.WAITING, "2.00", "15:00:00", "hours"),
        (Phase.DONE, "2.00", "10:00:00", "entered"),
        (Phase.HELD, "2.00", "10:00:00", "entered"),
    ],
)
def test_what_keeps_a_side_from_being_bought(phase: Phase, ask: str | None, clock: str, told: str | None) -> None:
    side = Side(Right.PUT, phase)
    assert STRATEGY.waits(side, None if ask is None else Decimal(ask), at(clock), WINDOW) == told


def test_the_life_of_a_side() -> None:
    side = Side(Right.CALL).enter().entry_ended(3, 0.8)
    assert (side.phase, side.held, side.sellable, side.paid) == (Phase.HELD, 3, 3, 0.8)
    leaving = side.leave()
    assert (leaving.held, leaving.sellable) == (3, 0)
    rest = leaving.exit_ended(1)
    assert (rest.phase, rest.sellable) == (Phase.HELD, 2)
    assert rest.leave().exit_ended(2).phase is Phase.DONE


def test_an_entry_without_a_fill_is_the_only_one() -> None:
    side = Side(Right.CALL).enter().entry_ended(0, None)
    assert side.phase is Phase.DONE
    with pytest.raises(CallerMistake, match="the C side is done, not waiting"):
        side.enter()


def test_two_exits_cannot_be() -> None:
    side = Side(Right.CALL).enter().entry_ended(1, 0.8).leave()
    with pytest.raises(CallerMistake, match="the C side is leaving, not held"):
        side.leave()
    with pytest.raises(StopTrading, match="2 sold of 1 C"):
        side.exit_ended(2)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"entry_end": "09:31"}, "entry_end=09:31:00 is out of range"),
        ({"exit_time": "15:31"}, "exit_time=15:31:00 is out of range"),
        ({"max_premium": "0"}, "max_premium=0 is out of range"),
        ({"call_indx": "3"}, "unknown setting call_indx: did you mean call_index?"),
    ],
)
def test_settings_that_do_not_fit_are_named(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        StrangleConfig.from_mapping(values)
    assert str(caught.value).startswith(told)


def test_there_is_no_live_strategy_of_this_name() -> None:
    assert STRATEGIES["strangle_momentum"].single
    with pytest.raises(CallerMistake, match="buys single options"):
        create("strangle_momentum")
