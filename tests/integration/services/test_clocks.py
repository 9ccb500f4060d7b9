"""Acts are recorded at market time, and beside it at the host's; tokens and deliveries are of the host."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.support import record
from tests.support.people import FakeLive, clock

from htbot.persistence.engine import Database
from htbot.persistence.repositories import AlertRepository, AuditRepository
from htbot.services.desk_view import market_now
from htbot.services.tokens import Role, Tokens
from htbot.services.visits import Visit, VisitBook

HOST = datetime(2026, 11, 30, 20, 0, tzinfo=UTC)


def test_acts_of_the_door_and_on_tokens_are_of_the_market(database: Database) -> None:
    live = FakeLive(said=clock(written_at=HOST))
    tokens = Tokens(database, live, lambda: HOST)
    tokens.mint("desk", Role.VIEWER, "cli:root")
    tokens.tell_lockout("192.0.2.7")
    VisitBook(database, lambda: record.NOON).write([Visit("rest:first", "192.0.2.7", "POST /halt", None, 200)])
    with database.transaction() as session:
        acts = AuditRepository(session).since(None)
        [alert] = AlertRepository(session).recent()
    assert {act.action for act in acts} == {"token.create", "token.lockout", "door.done"}
    assert {act.at for act in acts} == {alert.alert.as_of} == {record.NOON}
    assert "host" not in alert.alert.text
    assert all(act.recorded_at is not None and act.recorded_at != act.at for act in acts)
    assert [token.created_at for token in tokens.active()] == [HOST]


def test_a_lock_out_while_the_desk_is_away_is_told_by_the_hosts_clock(database: Database) -> None:
    """What a silent desk said last is no time of now."""
    silent = FakeLive(said=clock(written_at=HOST - timedelta(hours=9)))
    Tokens(database, silent, lambda: HOST).tell_lockout("192.0.2.7")
    with database.transaction() as session:
        [alert] = AlertRepository(session).recent()
    assert alert.alert.as_of == HOST
    assert "2026-11-30 15:00:00 EST, by the host's clock" in alert.alert.text


def test_without_the_markets_time_an_act_is_of_the_host() -> None:
    live = FakeLive()
    assert live.said is not None
    near = live.said.written_at + timedelta(seconds=1)
    assert market_now(live, near) != near
    assert market_now(FakeLive(said=None), HOST) == HOST
    assert market_now(FakeLive(away=True), HOST) == HOST
