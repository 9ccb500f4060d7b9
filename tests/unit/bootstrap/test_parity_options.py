"""Strategies on options as seats of a day of parity, beside strategy 1 or without it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.spread_day import CALENDAR, DAY, in_step, walk, world

from htbot.backtest.day_rows import DayRows
from htbot.bootstrap.day_record import DayRecord, SeatRecord
from htbot.bootstrap.demo import DemoResult
from htbot.bootstrap.parity import spread_request_of
from htbot.bootstrap.parity_cast import CastWanted, cast_of
from htbot.domain.errors import ConfigurationError, HtbotError
from htbot.settings import load_settings
from htbot.strategies.registry import STRATEGIES


def test_each_has_an_underlying_and_a_name_of_its_own() -> None:
    wanted = CastWanted(["momentum", "vertical_spread", "spx_breakout"], settings={"vertical_spread.sma_short": "5"})
    cast = cast_of(wanted, (), None, STRATEGIES)
    assert (cast.own, cast.breakout) == ("SPX", True)
    assert {one.name: (one.type, one.symbol) for one in cast.instances} == {
        "momentum": ("momentum", "QQQ"),
        "vertical_spread.1": ("vertical_spread", "SPY"),
    }
    assert cast.instances[1].settings == {"sma_short": "5"}
    assert cast.names == ["spx_breakout", "momentum", "vertical_spread.1"]


def test_it_plays_alone_and_strategy_1_is_kept_quiet() -> None:
    cast = cast_of(CastWanted(["vertical_spread"], ["SPY"]), (), None, STRATEGIES)
    assert (cast.own, cast.breakout, cast.names) == ("SPY", False, ["vertical_spread.1"])
    assert cast.settings["HTBOT_ENTRY_END"] == "09:31"


@pytest.mark.parametrize(
    ("names", "symbols", "settings", "words"),
    [
        (["vertical_spread"], ["IBM"], {}, "--symbol IBM: vertical_spread trades SPX, SPY, QQQ"),
        (["vertical_spread"], ["SPY"], {"sma_shor": "5"}, "sma_shor"),
        (["strangle_momentum"], ["SPX"], {"call_indx": "5"}, "call_indx"),
        (["momentum"], ["SPX"], {}, "an index is not traded itself"),
    ],
)
def test_what_cannot_be_played_is_told(
    names: list[str], symbols: list[str], settings: dict[str, str], words: str
) -> None:
    with pytest.raises(HtbotError, match=words) as told:
        cast_of(CastWanted(names, symbols, settings), (), None, STRATEGIES)
    assert isinstance(told.value, ConfigurationError)


def test_its_backtest_is_asked_what_the_instance_was_run_with() -> None:
    """World and fill rules of the day; strategy, account, limits and history of its own."""
    session = CALENDAR.on(DAY)
    assert session is not None
    market, first = world(walk(), symbol="SPY"), session.opens - timedelta(days=2)
    settings = {"sma_short": 1, "sma_long": 2}
    seat = SeatRecord("vs", "vertical_spread", "DU2", "SPY", 5, settings, "c0ffee", None, None, first)
    assert seat.on_options
    read = load_settings(Path("/nowhere"), {"HTBOT_ENV_FILE": os.devnull})
    empty = DayRows([], [], [], [], [], [])
    day = DemoResult({}, "", DayRecord("DU1000001", first, empty, (seat,)), read, session)
    made = spread_request_of(day, seat, in_step(market))
    assert (made.strategy.name, made.strategy.needs.symbol, made.history_from) == ("vs", "SPY", first)
    assert made.limits.hours == made.strategy.hours
    assert made.terms == replace(in_step(market), account="DU2")
    assert str(made.limits.profit_target_usd) == "10.00", "a quarter of SPY's own"
