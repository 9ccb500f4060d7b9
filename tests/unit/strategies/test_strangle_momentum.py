from __future__ import annotations

import csv
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support import bought
from tests.support.spreads import quote

from htbot.domain.bars import Bar
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import Right
from htbot.domain.sessions import NEW_YORK, Session
from htbot.domain.signals import Direction
from htbot.execution.bid_bars import BidBar, BidBars
from htbot.execution.exits import ExitWatch, exit_decision
from htbot.marketdata.sessions import trading_window
from htbot.portfolio.marks import mark_spread
from htbot.strategies.base import Fired, Look, Quiet, Standing
from htbot.strategies.registry import create
from htbot.strategies.strangle_momentum import StrangleConfig, StrangleMomentum

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
    """The exit of a trade with this bar of bids behind it, at a bid and an ask of now."""
    held = bought.trade(row["paid"] or None, rules=STRATEGY.exit_rules(WINDOW))
    now = at(row["at"])
    bar = BidBar(*(Decimal(row[name]) for name in ("open", "high", "low", "close"))) if row["open"] else None
    seen = mark_spread(held.legs, {bought.CALL.con_id: quote(bought.CALL.con_id, 2.0, 2.1, now)}, now)
    decision, _ = exit_decision(held, seen, ExitWatch(bids=BidBars(bar)), now)
    assert (decision.reason.value if decision else "") == row["answer"]


def test_the_file_has_every_exit_and_none() -> None:
    assert {row["answer"] for row in ROWS} == {"profit_target", "time", "market_close", ""}


def look(clock: str = "09:31:00", spent: frozenset[tuple[int, float]] = frozenset(), **offers: str) -> Look:
    """The prices of both sides, or why there is none; the premium of the other side is as it stands here."""
    prices = {"call": "2.00", "put": "2.00", **offers}
    legs = {"call": bought.CALL, "put": bought.PUT}
    made = {
        bought.side_of(legs[side]): bought.plan(leg=legs[side], natural=told) if told[0].isdigit() else told
        for side, told in prices.items()
    }
    bar = Bar("SPX", OPENS, 5, 4150.0, 4151.0, 4149.0, 4150.0)
    standing = Standing(spent_levels=spent)
    return Look(at(clock), SESSION, WINDOW, bar, False, 4151.0, 4149.0, 4150.0, (), standing, made)


def decide(seen: Look) -> Fired | Quiet:
    return STRATEGY.decide(seen, STRATEGY.measure(None, ()))


def test_the_call_comes_first_and_then_the_put_each_once() -> None:
    first = decide(look())
    assert isinstance(first, Fired)
    assert (first.direction, first.level, first.price) == (Direction.BULL, 2.0, 4150.0)
    assert first.reason == "SPX 4260 C costs 2.00, at most 2.00"
    spent = frozenset({(1, first.level)})
    second = decide(look(spent=spent))
    assert isinstance(second, Fired)
    assert second.direction is Direction.BEAR
    both = decide(look(spent=spent | {(-1, second.level)}))
    call, put = (f"the {side} of this session has had its signal" for side in ("call", "put"))
    assert both == Quiet(f"{call}; {put}")


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (
            look(call="2.05", put="2.10"),
            "call: SPX 4260 C costs 2.05, above max_premium=2.00; put: SPX 4080 P costs 2.10",
        ),
        (look(call="nobody bids", put="no chain"), "call: nobody bids; put: no chain"),
        (look("09:30:59"), "09:30:59 is before the entry window 09:31:00 to 15:00:00"),
        (look("15:00:00"), "15:00:00 is past the entry window"),
        (replace(look(), offers={}), "call: no call is quoted; put: no put is quoted"),
    ],
)
def test_what_keeps_it_from_buying_is_told_and_spends_nothing(seen: Look, told: str) -> None:
    answer = decide(seen)
    assert isinstance(answer, Quiet)
    assert answer.why_not.startswith(told)


def test_a_dear_call_does_not_keep_the_put_waiting() -> None:
    answer = decide(look(call="2.05"))
    assert isinstance(answer, Fired)
    assert answer.direction is Direction.BEAR


def test_what_it_asks_for() -> None:
    call, put = STRATEGY.offers(DAY)
    assert (call.right, call.index, put.right, put.index) == (Right.CALL, 14, Right.PUT, 21)
    assert STRATEGY.needs.strikes_out == 22
    assert create("strangle_momentum", {"call_index": 1}, instance="sm").name == "sm"
    assert create("strangle_momentum", instance="sm").config_hash == STRATEGY.config_hash


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
