from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support import record

from htbot.alerts.storm import storm_alert
from htbot.domain.alerts import Alert, Severity


def flood(count: int) -> list[Alert]:
    return [
        record.alert(f"key-{number}", as_of=record.at(number), kind=f"error.{number % 3}") for number in range(count)
    ]


def test_it_says_how_many_of_each_kind_from_when_to_when() -> None:
    told = storm_alert(flood(30))
    assert told.subject == "HTBot Alert: 30 Alerts at Once"
    assert "error.0: " in told.text
    assert "10, 2022-08-26 12:00:00 EDT to 2022-08-26 12:27:00 EDT" in told.text
    assert told.as_of == record.at(29)


def test_the_gravest_stands_first_and_gives_its_severity() -> None:
    waiting = flood(100)
    waiting[90] = replace(waiting[90], severity=Severity.CRITICAL, subject="HTBot Alert: System Error - books")
    told = storm_alert(waiting)
    assert told.severity is Severity.CRITICAL
    subjects = [line for line in told.text.splitlines() if "System Error - books" in line or "Trade Entry" in line]
    assert "System Error - books" in subjects[0]
    assert len(subjects) == 50
    assert "50 more: htbot alerts" in told.text


def test_the_same_ones_are_the_same_message_and_one_more_is_another() -> None:
    assert storm_alert(flood(30)).dedup_key == storm_alert(flood(30)).dedup_key
    assert storm_alert(flood(30)).dedup_key != storm_alert(flood(31)).dedup_key


def test_many_kinds_are_bounded() -> None:
    told = storm_alert([record.alert(str(number), kind=f"kind-{number:03}") for number in range(300)])
    assert "280" in told.text
    assert len(told.text.splitlines()) < 100


def test_what_would_inject_a_header_stays_in_the_text() -> None:
    told = storm_alert([record.alert(f"{n}", subject="HTBot Alert: a\r\nBcc: x@evil.example") for n in range(25)])
    assert "\n" not in told.subject
    assert "\r" not in told.subject


def test_a_key_that_would_inject_a_header_is_refused() -> None:
    with pytest.raises(ValueError, match="control character"):
        storm_alert([record.alert("a\nBcc: x") for _ in range(25)])
