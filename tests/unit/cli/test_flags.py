from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from htbot.cli.flags import taking


@dataclass(frozen=True, slots=True)
class Flags:
    size: Annotated[int, typer.Option(help="How many.")] = 3
    name: Annotated[str | None, typer.Option()] = None
    loud: Annotated[bool, typer.Option("--loud")] = False


def show(flags: Flags) -> None:
    """Shows them."""
    typer.echo(flags)


def test_fields_become_options_of_the_command() -> None:
    app = typer.Typer()
    app.command()(taking(Flags, show))
    told = CliRunner().invoke(app, ["--size", "5", "--loud"])
    assert told.output.strip() == "Flags(size=5, name=None, loud=True)"
    assert CliRunner().invoke(app, []).output.strip() == "Flags(size=3, name=None, loud=False)"
    assert CliRunner().invoke(app, ["--size", "x"]).exit_code != 0
    assert "How many." in CliRunner().invoke(app, ["--help"]).output


def test_command_keeps_its_name_and_help() -> None:
    command = taking(Flags, show)
    assert (command.__name__, command.__doc__) == ("show", "Shows them.")
    assert list(inspect.signature(command).parameters) == ["ctx", "size", "name", "loud"]


def test_a_groups_own_command_leaves_the_word_to_the_one_that_is_named() -> None:
    app = typer.Typer(invoke_without_command=True)
    app.callback()(taking(Flags, show))
    app.command()(other)
    assert CliRunner().invoke(app, ["--size", "5"]).output.strip() == "Flags(size=5, name=None, loud=False)"
    assert CliRunner().invoke(app, ["other"]).output.strip() == "other"


def other() -> None:
    """Another command."""
    typer.echo("other")
