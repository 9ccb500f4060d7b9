from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.support.paper_world import SESSIONS

from htbot.domain.instruments import SecType
from htbot.paper.errors import RequestError
from htbot.paper.feeds.durations import BarSize, Duration, check_kind, show_of

NOW = SESSIONS.all()[1].at(10, 0)


@pytest.mark.parametrize(
    ("duration", "start"),
    [
        ("3600 S", SESSIONS.all()[1].at(9, 0)),
        ("1 D", SESSIONS.all()[1].opens),
        ("2 D", SESSIONS.all()[0].opens),
        ("9 D", SESSIONS.all()[0].opens),
        ("1 W", datetime(2023, 12, 28, 5, tzinfo=UTC)),
        ("1 M", datetime(2023, 12, 4, 5, tzinfo=UTC)),
        ("2 Y", datetime(2022, 1, 4, 5, tzinfo=UTC)),
        ("1d", SESSIONS.all()[1].opens),
    ],
)
def test_durations(duration: str, start: datetime) -> None:
    assert Duration.parse(duration).before(NOW, SESSIONS) == start


@pytest.mark.parametrize("duration", ["", "0 D", "1 X", "D", "-1 D", "1.5 D", "1 D 2"])
def test_what_is_no_duration(duration: str) -> None:
    with pytest.raises(RequestError, match="321"):
        Duration.parse(duration).before(NOW, SESSIONS)


@pytest.mark.parametrize("text", ["86401 S", "366 D", "53 W", "13 M", "101 Y"])
def test_what_must_be_said_in_larger_units(text: str) -> None:
    with pytest.raises(RequestError, match=r"321: .* longer than"):
        Duration.parse(text)


@pytest.mark.parametrize(
    ("duration", "size"),
    [("2001 S", "1 secs"), ("1 D", "1 secs"), ("2 W", "5 secs"), ("2 M", "1 min"), ("1 Y", "3 mins")],
)
def test_small_bars_reach_only_so_far_back(duration: str, size: str) -> None:
    with pytest.raises(RequestError, match="Time length exceed max"):
        Duration.parse(duration).check(BarSize.parse(size))


@pytest.mark.parametrize(
    ("duration", "size"), [("1 W", "5 secs"), ("1 M", "1 min"), ("1 Y", "5 mins"), ("9 Y", "1 day")]
)
def test_what_small_bars_reach(duration: str, size: str) -> None:
    Duration.parse(duration).check(BarSize.parse(size))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1 secs", BarSize(1)),
        ("30 secs", BarSize(30)),
        ("1 min", BarSize(60)),
        ("5 mins", BarSize(300)),
        ("8 hours", BarSize(28_800)),
        ("1 day", BarSize(86_400, "day")),
        ("1W", BarSize(86_400, "week")),
        ("1 month", BarSize(86_400, "month")),
    ],
)
def test_bar_sizes(text: str, size: BarSize) -> None:
    assert BarSize.parse(text) == size


@pytest.mark.parametrize("text", ["7 mins", "", "1", "2 days", "60 secs"])
def test_what_is_no_bar_size(text: str) -> None:
    with pytest.raises(RequestError, match="321"):
        BarSize.parse(text)


def test_what_to_show() -> None:
    assert show_of("trades") == "TRADES"
    with pytest.raises(RequestError, match="321"):
        show_of("GOSSIP")


@pytest.mark.parametrize(
    ("show", "kind", "code"),
    [
        ("TRADES", SecType.FOREX, 162),
        ("TRADES", SecType.CRYPTO, 10299),
        ("AGGTRADES", SecType.STOCK, 162),
        ("MIDPOINT", SecType.INDEX, 162),
        ("ADJUSTED_LAST", SecType.OPTION, 162),
        ("FEE_RATE", SecType.STOCK, 162),
        ("YIELD_BID", SecType.STOCK, 162),
    ],
)
def test_what_a_type_does_not_have(show: str, kind: SecType, code: int) -> None:
    with pytest.raises(RequestError, match=str(code)):
        check_kind(show, kind, "X@SMART")


def test_long_bars_begin_on_full_hours_of_new_york() -> None:
    at = SESSIONS.all()[0].at(11, 45)
    assert BarSize.parse("1 hour").start_of(at) == SESSIONS.all()[0].at(11, 0)
    assert BarSize.parse("4 hours").start_of(at) == SESSIONS.all()[0].at(8, 0)
    assert BarSize.parse("5 mins").start_of(at) == at
