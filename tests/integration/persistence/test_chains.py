"""The hash chains in PostgreSQL: nobody gets around them, nobody waits long for them, and every change shows."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from tests.integration.persistence.conftest import Enter, die_after
from tests.support.record import LONG, NOON, SHORT, at, fill, order, refusal, signal

from htbot.domain.orders import IntentState, OrderState
from htbot.persistence import migrations
from htbot.persistence.chains import JOURNALED
from htbot.persistence.engine import Database, EngineOptions, normalise_url
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import (
    AuditRepository,
    CommandRepository,
    CommandRequest,
    DecisionJournal,
    FillRepository,
    HaltRepository,
    HaltRequest,
    IntentRepository,
    OrderRepository,
    RiskDecisionRepository,
    SignalRepository,
)
from htbot.services.anchors import AnchorFile
from htbot.services.audit import Audit, AuditParts, AuditReport

CHAIN_COLUMNS = ["lane", "seq", "prev_hash", "hash"]
AUDIT_COLUMNS = ["id", "at", "actor", "action", "subject", "detail", "recorded_at", *CHAIN_COLUMNS]
JOURNAL_COLUMNS = ["id", "kind", "key", "op", "as_of", "body", "recorded_at", *CHAIN_COLUMNS]


def act(number: int, **changes: object) -> AuditEntry:
    return replace(AuditEntry(at(number), "operator", "halt", f"act {number}", {"price": 1.5, "n": number}), **changes)


@pytest.fixture
def anchors(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "desk" / "audit.head")


@pytest.fixture
def audit(database: Database, anchors: AnchorFile) -> Audit:
    return Audit(AuditParts(database, anchors, lambda: NOON, pause=lambda _seconds: None))


@pytest.fixture
def written(database: Database, enter: Enter, epoch: int) -> None:
    """Five acts, and an entry that was decided, sent, filled and halted behind."""
    _, intent = enter()
    for number in range(1, 6):
        with database.transaction() as session:
            AuditRepository(session).add(act(number))
    with database.transaction() as session:
        intents = IntentRepository(session)
        intents.claim_some(epoch, at(1), 1)
        intents.begin_sending({intent.ref: 5}, 17, epoch=epoch, at=at(1))
    with database.transaction() as session:
        signal_id = SignalRepository(session).add(signal(), "minimum_credit")
        RiskDecisionRepository(session).add(refusal(2), signal_id)
        orders, fills = OrderRepository(session), FillRepository(session)
        orders.upsert(order(intent, perm_id=900), at(2))
        orders.upsert(order(intent, perm_id=900, state=OrderState.FILLED, filled=1), at(3))
        for leg in (SHORT, LONG):
            fills.add(fill(intent, leg, f"{leg.con_id}.01"), at(3))
        IntentRepository(session).move(intent.ref, IntentState.SENDING, IntentState.FILLED, epoch=epoch, at=at(3))
        HaltRepository(session).set(HaltRequest("api", "looks wrong", "operator", NOON))
        CommandRepository(session).create(CommandRequest("key", "halt", "operator", NOON))


def tamper(database: Database, statement: str, **values: object) -> None:
    """As a superuser who switches the triggers off."""
    with database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        assert session.execute(text(statement), values).rowcount > 0


def said(report: AuditReport) -> set[tuple[str, str]]:
    return {(problem.table, problem.what) for problem in report.problems}


def test_what_was_written_verifies(audit: Audit, written: None) -> None:
    report = audit.verify()
    assert (report.ok, report.problems) == (True, [])
    assert report.links["audit_log"] == 6
    assert report.links["decision_journal"] == 16
    assert all(report.rows[one.table] for one in JOURNALED.values()), "each kind has a row to be proved"


def test_an_empty_record_verifies(audit: Audit) -> None:
    assert audit.verify().ok


@pytest.mark.fault(61)
@pytest.mark.parametrize("column", AUDIT_COLUMNS)
def test_one_changed_byte_of_the_audit_log_is_found(
    audit: Audit, database: Database, written: None, column: str
) -> None:
    tamper(database, f"UPDATE audit_log SET {column} = {CHANGES[column]} WHERE subject = 'act 3'")
    problems = audit.verify().problems
    assert problems
    assert {problem.table for problem in problems} == {"audit_log"}


@pytest.mark.fault(61)
@pytest.mark.parametrize("column", JOURNAL_COLUMNS)
@pytest.mark.parametrize("op", ["insert", "update"])
def test_one_changed_byte_of_the_journal_is_found(
    audit: Audit, database: Database, written: None, column: str, op: str
) -> None:
    tamper(
        database,
        f"UPDATE decision_journal SET {column} = {CHANGES[column]} WHERE id = "
        "(SELECT min(id) FROM decision_journal WHERE kind = 'intent' AND op = :op)",
        op=op,
    )
    assert "decision_journal" in {problem.table for problem in audit.verify().problems}


CHANGES = {
    "id": "id + 1000000",
    "at": "at + interval '1 microsecond'",
    "as_of": "as_of + interval '1 microsecond'",
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "actor": "actor || ' '",
    "action": "upper(action)",
    "subject": "subject || E'\\u200b'",
    "kind": "'order'",
    "key": "key || 'x'",
    "op": "'delete'",
    "detail": "jsonb_set(detail, '{price}', '1.50')",
    "body": "jsonb_set(body, '{state}', '\"FILLED\"')",
    "lane": "lane || '2'",
    "seq": "seq + 1000000",
    "prev_hash": "overlay(prev_hash placing 'x' from 64)",
    "hash": "overlay(hash placing 'x' from 1)",
}


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    ("table", "statement", "what"),
    [
        ("signals", "UPDATE signals SET level = level + 0.25", "level is 4160.25, the journal says 4160"),
        ("risk_decisions", "UPDATE risk_decisions SET outcomes = '[]' WHERE approved", "outcomes is []"),
        ("trades", "UPDATE trades SET width = 35", "width is 35.000000, the journal says 40.000000"),
        ("intents", "UPDATE intents SET limit_price = -4.30", "limit_price is"),
        ("orders", "UPDATE orders SET filled = 2", "filled is 2, the journal says 1"),
        ("order_perm_ids", "UPDATE order_perm_ids SET state = 'PARTIAL'", 'state is "PARTIAL", the journal says "FI'),
        ("fills", "UPDATE fills SET price = price + 0.01 WHERE exec_id = '11.01'", "price is"),
        ("halts", "UPDATE halts SET set_by = 'nobody'", 'set_by is "nobody", the journal says "operator"'),
        ("commands", "UPDATE commands SET state = 'DONE'", 'state is "DONE", the journal says "PENDING"'),
        ("fills", "DELETE FROM fills WHERE exec_id = '12.01'", "the journal has this row, and it is missing"),
        (
            "halts",
            "INSERT INTO halts (kind, source, reason, set_by, set_at) VALUES ('halt', 'x', 'x', 'x', now())",
            "the journal does not know this row",
        ),
    ],
)  # fmt: skip
def test_a_row_that_is_not_what_the_journal_says(
    audit: Audit, database: Database, written: None, table: str, statement: str, what: str
) -> None:
    tamper(database, statement)
    (problem,) = audit.verify().problems
    assert problem.table == table
    assert problem.what.startswith(what)


@pytest.mark.fault(61)
@pytest.mark.parametrize(
    ("statement", "table", "what"),
    [
        ("UPDATE signals SET level = 4200", "signals", "level was changed from 4160 by htbot, entry "),
        (
            "UPDATE risk_decisions SET outcomes = '[]' WHERE NOT approved",
            "risk_decisions",
            "outcomes was changed from [{",
        ),
        ("UPDATE intents SET tick = 0.10", "intents", "tick was changed from 0.050000 by htbot"),
        ("UPDATE trades SET legs = '[]'", "trades", "legs was changed from"),
        ("UPDATE fills SET price = 9 WHERE exec_id = '11.01'", "fills", "price was changed from 5.100000 by htbot"),
        ("UPDATE halts SET reason = 'nothing'", "halts", 'reason was changed from "looks wrong" by htbot'),
        ("UPDATE orders SET account = 'DU2'", "orders", 'account was changed from "DU1000001" by htbot'),
        ("DELETE FROM fills WHERE exec_id = '12.01'", "fills", "it was deleted by htbot, entry "),
    ],
)
def test_a_change_that_nobody_makes_is_found_though_its_journal_is_whole(
    audit: Audit, database: Database, written: None, statement: str, table: str, what: str
) -> None:
    """Plain SQL with every trigger on: it is written down like everything, and it is not one of the legal changes."""
    with database.transaction() as session:
        session.execute(text(statement))
    (problem,) = audit.verify().problems
    assert problem.table == table
    assert problem.what.startswith(what)


def test_a_row_that_is_missing_is_named_by_its_number(audit: Audit, database: Database, written: None) -> None:
    tamper(database, "DELETE FROM audit_log WHERE subject = 'act 3'")
    (problem,) = audit.verify().problems
    assert (problem.table, problem.what) == ("audit_log", "number 3 is missing before it")
    assert "number 4 of htbot" in problem.row


def test_rows_that_changed_places_are_found(audit: Audit, database: Database, written: None) -> None:
    tamper(
        database,
        "UPDATE audit_log AS one SET subject = other.subject, detail = other.detail, at = other.at "
        "FROM audit_log AS other WHERE (one.subject, other.subject) IN (('act 2', 'act 3'), ('act 3', 'act 2'))",
    )
    assert len(audit.verify().problems) == 2


def test_rows_whose_numbers_changed_places_are_found(audit: Audit, database: Database, written: None) -> None:
    tamper(database, "UPDATE audit_log SET seq = -seq WHERE subject IN ('act 2', 'act 3')")
    tamper(database, "UPDATE audit_log SET seq = 5 + seq WHERE seq < 0")
    assert len(audit.verify().problems) >= 2


def test_a_rewritten_end_looks_right_and_an_anchor_knows_better(
    audit: Audit, database: Database, written: None
) -> None:
    audit.note_heads("session end")
    tamper(database, "DELETE FROM audit_log WHERE seq >= 5")
    assert said(audit.verify(AnchorFile(Path("/nonexistent/audit.head")))) == set(), "the chain alone cannot tell"
    (problem,) = audit.verify().problems
    assert problem.what == "an anchor knows this row, and it is missing: the end was cut off"
    with database.transaction() as session:
        for number in (5, 6):
            AuditRepository(session).add(act(number, subject="another story"))
    (problem,) = audit.verify().problems
    assert problem.what == "its hash is not the one that an anchor has: the chain was written anew"


def test_every_anchor_counts_not_only_the_last(audit: Audit, database: Database, written: None) -> None:
    audit.note_heads("session end")
    with database.transaction() as session:
        AuditRepository(session).add(act(7))
    audit.note_heads("session end")
    report = audit.verify()
    assert (report.ok, report.anchors) == (True, 2)


@pytest.mark.parametrize("table", ["audit_log", "decision_journal"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET seq = 1", "DELETE FROM {}", "TRUNCATE {}"])
def test_nothing_written_is_changed_again(database: Database, written: None, table: str, statement: str) -> None:
    with database.transaction() as session, pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(statement.format(table)))


def test_what_a_writer_claims_for_itself_is_overwritten(audit: Audit, database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO audit_log (at, actor, action, subject, detail, lane, seq, prev_hash, hash) "
                "VALUES (now(), 'a', 'b', 'c', '{}', 'mine', 77, 'x', 'y')"
            )
        )
    report = audit.verify()
    assert (report.ok, [(link.lane, link.seq) for link in report.heads]) == (True, [("htbot", 1)])


def test_a_temporary_table_does_not_stand_in_for_the_journal(audit: Audit, database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("CREATE TEMPORARY TABLE decision_journal (LIKE public.decision_journal) ON COMMIT DROP"))
        SignalRepository(session).add(signal(), "refused")
    report = audit.verify()
    assert (report.ok, report.links["decision_journal"]) == (True, 1)


def test_many_rows_of_one_statement_are_links_of_one_chain(audit: Audit, database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO audit_log (at, actor, action, subject, detail) "
                "SELECT now(), 'a', 'b', n::text, '{}' FROM generate_series(1, 50) AS n"
            )
        )
    assert audit.verify().links["audit_log"] == 50
    assert audit.verify().ok


def test_the_journal_tells_an_intents_life_in_its_order(database: Database, written: None) -> None:
    with database.transaction() as session:
        (stored,) = IntentRepository(session).pending() or IntentRepository(session).of_session(NOON.date())
        life = DecisionJournal(session).of("intent", [stored.intent.ref])
    assert [(change.op, change.body.get("state")) for change in life] == [
        ("insert", "PENDING"), ("update", "CLAIMED"), ("update", "SENDING"), ("update", "FILLED"),
    ]  # fmt: skip
    assert life[0].body["limit_price"] == -4.25
    assert set(life[1].body) == {"state", "claim_epoch"}, "what has changed, and nothing else"
    assert [change.as_of for change in life] == [at(1), at(1), at(1), at(3)]


def test_an_update_that_changes_nothing_is_no_entry(database: Database, audit: Audit, enter: Enter) -> None:
    enter()
    before = audit.verify().links["decision_journal"]
    with database.transaction() as session:
        session.execute(text("UPDATE intents SET reason = reason"))
    assert audit.verify().links["decision_journal"] == before


def test_what_is_rolled_back_leaves_no_gap(database: Database, audit: Audit) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        die_after(AuditRepository(session).add, act(1))
    with database.transaction() as session:
        AuditRepository(session).add(act(2))
    assert audit.verify().ok


@pytest.fixture
def lanes(database_url: str) -> Iterator[dict[str, Database]]:
    opened = {
        name: Database(database_url, EngineOptions(application_name=name, pool_size=6))
        for name in ("htbot-worker", "htbot-desk-orders", "htbot-api")
    }
    yield opened
    for one in opened.values():
        one.close()


def test_many_writers_at_once_make_whole_chains(lanes: dict[str, Database], audit: Audit) -> None:
    def write(database: Database, number: int) -> None:
        for turn in range(10):
            with database.transaction() as session:
                signal_id = SignalRepository(session).add(signal(float(number * 100 + turn)), "refused")
                RiskDecisionRepository(session).add(refusal(number * 100 + turn), signal_id)
                AuditRepository(session).add(act(turn))

    threads = [
        threading.Thread(target=write, args=(database, 3 * number + turn))
        for number, database in enumerate(lanes.values(), start=1)
        for turn in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report = audit.verify()
    assert (report.ok, report.links) == (True, {"audit_log": 90, "decision_journal": 180})
    assert {link.lane: link.seq for link in report.heads if link.table == "audit_log"} == dict.fromkeys(lanes, 30)


@pytest.mark.fault(17)
def test_a_writer_that_hangs_in_its_transaction_holds_up_neither_the_desk_nor_its_own_lane(
    lanes: dict[str, Database], audit: Audit
) -> None:
    """Frozen after its writes: links of the journal are made while the server commits, so nobody waits for it."""

    def hasty(session: Session, number: int) -> None:
        session.execute(text("SET LOCAL lock_timeout = '200ms'"))
        assert SignalRepository(session).add(signal(float(number)), "refused") is not None

    with lanes["htbot-worker"].transaction() as frozen:
        SignalRepository(frozen).add(signal(), "refused")
        frozen.flush()
        for number, name in enumerate(("htbot-desk-orders", "htbot-api", "htbot-worker"), start=1):
            with lanes[name].transaction() as session:
                hasty(session, number)
    assert audit.verify().ok


def test_an_act_waits_for_its_own_lane_only(lanes: dict[str, Database], audit: Audit) -> None:
    with lanes["htbot-worker"].transaction() as frozen:
        AuditRepository(frozen).add(act(1))
        with lanes["htbot-desk-orders"].transaction() as session:
            session.execute(text("SET LOCAL lock_timeout = '200ms'"))
            AuditRepository(session).add(act(2))
    assert audit.verify().ok


def test_an_older_record_becomes_the_beginning_of_the_chains(fresh_database_url: str, tmp_path: Path) -> None:
    migrations.downgrade(fresh_database_url, "0002")
    engine = create_engine(normalise_url(fresh_database_url))
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO audit_log (at, actor, action, subject, detail) "
                "SELECT now(), 'a', 'b', n::text, '{}' FROM generate_series(1, 3) AS n; "
                "INSERT INTO halts (kind, source, reason, set_by, set_at) VALUES ('halt', 'api', 'x', 'y', now())"
            )
        )
    engine.dispose()
    migrations.upgrade(fresh_database_url)
    opened = Database(fresh_database_url)
    try:
        audit = Audit(AuditParts(opened, AnchorFile(tmp_path / "none"), lambda: NOON + timedelta(days=1)))
        report = audit.verify()
        assert (report.ok, report.links, report.rows["halts"]) == (True, {"audit_log": 3, "decision_journal": 1}, 1)
        tamper(opened, "UPDATE audit_log SET subject = '9' WHERE subject = '2'")
        assert [problem.what for problem in audit.verify().problems] == [
            "its columns do not give its hash: the row was changed"
        ]
    finally:
        opened.close()
