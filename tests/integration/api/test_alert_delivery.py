from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support import record
from tests.support.people import HOST_NOW

from htbot.adapters.mail.files import FileDelivery
from htbot.alerts.storm import STORM
from htbot.domain.alerts import Alert
from htbot.domain.errors import Refused, Retryable
from htbot.persistence.engine import Database
from htbot.persistence.repositories import AlertRepository
from htbot.services.alert_delivery import PATIENCE, RUN_S, Channel, DeliveryParts, deliver_due


class FakeChannel:
    """Takes alerts, or fails in the way it was told."""

    name = "fake"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.taken: list[str] = []

    def deliver(self, alert: Alert) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(alert.dedup_key)


class Outbox:
    """A record with alerts in it, and a clock."""

    def __init__(self, database: Database, count: int) -> None:
        self.database = database
        self.now = HOST_NOW
        with database.transaction() as session:
            for number in range(count):
                AlertRepository(session).add(record.alert(f"key-{number}"))

    def deliver(self, *channels: Channel) -> int:
        return deliver_due(DeliveryParts(self.database, channels, self._now))

    def _now(self) -> datetime:
        return self.now

    def rows(self) -> list[tuple[object, ...]]:
        with self.database.transaction() as session:
            query = text("SELECT state, attempts, last_error FROM alerts ORDER BY id")
            return [tuple(row) for row in session.execute(query)]


@pytest.mark.fault(45)
def test_alerts_go_out_in_order_once(database: Database) -> None:
    outbox, channel = Outbox(database, 3), FakeChannel()
    assert outbox.deliver(channel) == 3
    assert outbox.deliver(channel) == 0
    assert channel.taken == ["key-0", "key-1", "key-2"]
    assert outbox.rows() == [("SENT", 1, "")] * 3


@pytest.mark.fault(45)
def test_blocked_way_is_tried_once_per_run_and_those_behind_wait(database: Database) -> None:
    outbox, channel = Outbox(database, 2), FakeChannel(Retryable("server away"))
    assert outbox.deliver(channel) == 0
    assert outbox.rows() == [("PENDING", 1, "fake: server away"), ("PENDING", 0, "")]
    assert outbox.deliver(channel) == 0
    outbox.now += timedelta(seconds=31)
    assert outbox.deliver(channel) == 2
    assert channel.taken == ["key-0", "key-1"]


@pytest.mark.fault(45)
def test_after_an_outage_of_hours_all_go_out_in_order(database: Database) -> None:
    outbox, away = Outbox(database, 7), FakeChannel(*[Retryable("away")] * 1000)
    for _ in range(400):
        outbox.now += timedelta(seconds=30)
        outbox.deliver(away)
    assert {row[0] for row in outbox.rows()} == {"PENDING"}
    outbox.now += timedelta(minutes=6)
    channel = FakeChannel()
    assert outbox.deliver(channel) == 7
    assert channel.taken == [f"key-{number}" for number in range(7)]


class Picky(FakeChannel):
    """Never takes one of them, and says that it will later."""

    def deliver(self, alert: Alert) -> None:
        if alert.dedup_key == "key-0":
            raise Retryable("451 not now")
        super().deliver(alert)


@pytest.mark.fault(45)
def test_one_that_the_server_minds_does_not_hold_up_the_rest_for_ever(database: Database) -> None:
    outbox, channel = Outbox(database, 4), Picky()
    for run in range(PATIENCE):
        assert channel.taken == [], run
        outbox.deliver(channel)
        outbox.now += timedelta(minutes=6)
    assert channel.taken == ["key-1", "key-2", "key-3"]
    assert outbox.rows()[0] == ("PENDING", PATIENCE, "fake: 451 not now")


@pytest.mark.parametrize("failure", [Refused("mail_rejected", "550 spam"), ZeroDivisionError("bug")])
def test_alert_that_is_refused_does_not_hold_up_the_rest(database: Database, failure: Exception) -> None:
    outbox, channel = Outbox(database, 3), FakeChannel(failure)
    assert outbox.deliver(channel) == 2
    assert outbox.rows()[0][:2] == ("PENDING", 1)


def test_a_run_begins_nothing_when_its_time_is_over(database: Database) -> None:
    outbox, channel = Outbox(database, 3), FakeChannel()
    ticks = iter([0.0, 1.0, RUN_S + 1])
    parts = DeliveryParts(database, [channel], lambda: outbox.now, monotonic=lambda: next(ticks))
    assert deliver_due(parts) == 1
    assert channel.taken == ["key-0"]


@pytest.mark.fault(45)
def test_a_storm_of_a_thousand_causes_is_one_message(database: Database) -> None:
    outbox, channel = Outbox(database, 1000), FakeChannel()
    followed: list[str] = []
    parts = DeliveryParts(
        database, [channel], lambda: outbox.now, lambda told: followed.extend(alert.dedup_key for _, alert in told)
    )
    assert deliver_due(parts) == 1000
    assert channel.taken == ["storm:key-0:key-999:1000"]
    assert followed == [f"key-{number}" for number in range(1000)]
    assert deliver_due(parts) == 0
    assert {row[0] for row in outbox.rows()} == {"SENT"}
    with database.transaction() as session:
        (newest,) = AlertRepository(session).recent(1)
    assert (newest.alert.kind, newest.alert.subject) == ("storm", "HTBot Alert: 1,000 Alerts at Once")


@pytest.mark.fault(45)
def test_a_storm_waits_while_the_way_is_blocked_and_grows(database: Database) -> None:
    outbox, channel = Outbox(database, STORM + 1), FakeChannel(Retryable("away"))
    assert outbox.deliver(channel) == 0
    assert outbox.rows()[:2] == [("PENDING", 1, "fake: away"), ("PENDING", 0, "")]
    with database.transaction() as session:
        AlertRepository(session).add(record.alert("later"))
    outbox.now += timedelta(seconds=31)
    assert outbox.deliver(channel) == STORM + 2
    assert channel.taken == [f"storm:key-0:later:{STORM + 2}"]


def test_as_many_as_no_storm_are_told_one_by_one(database: Database) -> None:
    outbox, channel = Outbox(database, STORM), FakeChannel()
    assert outbox.deliver(channel) == STORM
    assert len(channel.taken) == STORM


def test_one_of_two_ways_is_enough(database: Database) -> None:
    outbox, good = Outbox(database, 1), FakeChannel()
    assert outbox.deliver(FakeChannel(Retryable("away")), good) == 1
    assert good.taken == ["key-0"]


def test_no_way_at_all_is_said(database: Database) -> None:
    outbox = Outbox(database, 1)
    assert outbox.deliver() == 0
    assert outbox.rows() == [("PENDING", 1, "no channel is configured")]


def test_files_in_the_mail_folder(database: Database, tmp_path: Path) -> None:
    outbox = Outbox(database, 1)
    assert outbox.deliver(FileDelivery(tmp_path)) == 1
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("20220826T160000Z-trade-entry-")


@pytest.mark.fault(55)
def test_header_injection_leaves_the_row_and_no_mail(database: Database, tmp_path: Path) -> None:
    outbox = Outbox(database, 0)
    with database.transaction() as session:
        AlertRepository(session).add(dataclasses.replace(record.alert(), subject="a\nBcc: x@evil.example"))
    assert outbox.deliver(FileDelivery(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == []
    assert outbox.rows()[0][:2] == ("DEAD", 1)
    assert "mail_header" in str(outbox.rows()[0][2])
