from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support import record
from tests.support.people import HOST_NOW, FakeLive, chain, clock

from htbot.marketdata.clock_state import ClockState, Mode
from htbot.services.desk_view import NOT_RUNNING, REDIS_AWAY, SILENT_AFTER_S, look, snapshot_of


def test_paced_desk_is_read_forward_at_its_speed() -> None:
    desk = look(FakeLive(clock(speed=10.0)), HOST_NOW)
    assert (desk.state, desk.connection, desk.heartbeat_age_s) == ("running", "connected", 1.0)
    assert desk.market_time == record.NOON + timedelta(seconds=10)
    assert desk.speed == 10.0


@pytest.mark.parametrize(("age_s", "state"), [(SILENT_AFTER_S, "running"), (SILENT_AFTER_S + 0.2, "not running")])
def test_silence_is_fifteen_seconds(age_s: float, state: str) -> None:
    desk = look(FakeLive(clock(written_at=HOST_NOW - timedelta(seconds=age_s))), HOST_NOW)
    assert desk.state == state


def test_silent_desk_keeps_its_last_words() -> None:
    desk = look(FakeLive(clock(written_at=HOST_NOW - timedelta(hours=1))), HOST_NOW)
    assert (desk.connection, desk.market_time, desk.account) == (NOT_RUNNING, record.NOON, record.ACCOUNT)


def test_stepped_desk_may_be_silent() -> None:
    said = clock(written_at=HOST_NOW - timedelta(hours=1), mode=Mode.STEPPED, speed=None)
    desk = look(FakeLive(said), HOST_NOW)
    assert (desk.state, desk.speed, desk.market_time) == ("running", "max", record.NOON)


@pytest.mark.parametrize(
    ("said", "away", "connection"),
    [(None, False, NOT_RUNNING), (clock(), True, REDIS_AWAY)],
    ids=["no clock", "no redis"],
)
def test_what_is_not_known_is_said(said: ClockState | None, away: bool, connection: str) -> None:
    desk = look(FakeLive(said, away=away), HOST_NOW)
    assert (desk.connection, desk.market_time, desk.speed, desk.account) == (connection, None, None, None)


def test_snapshot_is_none_without_redis() -> None:
    assert snapshot_of(FakeLive(seen=chain()), "SPX") is not None
    assert snapshot_of(FakeLive(seen=chain()), "SPY") is None
    assert snapshot_of(FakeLive(seen=chain(), away=True), "SPX") is None
