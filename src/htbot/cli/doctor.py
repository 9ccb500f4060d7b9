"""`htbot doctor`."""

from __future__ import annotations

import typer

from htbot.cli.failures import ExitCode
from htbot.cli.output import Json, print_json, print_table


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(doctor)


def doctor(as_json: Json = False) -> int:
    """Check settings, files, servers, desk and API; the exit code is 1 when something fails."""
    from htbot.bootstrap.doctor import FAIL, examine

    findings = list(examine())
    if as_json:
        print_json(findings)
    else:
        print_table("Doctor", ("check", "state", "detail"), ((f.check, f.state, f.detail) for f in findings))
    return ExitCode.ERROR if any(finding.state == FAIL for finding in findings) else ExitCode.OK
