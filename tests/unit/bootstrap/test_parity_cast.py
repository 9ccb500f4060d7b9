from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests.support.synthetic_file import write_synthetic_file

from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.parity_cast import QUIET, Cast, CastWanted, cast_of, every_name
from htbot.domain.errors import ConfigurationError, NotFound
from htbot.strategies.registry import STRATEGIES


def cast(*names: str, symbols: tuple[str, ...] = (), data: tuple[Path, ...] = (), **settings: str) -> Cast:
    return cast_of(CastWanted(names, symbols, settings), data, None, STRATEGIES)


def test_one_alone_keeps_the_settings_as_they_are_and_strategy_1_quiet() -> None:
    alone = cast("momentum")
    assert (alone.own, alone.names) == ("SPY", ["momentum"])
    [instance] = alone.instances
    assert (instance.account, alone.accounts) == (None, [])
    assert (instance.name, instance.type, instance.symbol, instance.mode, instance.enabled) == (
        "momentum",
        "momentum",
        "SPY",
        "trade",
        True,
    )
    assert alone.settings == QUIET
    assert cast("spx_breakout").settings == {}
    assert cast("spx_breakout").own == "SPX"


def test_several_have_a_symbol_and_an_account_each_and_the_limits_that_everybody_has() -> None:
    catalogue = strategies()
    names = every_name(catalogue)
    every = cast_of(CastWanted(names), (), None, catalogue)
    assert every.names == [*names[:-2], "strangle_momentum.1", "vertical_spread.1"]
    symbols = [every.own, *(one.symbol for one in every.instances)]
    assert len(set(symbols)) == len(names)
    accounts = [f"DU000000{number}" for number in range(1, len(names) + 1)]
    assert every.accounts == accounts
    assert [one.account for one in every.instances] == accounts[1:], "the first is strategy 1's"
    assert every.settings == {
        "PAPER_ACCOUNTS": ",".join(accounts),
        "IB_ACCOUNT": accounts[0],
        "IB_ACCOUNTS": ",".join(accounts[1:]),
        "PAPER_LINES": "1000",
    }
    two = cast("momentum", "ma_crossover").settings
    assert (two["IB_ACCOUNT"], two["IB_ACCOUNTS"]) == ("DU0000001", "DU0000002,DU0000003"), "strategy 1 keeps its own"
    assert two.items() >= QUIET.items()


def test_the_day_of_all_has_everything_that_the_stack_runs() -> None:
    names = every_name(strategies())
    assert names[0] == "spx_breakout"
    assert sorted(strategies()) == sorted(names)


def test_symbols_of_the_data_are_handed_out_in_their_order(tmp_path: Path) -> None:
    data = (write_synthetic_file(tmp_path / "a.csv", "SPY", date(2026, 3, 3), others=("IBM", "AAPL")),)
    three = cast("spx_breakout", "momentum", "ma_crossover", data=data)
    assert (three.own, [one.symbol for one in three.instances]) == ("SPY", ["AAPL", "IBM"])
    twice = cast("spx_breakout", "vertical_spread", "ma_crossover", data=data)
    assert (twice.own, [one.symbol for one in twice.instances]) == ("SPY", ["SPY", "AAPL"]), "one underlying for both"
    alone = cast("momentum", data=data, symbols=("IBM",))
    assert (alone.own, alone.instances[0].symbol) == ("SPY", "IBM"), "strategy 1 is watched on what there is for it"


def test_what_cannot_be_traded_is_set_unless_it_was_given() -> None:
    catalogue = strategies()

    def settings(*given: tuple[str, str]) -> Any:
        [one] = cast_of(CastWanted(["plain_breakout"], (), dict(given)), (), None, catalogue).instances
        return one.settings

    assert settings() == {"point_value": 1}, "its exit time is its own"
    assert settings(("point_value", "2"), ("plain_breakout.quantity", "5")) == {"point_value": "2", "quantity": "5"}
    assert cast("momentum").instances[0].settings == {"exit_time": "15:40"}
    nights = cast_of(CastWanted(("momentum",), ("QQQ",), overnight=True), (), None, STRATEGIES)
    assert nights.instances[0].settings == {}, "days of several sessions: it is held over the night"


@pytest.mark.parametrize(
    ("names", "more", "error", "told"),
    [
        (("momentun",), {}, NotFound, "did you mean momentum"),
        (("momentum", "ma_crossover", "range_bound"), {"symbols": ("SPY", "QQQ")}, ConfigurationError, "give one for"),
        (("spx_breakout",), {"symbols": ("AAPL",)}, ConfigurationError, "spx_breakout trades SPX, SPY, QQQ"),
        (("momentum",), {"symbols": ("SPX",)}, ConfigurationError, "give momentum a stock or fund"),
        (("spx_breakout",), {"quantity": "3"}, ConfigurationError, "is set by the HTBOT_ variables"),
        (("momentum",), {"quantty": "3"}, ConfigurationError, "none of momentum has such a setting"),
    ],
)
def test_what_cannot_take_part_is_said_with_the_way_out(
    names: tuple[str, ...], more: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        cast(*names, **more)


def test_shares_go_where_options_are_when_nothing_else_is_left(tmp_path: Path) -> None:
    data = (write_synthetic_file(tmp_path / "a.csv", "SPX", date(2026, 3, 3), others=("SPY",)),)
    both = cast("momentum", "vertical_spread", "spx_breakout", "ma_crossover", data=data)
    assert (both.own, [one.symbol for one in both.instances]) == ("SPX", ["SPY", "SPY", "SPY"])


def test_data_without_a_symbol_for_everybody_are_refused(tmp_path: Path) -> None:
    spx = (write_synthetic_file(tmp_path / "spx.csv", "SPX", date(2026, 3, 3)),)
    with pytest.raises(ConfigurationError, match="no stock or fund for momentum: SPX"):
        cast("spx_breakout", "momentum", data=spx)
    ibm = (write_synthetic_file(tmp_path / "ibm.csv", "IBM", date(2026, 3, 3)),)
    with pytest.raises(ConfigurationError, match="the stack watches one of SPX, SPY, QQQ"):
        cast("momentum", data=ibm)
