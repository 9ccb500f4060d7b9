"""Of which clock the time of a message is."""

from __future__ import annotations

from datetime import UTC, datetime

from htbot.alerts.message import Fact, Message, by_the_host, compose, stamp_of
from htbot.alerts.storm import storm_alert
from htbot.domain.alerts import Severity

AT = datetime(2022, 8, 26, 14, 32, 30, tzinfo=UTC)
STAMP = "2022-08-26 10:32:30 EDT"


def message(number: int = 1) -> Message:
    return Message("trouble", Severity.WARNING, "Trouble", "It is.", AT, f"key-{number}", [Fact("Detail", "much")])


def test_a_time_is_the_markets_unless_it_is_said() -> None:
    alert = compose(message())
    assert alert.text.splitlines()[0] == stamp_of(alert) == STAMP
    assert "clock" not in alert.params


def test_who_knows_the_hosts_clock_only_says_so() -> None:
    alert = by_the_host(compose(message()))
    assert alert.text.splitlines()[0] == stamp_of(alert) == f"{STAMP}, by the host's clock"
    assert f"<p>{STAMP}, by the host" in alert.html
    assert (alert.params["clock"], alert.as_of) == ("host", AT)


def test_a_storm_keeps_the_clocks_apart() -> None:
    told = storm_alert([compose(message(1)), by_the_host(compose(message(2)))])
    lines = [line.partition("  ")[0] for line in told.text.splitlines()]
    assert f"{STAMP}:" in lines or any(line.startswith(f"{STAMP}: ") for line in told.text.splitlines())
    assert any(line.startswith(f"{STAMP}, by the host's clock:") for line in told.text.splitlines())
