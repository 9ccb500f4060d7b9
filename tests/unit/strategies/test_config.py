from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import time
from decimal import Decimal

import pytest

from htbot.domain.errors import ConfigurationError, NotFound
from htbot.strategies.config import config_hash
from htbot.strategies.registry import STRATEGIES, create
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout


def test_defaults_follow_the_underlying() -> None:
    """RULINGS 22."""
    spx, spy = BreakoutConfig().as_fields(), BreakoutConfig(symbol="SPY").as_fields()
    assert (spx["profit_target_usd"], spx["stop_loss_usd"], spx["strike_range"]) == (400, 200, 150)
    assert (spy["profit_target_usd"], spy["stop_loss_usd"], spy["strike_range"]) == (40, 20, 30)
    assert (spx["flat_deadline"], spy["flat_deadline"]) == (time(15, 45), time(15, 30))


def test_text_is_converted_as_it_comes_from_a_command_line() -> None:
    values = {"symbol": "QQQ", "bar_minutes": "1", "rsi_ema_bull": "50", "entry_start": "10:30", "stop_loss_usd": "25"}
    config = BreakoutConfig.from_mapping(values)
    assert config == BreakoutConfig(
        symbol="QQQ", bar_minutes=1, rsi_ema_bull=50.0, entry_start=time(10, 30), stop_loss_usd=Decimal(25)
    )


def test_none_and_empty_text_take_the_default_of_an_optional_field() -> None:
    assert BreakoutConfig.from_mapping({"stop_loss_usd": None, "profit_target_usd": ""}) == BreakoutConfig()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"symbol": "DAX"}, "symbol=DAX is out of range: SPX or SPY or QQQ"),
        ({"quantity": 0}, "quantity=0 is out of range: 1 to 100"),
        ({"quantity": "two"}, "quantity=two is out of range: it must be a whole number"),
        ({"quantity": True}, "quantity=True is out of range: it must be a whole number"),
        ({"quantity": ""}, "quantity= is out of range: a value is needed"),
        ({"rsi_ema_bull": float("nan")}, "rsi_ema_bull=nan is out of range: 0 to 100"),
        ({"stop_loss_usd": "NaN"}, "stop_loss_usd=NaN is out of range"),
        ({"rsi_ema_bear": 50}, "rsi_ema_bear=50 is out of range: at most rsi_ema_bull=45"),
        ({"entry_end": "09:59"}, "entry_end=09:59:00 is out of range: after entry_start=10:00:00"),
        ({"entry_start": "ten"}, "entry_start=ten is out of range: it must be a time as HH:MM"),
        ({"exit_time": "15:50"}, "exit_time=15:50:00 is out of range"),
        pytest.param(
            {"symbol": "QQQ", "exit_time": "15:40", "flat_deadline": "15:45"},
            "flat_deadline=15:45:00 is out of range: at most 15:30:00 for QQQ",
            marks=pytest.mark.ruling(12),
        ),
        pytest.param(
            {"exit_time": "19:00", "flat_deadline": "20:00"},
            "flat_deadline=20:00:00 is out of range: at most 15:45:00 for SPX",
            marks=pytest.mark.ruling(11),
        ),
        ({"long_index": 10}, "long_index=10 is out of range: short_index + spread_width_strikes = 9"),
        ({"trend_warmup": "lax"}, "trend_warmup=lax is out of range: strict or seeded"),
        ({"rsi_windw": 60}, "unknown setting rsi_windw: did you mean rsi_window?"),
        ({"zzz": 1}, "unknown setting zzz; known are bar_minutes, "),
    ],
)
def test_what_does_not_fit_is_named_with_its_value_and_the_way_out(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BreakoutConfig.from_mapping(values)
    assert message in str(caught.value)


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        BreakoutConfig().quantity = 2  # type: ignore[misc]


def test_the_hash_names_the_values_in_force() -> None:
    spelled_out = BreakoutConfig(profit_target_usd=Decimal("400.00"), flat_deadline=time(15, 45))
    hashes = {SpxBreakout(config).config_hash for config in (BreakoutConfig(), spelled_out)}
    assert hashes == {config_hash("spx_breakout", BreakoutConfig())}
    assert len(hashes.pop()) == 12
    assert config_hash("spx_breakout", BreakoutConfig(quantity=2)) not in hashes
    assert config_hash("another", BreakoutConfig()) != config_hash("spx_breakout", BreakoutConfig())


def test_the_hash_of_the_defaults_is_stable_over_releases() -> None:
    """A changed value here means that stored trades no longer name their configuration: change it knowingly."""
    assert config_hash("spx_breakout", BreakoutConfig()) == "19fb8d663be7"


def test_strategies_are_made_by_name() -> None:
    strategy = create("spx_breakout", {"symbol": "SPY"})
    assert strategy.name == "spx_breakout"
    assert strategy.needs.symbol == "SPY"
    assert all(entry.strategy.name == name for name, entry in STRATEGIES.items())


@pytest.mark.parametrize(("name", "hint"), [("spx_brekout", "did you mean spx_breakout?"), ("x", "known are")])
def test_an_unknown_strategy_is_answered_with_the_near_one(name: str, hint: str) -> None:
    with pytest.raises(NotFound) as caught:
        create(name)
    assert hint in str(caught.value)


@pytest.mark.parametrize("bound", ["0.01", "100000"])
def test_the_bounds_themselves_are_in_range(bound: str) -> None:
    """0.01 as a float is a little more than as a decimal."""
    assert BreakoutConfig.from_mapping({"profit_target_usd": bound}).profit_target_usd == Decimal(bound)
