"""The record checked from the command line, and the last comparison with the broker from both."""

# ruff: noqa: F811
from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.integration.api.test_cli import Shell, parsed, shell, traded  # noqa: F401 - fixtures
from tests.support import record
from tests.support.asgi import TestClient

from htbot.execution.disagreement import Standing, judge
from htbot.execution.reconciliation import Finding, FindingKind
from htbot.persistence.engine import Database
from htbot.persistence.records import Account
from htbot.persistence.repositories import AccountRepository
from htbot.services.reconciliation import record_look

ALIKE = Finding(FindingKind.MATCH, record.ACCOUNT, "1 on both sides", con_id=12, symbol="SPX", ours=1, broker=1)
GONE = Finding(FindingKind.PHANTOM, record.ACCOUNT, "we hold -1, the broker none", con_id=11, symbol="SPX", ours=-1)


def tamper(database: Database, statement: str) -> None:
    with database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(statement))


def look(database: Database, *findings: Finding) -> None:
    judgement, _ = judge(Standing(), findings, record.at(5), at_rest=True)
    with database.transaction() as session:
        AccountRepository(session).upsert(Account(record.ACCOUNT, "main", record.WORLD, "paper", record.NOON))
        record_look(session, record.ACCOUNT, judgement, "start")


@pytest.mark.fault(61)
def test_verify_names_what_was_changed(shell: Shell, traded: None, database: Database) -> None:
    parsed(shell("halt", "--reason", "news", "--json"))
    code, out, _ = shell("audit", "verify", "--books")
    assert (code, "as it was written" in out, "as the fills give them" in out) == (0, True, True)
    tamper(database, "UPDATE audit_log SET subject = 'rumours' WHERE action = 'halt'")
    code, out, _ = shell("audit", "verify")
    assert code == 1
    assert "audit_log id " in out
    assert "its columns do not give its hash: the row was changed" in out
    told = shell("audit", "verify", "--json")
    assert told[0] == 1
    (problem,) = json.loads(told[1])["problems"]
    assert problem["table"] == "audit_log"
    assert problem["row"].endswith("number 2 of htbot-cli")


@pytest.mark.fault(61)
def test_a_cut_off_end_is_found_by_the_anchor(
    shell: Shell,
    database: Database,
    tmp_path: Path,
) -> None:
    parsed(shell("halt", "--reason", "news", "--json"))
    heads = parsed(shell("audit", "head", "--write", "--json"))
    assert {head["table"] for head in heads} == {"audit_log", "decision_journal"}
    assert (tmp_path / "var" / "desk" / "audit.head").stat().st_mode & 0o777 == 0o600
    tamper(database, "DELETE FROM audit_log WHERE action = 'halt'")
    code, out, _ = shell("audit", "verify")
    assert code == 1
    assert "the end was cut off" in out
    copy = tmp_path / "elsewhere"
    copy.write_text("{}\n")
    code, _, err = shell("audit", "verify", "--anchor", str(copy))
    assert (code, "is no anchor" in err) == (1, True)


def test_show_by_time_and_family(shell: Shell) -> None:
    parsed(shell("halt", "--reason", "news", "--json"))
    parsed(shell("resume", "--json"))
    acts = [act["action"] for act in parsed(shell("audit", "show", "--json"))]
    assert acts == ["halt.set", "halt", "halt.cleared", "resume"]
    halts = parsed(shell("audit", "show", "--action", "halt", "--json"))
    assert [act["action"] for act in halts] == ["halt.set", "halt", "halt.cleared"]
    assert parsed(shell("audit", "show", "--since", "2999-01-01", "--json")) == []
    assert {"at", "recorded_at"} <= set(halts[0])
    assert {"market time", "host time"} <= set(re.split(r"\s{2,}", shell("audit", "show")[1].splitlines()[1]))
    assert len(parsed(shell("audit", "show", "--since", "2000-01-01T09:30:00", "--limit", "1", "--json"))) == 1
    code, out, _ = shell("audit", "show")
    assert code == 0
    assert "halt.cleared" in out


def test_rebuild_names_the_cent(shell: Shell, traded: None, database: Database) -> None:
    assert parsed(shell("audit", "rebuild", "--json"))["trades"] == 1
    tamper(database, "UPDATE trades SET credit = 4.25")
    code, out, _ = shell("audit", "rebuild")
    assert code == 1
    assert f"trades {record.trade().id}: credit is 4.25, the fills give -" in out


def test_reconciliation_from_the_command_line(shell: Shell, database: Database) -> None:
    code, _, err = shell("reconciliation")
    assert (code, "not compared yet" in err) == (2, True)
    look(database, ALIKE)
    assert parsed(shell("reconciliation", "--json"))["verdict"] == "AGREE"
    look(database, ALIKE, GONE)
    code, out, _ = shell("reconciliation")
    assert code == 1
    for words in ("DIFFER", "PHANTOM", "we hold -1, the broker none"):
        assert words in out


def test_reconciliation_over_rest(api: TestClient, anybody: TestClient, database: Database) -> None:
    assert api.get("/api/v1/reconciliation/latest").status_code == 404
    look(database, ALIKE, GONE)
    told = api.get("/api/v1/reconciliation/latest").json()
    assert (told["verdict"], told["matched"], told["differing"], told["since"]) == (
        "DIFFER", 1, 1, "2022-08-26T16:05:00Z",
    )  # fmt: skip
    (item,) = told["items"]
    assert (item["kind"], item["con_id"], item["ours"], item["broker"]) == ("PHANTOM", 11, -1, 0)
    del anybody.headers["Authorization"]
    assert anybody.get("/api/v1/reconciliation/latest").status_code == 401
