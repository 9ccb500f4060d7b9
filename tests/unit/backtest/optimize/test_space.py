from __future__ import annotations

from decimal import Decimal

import pytest

from htbot.backtest.optimize.space import Axis, Span, combinations, read_axis, read_span, unique
from htbot.domain.errors import ConfigurationError

FIELDS = {
    "span": {"name": "span", "type": "integer", "optional": False, "low": 2, "high": 500},
    "threshold": {"name": "threshold", "type": "number", "optional": False, "low": 0, "high": 100},
    "stop": {"name": "stop", "type": "decimal", "optional": True, "low": 0.01, "high": 1000},
    "warmup": {"name": "warmup", "type": "text", "optional": False, "choices": ["strict", "seeded"]},
    "short": {"name": "short", "type": "boolean", "optional": False},
    "exit": {"name": "exit", "type": "time", "optional": True},
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("span=5,10,20", ("5", "10", "20")),
        ("span=20,5.0,5", ("20", "5")),
        ("span=5:20:5", ("5", "10", "15", "20")),
        ("span=5:19:5", ("5", "10", "15")),
        ("threshold=0:0.3:0.1", ("0", "0.1", "0.2", "0.3")),
        ("threshold=45.50,1e1", ("45.5", "10")),
        ("stop=none,200.00", ("", "200")),
        ("warmup=seeded,strict", ("seeded", "strict")),
        ("short=yes,FALSE", ("true", "false")),
        ("exit=15:00,15:30,none", ("15:00", "15:30", "")),
    ],
)
def test_values_of_a_grid(text: str, values: tuple[str, ...]) -> None:
    assert read_axis(text, FIELDS) == Axis(text.partition("=")[0], values)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("span=1,5", "span=1 is out of range: 2 to 500"),
        ("span=490:510:10", "span=510 is out of range: 2 to 500"),
        ("span=5.5", "span=5.5 is out of range: it must be a whole number, 2 to 500"),
        ("span=many", "span=many is out of range: it must be a whole number, 2 to 500"),
        ("span=none", "span=none is out of range: a value is needed"),
        ("threshold=nan", "threshold=nan is out of range: it must be a number, 0 to 100"),
        ("stop=0", "stop=0 is out of range: 0.01 to 1000"),
        ("warmup=hot", "warmup=hot is out of range: strict or seeded"),
        ("short=perhaps", "short=perhaps is out of range: it must be true or false"),
        ("exit=25:00", "exit=25:00 is out of range: it must be a time as HH:MM"),
        ("spam=5", "unknown setting spam: did you mean span?"),
        ("span", "--grid span: write name=values"),
        ("span=5:50", "--grid span=5:50: write name=low:high:step with a step above 0"),
        ("span=5:50:0", "--grid span=5:50:0: write name=low:high:step with a step above 0"),
        ("span=5:x:1", "--grid span=5:x:1: x is no number"),
        ("threshold=0:100:0.0001", "--grid threshold=0:100:0.0001: 1000001 values are more than 100000"),
    ],
)
def test_a_grid_that_cannot_be_says_field_and_range(text: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        read_axis(text, FIELDS)
    assert str(told.value) == line


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("span=5:50", Span("span", Decimal(5), Decimal(50), whole=True)),
        ("span=5:50:5", Span("span", Decimal(5), Decimal(50), Decimal(5), whole=True)),
        ("threshold=0.5:99", Span("threshold", Decimal("0.5"), Decimal(99))),
        ("stop=1:100:log", Span("stop", Decimal(1), Decimal(100), log=True)),
        ("warmup=strict,seeded", Span("warmup", choices=("strict", "seeded"))),
        ("exit=15:00,none", Span("exit", choices=("15:00", ""))),
    ],
)
def test_ranges_of_a_search(text: str, span: Span) -> None:
    assert read_span(text, FIELDS) == span


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("span=1:50", "span=1 is out of range: 2 to 500"),
        ("span=5:501", "span=501 is out of range: 2 to 500"),
        ("span=50:5", "--search span=50:5: write name=low:high"),
        ("span=5:50:0.5", "--search span=5:50:0.5: span is a whole number, and so is its step"),
        ("threshold=0:9:log", "--search threshold=0:9:log: write name=low:high"),
        ("stop=none:9", "--search stop=none:9: write name=low:high"),
        ("warmup=strict", "--search warmup=strict: write name=low:high, or name=a,b to choose from"),
        ("span=5", "--search span=5: write name=low:high, or name=a,b to choose from"),
    ],
)
def test_a_range_that_cannot_be_says_why(text: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as told:
        read_span(text, FIELDS)
    assert str(told.value).startswith(line)


def test_combinations_come_in_a_fixed_order_the_last_axis_fastest() -> None:
    made = combinations([Axis("a", ("1", "2")), Axis("b", ("x", "y", "z"))])
    assert [dict(one)["a"] + dict(one)["b"] for one in made] == ["1x", "1y", "1z", "2x", "2y", "2z"]
    assert made[0] == (("a", "1"), ("b", "x"))


def test_too_many_combinations_are_refused_before_they_are_made() -> None:
    with pytest.raises(ConfigurationError, match="1000000000 combinations are more than 100000; --search"):
        combinations([Axis(name, tuple(map(str, range(1000)))) for name in "abc"])


def test_a_setting_is_searched_once_and_not_set() -> None:
    unique(["a", "b"], ["c"])
    with pytest.raises(ConfigurationError, match="a is searched twice"):
        unique(["a", "b", "a"], [])
    with pytest.raises(ConfigurationError, match="b is searched and set: drop --set b"):
        unique(["a", "b"], ["b"])
