"""What a look at both books leaves in the record."""

from __future__ import annotations

from datetime import datetime

import pytest
from tests.support.record import ACCOUNT, LONG, SHORT, SYMBOL, at

from htbot.execution.disagreement import Standing, Verdict, judge
from htbot.execution.reconciliation import Finding, FindingKind
from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry, Halt, StoredAlert
from htbot.persistence.repositories import (
    AlertRepository,
    AuditRepository,
    HaltRepository,
    ReconciliationRepository,
)
from htbot.persistence.states import HaltKind
from htbot.services.reconciliation import record_look

ALIKE = Finding(FindingKind.MATCH, ACCOUNT, "1 on both sides", con_id=LONG.con_id, symbol=SYMBOL, ours=1, broker=1)
GONE = Finding(FindingKind.PHANTOM, ACCOUNT, "we hold -1, the broker none", con_id=SHORT.con_id, symbol=SYMBOL, ours=-1)
BY_HAND = Finding(FindingKind.FOREIGN_ORDER, ACCOUNT, "permId 900 works without our ref", perm_id=900)


class Desk:
    """Looks every so many minutes and records each, twice: an answer that was lost makes it try again."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.standing = Standing()

    def look(self, minutes: float, *findings: Finding) -> Verdict:
        judgement, self.standing = judge(self.standing, findings, at(minutes))
        with self.database.transaction() as session:
            record_look(session, ACCOUNT, judgement, "interval")
        return judgement.verdict

    def alerts(self) -> list[StoredAlert]:
        with self.database.transaction() as session:
            return AlertRepository(session).recent()[::-1]

    def halts(self, now: datetime) -> list[Halt]:
        with self.database.transaction() as session:
            return HaltRepository(session).active(now)

    def acts(self, action: str) -> list[AuditEntry]:
        with self.database.transaction() as session:
            return AuditRepository(session).since(None, action)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def test_a_run_without_items_found_nothing_but_agreement(desk: Desk, database: Database) -> None:
    assert desk.look(0, ALIKE) is Verdict.AGREE
    with database.transaction() as session:
        run = ReconciliationRepository(session).latest(ACCOUNT)
        assert ReconciliationRepository(session).latest("DU2") is None
    assert run is not None
    assert (run.verdict, run.matched, run.differing, run.items) == (Verdict.AGREE, 1, 0, ())
    assert (desk.alerts(), desk.acts("reconciliation")) == ([], [])


def test_from_the_first_mismatch_to_the_halt_and_to_healing(desk: Desk, database: Database) -> None:
    verdicts = [desk.look(minutes, ALIKE, GONE) for minutes in (0, 1, 4, 5, 6)]
    assert verdicts == [
        Verdict.WATCH, Verdict.DIFFER, Verdict.DIFFER, Verdict.HALT_ENTRIES, Verdict.HALT_ENTRIES
    ]  # fmt: skip
    (halt,) = desk.halts(at(6))
    assert (halt.kind, halt.source, halt.ends_at) == (HaltKind.BREAKER, "reconciliation", None)
    assert "PHANTOM SPX 11: we hold -1, the broker none, since 2022-08-26T16:00:00+00:00" in halt.reason
    assert desk.look(7, ALIKE) is Verdict.HEALED
    assert len(desk.halts(at(7))) == 1, "a person lifts it"
    assert [stored.alert.kind for stored in desk.alerts()] == [
        "error.reconciliation", "reconciliation.halt_entries", "reconciliation.healed",
    ]  # fmt: skip
    verdicts = [act.detail["verdict"] for act in desk.acts("reconciliation")]
    assert verdicts == ["WATCH", "DIFFER", "HALT_ENTRIES", "HEALED"]
    with database.transaction() as session:
        runs = ReconciliationRepository(session).recent()[::-1]
    assert [(run.differing, len(run.items)) for run in runs] == [(1, 1)] * 5 + [(0, 0)]
    assert {run.since for run in runs[:5]} == {at(0)}
    assert (runs[0].items[0].kind, runs[0].items[0].ours, runs[0].items[0].con_id) == (FindingKind.PHANTOM, -1, 11)


def test_recording_the_same_look_again_tells_and_halts_once(desk: Desk, database: Database) -> None:
    desk.look(0, GONE)
    judgement, _ = judge(desk.standing, [GONE], at(5))
    for _ in range(2):
        with database.transaction() as session:
            record_look(session, ACCOUNT, judgement, "interval")
    assert len(desk.alerts()) == 2
    assert len(desk.halts(at(5))) == 1


@pytest.mark.fault(40)
def test_a_persons_order_is_told_once_a_day_and_nothing_is_halted(desk: Desk) -> None:
    for minutes in (0, 1, 20, 21, 40, 41):
        desk.look(minutes, *([] if minutes == 20 else [BY_HAND]))
    (told,) = desk.alerts()
    assert (told.alert.kind, told.alert.account) == ("error.foreign", ACCOUNT)
    assert "permId 900 works without our ref" in told.alert.text
    assert desk.halts(at(60)) == []


@pytest.mark.fault(39)
def test_a_delivered_position_blocks_its_symbol_until_it_is_gone(desk: Desk, database: Database) -> None:
    shares = Finding(
        FindingKind.EXTERNAL_POSITION, ACCOUNT, "the broker holds 100, we none", con_id=77, symbol="SPY", broker=100
    )

    def blocked() -> dict[str, str]:
        with database.transaction() as session:
            return ReconciliationRepository(session).blocked(ACCOUNT)

    assert blocked() == {}
    desk.look(0, ALIKE, BY_HAND, shares)
    assert blocked() == {"SPY": "EXTERNAL_POSITION 77: the broker holds 100, we none"}
    desk.look(1, ALIKE, BY_HAND)
    assert blocked() == {}


def test_setting_and_clearing_a_halt_are_acts(desk: Desk, database: Database) -> None:
    desk.look(0, GONE)
    desk.look(5, GONE)
    with database.transaction() as session:
        HaltRepository(session).clear("cli:alice", at(9))
    acts = [(act.actor, act.action, act.subject, act.detail["kind"]) for act in desk.acts("halt")]
    assert acts == [
        ("reconciliation", "halt.set", "reconciliation", "breaker"),
        ("cli:alice", "halt.cleared", "reconciliation", "breaker"),
    ]
