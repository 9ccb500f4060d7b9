"""Commands that check the record: audit show, verify, rebuild, head; and the last comparison with the broker."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from htbot.cli.failures import ExitCode
from htbot.cli.opening import people
from htbot.cli.output import Account, Json, Limit, plain, print_facts, print_json, print_table

if TYPE_CHECKING:
    from htbot.persistence.queries.reconciliation import ReconciliationView
    from htbot.services.audit import AuditReport, BooksReport

audit = typer.Typer(help="The record against itself.", no_args_is_help=True)

_LONG_READ_MS = 600_000
_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

Since = Annotated[datetime | None, typer.Option(formats=_FORMATS, help="From this New York day or time on.")]
Action = Annotated[str | None, typer.Option(help="One action, or a family: `halt` is also `halt.set`.")]
Anchors = Annotated[Path | None, typer.Option("--anchor", help="Anchor file; default: var/desk/audit.head.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(audit, name="audit")
    app.command()(reconciliation)


@audit.command("show")
def show(since: Since = None, action: Action = None, limit: Limit = 200, as_json: Json = False) -> None:
    """Who did what, oldest first: commands of people, halts, flips of trading, verdicts of reconciliation."""
    from htbot.domain.sessions import NEW_YORK

    with people() as opened:
        found = opened.audit.acts(None if since is None else since.replace(tzinfo=NEW_YORK), action, limit)
    if as_json:
        print_json(found)
        return
    rows = ([act.at, act.recorded_at, act.actor, act.action, act.subject, _facts(act.detail)] for act in found)
    print_table("Acts", ("market time", "host time", "actor", "action", "subject", "detail"), rows)


def _facts(detail: object) -> str:
    if not isinstance(detail, dict):
        return plain(detail)
    return ", ".join(f"{name} {plain(value)}" for name, value in sorted(detail.items()) if value not in (None, "", []))


@audit.command("verify")
def verify(
    anchor: Anchors = None,
    books: Annotated[bool, typer.Option("--books", help="Rebuild the books from fills as well.")] = False,
    as_json: Json = False,
) -> int:
    """Check every hash, every journaled row and every anchor; exit code 1 names what is not as it was written."""
    from htbot.services.anchors import AnchorFile

    with people(statement_timeout_ms=_LONG_READ_MS) as opened:
        report = opened.audit.verify(None if anchor is None else AnchorFile(anchor))
        rebuilt = opened.audit.rebuild() if books else None
    ok = report.ok and (rebuilt is None or rebuilt.ok)
    if as_json:
        print_json(report if rebuilt is None else {"ok": ok, "record": report, "books": rebuilt})
    else:
        _print_report(report)
        if rebuilt is not None:
            _print_books(rebuilt)
    return ExitCode.OK if ok else ExitCode.ERROR


def _print_report(report: AuditReport) -> None:
    links = ", ".join(f"{count} of {table}" for table, count in report.links.items())
    rows = ", ".join(f"{count} of {table}" for table, count in report.rows.items())
    facts = [
        ("Links", links),
        ("Rows", rows),
        ("Anchors", report.anchors),
        ("Record", "as it was written" if report.ok else f"{len(report.problems)} problems"),
    ]
    print_facts(facts)
    for problem in report.problems:
        print(f"{problem.table} {problem.row}: {problem.what}")


@audit.command("rebuild")
def rebuild(as_json: Json = False) -> int:
    """Make positions, trades and results of days again from fills; exit code 1 names what is stored otherwise."""
    with people(statement_timeout_ms=_LONG_READ_MS) as opened:
        report = opened.audit.rebuild()
    if as_json:
        print_json(report)
    else:
        _print_books(report)
    return ExitCode.OK if report.ok else ExitCode.ERROR


def _print_books(report: BooksReport) -> None:
    made = f"{report.positions} positions, {report.trades} trades, {report.days} days from {report.fills} fills"
    print_facts([("Rebuilt", made), ("Books", "as the fills give them" if report.ok else "differ")])
    for one in report.differences:
        print(f"{one.table} {one.key}: {one.field} is {plain(one.stored)}, the fills give {plain(one.rebuilt)}")


@audit.command("head")
def head(
    write: Annotated[bool, typer.Option("--write", help="Also note it in var/desk/audit.head.")] = False,
    as_json: Json = False,
) -> None:
    """The last hash of each chain, to be noted outside of the database."""
    with people() as opened:
        heads = list(opened.audit.note_heads("by hand").heads) if write else opened.audit.heads()
    if as_json:
        print_json(heads)
        return
    print_table("Heads", ("table", "lane", "number", "hash"), ([h.table, h.lane, h.seq, h.hash] for h in heads))


def reconciliation(account: Account = None, as_json: Json = False) -> int:
    """The last comparison of our books with the broker's; exit code 1 while they differ."""
    with people() as opened:
        found = opened.queries.reconciliation(account)
    if as_json:
        print_json(found)
    else:
        _print_reconciliation(found)
    return ExitCode.OK if found.differing == 0 else ExitCode.ERROR


def _print_reconciliation(found: ReconciliationView) -> None:
    print_facts(
        [
            ("Account", found.account),
            ("Looked at", f"{plain(found.as_of)} New York ({found.cause})"),
            ("Verdict", found.verdict),
            ("Differs since", found.since),
            ("Contracts alike", found.matched),
        ]
    )
    names = ("kind", "symbol", "con_id", "ref", "perm_id", "ours", "broker", "since", "detail")
    if found.items:
        print_table("Findings", names, ([getattr(item, name) for name in names] for item in found.items))
