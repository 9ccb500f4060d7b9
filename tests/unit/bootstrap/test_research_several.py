"""Names and settings of several strategies."""

from __future__ import annotations

import pytest
from tests.support.bars import walk

from htbot.bootstrap.research_several import Cast, cast_of, seats_of
from htbot.domain.errors import ConfigurationError, NotFound
from htbot.strategies.registry import STRATEGIES

TAPES = {"SPY": walk(2, 1), "QQQ": walk(2, 2)}


def test_names_are_joined_by_commas() -> None:
    assert cast_of("momentum", "SPY") == Cast(("momentum",), ("SPY",))
    assert not cast_of("momentum", "SPY").several
    assert cast_of("momentum, range_bound", "SPY") == Cast(("momentum", "range_bound"), ("SPY",))
    assert cast_of("momentum", "SPY,QQQ").several
    with pytest.raises(ConfigurationError, match="--symbol SPY,: a name is missing"):
        cast_of("momentum", "SPY,")
    with pytest.raises(ConfigurationError, match="strategies a,a: a is named twice"):
        cast_of("a,a", "SPY")


def test_each_strategy_sits_on_each_symbol_with_its_settings() -> None:
    cast = cast_of("momentum,range_bound", "SPY,QQQ")
    seats = seats_of(cast, TAPES, {"quantity": "3", "momentum.quantity": "7"}, STRATEGIES)
    assert [(one.strategy.name, one.strategy.config.quantity) for one in seats] == [
        *[("momentum", 7)] * 2,
        *[("range_bound", 3)] * 2,
    ]
    assert len({id(one.strategy) for one in seats}) == 4
    assert [one.tape for one in seats] == [TAPES["SPY"], TAPES["QQQ"]] * 2


@pytest.mark.parametrize(
    ("names", "settings", "kind", "text"),
    [
        ("momentum,rangebound", {}, NotFound, "no strategy is called rangebound: did you mean range_bound?"),
        ("momentum,spx_breakout", {}, ConfigurationError, "spx_breakout trades options and is backtested alone"),
        ("momentum,range_bound", {"quantty": "1"}, ConfigurationError, "none of momentum, range_bound has such a"),
        (
            "momentum,range_bound",
            {"momentun.quantity": "1"},
            ConfigurationError,
            "momentun does not take part; did",
        ),
        ("momentum,range_bound", {"momentum.quantty": "1"}, ConfigurationError, "quantty"),
    ],
)
def test_mistakes_are_named(names: str, settings: dict[str, str], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        seats_of(cast_of(names, "SPY"), TAPES, settings, STRATEGIES)
