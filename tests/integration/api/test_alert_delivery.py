from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support import record
from tests.support.people import HOST_NOW

from htbot.adapters.mail.files import FileDelivery
from htbot.domain.alerts import Alert
from htbot.domain.errors import Refused, Retryable
from htbot.persistence.engine import Database
from htbot.persistence.repositories import AlertRepository
from htbot.services.alert_delivery import Channel, DeliveryParts, deliver_due


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
def test_blocked_way_is_tried_once_per_run_and_again_after_a_pause(database: Database) -> None:
    outbox, channel = Outbox(database, 2), FakeChannel(Retryable("server away"))
    assert outbox.deliver(channel) == 0
    assert outbox.rows()[0] == ("PENDING", 1, "fake: server away")
    assert outbox.rows()[1] == ("PENDING", 0, "")
    assert outbox.deliver(channel) == 1
    outbox.now += timedelta(seconds=31)
    assert outbox.deliver(channel) == 1
    assert channel.taken == ["key-1", "key-0"]


@pytest.mark.parametrize("failure", [Refused("mail_header", "line break"), ZeroDivisionError("bug")])
def test_alert_that_cannot_be_sent_does_not_hold_up_the_rest(database: Database, failure: Exception) -> None:
    outbox, channel = Outbox(database, 3), FakeChannel(failure)
    assert outbox.deliver(channel) == 2
    assert outbox.rows()[0][:2] == ("PENDING", 1)


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


def test_header_injection_leaves_the_row_and_no_mail(database: Database, tmp_path: Path) -> None:
    outbox = Outbox(database, 0)
    with database.transaction() as session:
        AlertRepository(session).add(dataclasses.replace(record.alert(), subject="a\nBcc: x@evil.example"))
    assert outbox.deliver(FileDelivery(tmp_path)) == 0
    assert list(tmp_path.iterdir()) == []
    assert "mail_header" in str(outbox.rows()[0][2])
