"""`htbot doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from htbot.cli.failures import ExitCode
from htbot.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from htbot.bootstrap.doctor import Finding


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> int:
    """Check machine, settings, servers, desk, risk and tasks: GO or NO-GO, and the way out of what fails."""
    from htbot.bootstrap.doctor import examine, verdict

    findings = list(examine())
    told = verdict(findings)
    if as_json:
        print_json({"verdict": told, "findings": findings})
    else:
        rows = ((f.code, f.check, f.state, f.value, f.way_out) for f in findings)
        print_table("Doctor", ("code", "check", "state", "value", "way out"), rows)
        print(_last_line(told, findings))
    return _exit_code(findings)


def _last_line(told: str, findings: Sequence[Finding]) -> str:
    from htbot.bootstrap.doctor import State

    bad = [finding for finding in findings if finding.state is State.FAIL]
    return f"{told}: {len(bad)} fail, read {bad[0].runbook} first" if bad else f"{told}: nothing fails"


def _exit_code(findings: Sequence[Finding]) -> int:
    """4 when the settings cannot be read, 3 when nothing runs, 1 when something else fails."""
    from htbot.bootstrap.doctor import State

    failing = [finding.check for finding in findings if finding.state is State.FAIL]
    if "settings" in failing:
        return ExitCode.CONFIGURATION
    if "processes" in failing and any(f.check == "processes" and f.value == "nothing runs" for f in findings):
        return ExitCode.NOT_RUNNING
    return ExitCode.ERROR if failing else ExitCode.OK
