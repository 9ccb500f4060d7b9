"""`htbot`: entry point and table of commands. What a command needs is imported when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import cache

import typer

from htbot.cli import (
    audit,
    backtest,
    chaos,
    control,
    demo,
    doctor,
    new,
    optimize,
    paper,
    parity,
    reads,
    scheduler,
    setup,
    strategies,
    why,
)
from htbot.cli.failures import ExitCode, report
from htbot.domain.errors import HtbotError

_INTERRUPTED = 130
"""128 + SIGINT, as shells have it and as typer answers Ctrl-C."""

app = typer.Typer(
    name="htbot",
    help="htbot: a self-hosted trading system for Interactive Brokers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
FAMILIES = (
    *(reads, why, control, scheduler, strategies, audit, paper, demo, backtest, optimize, parity, chaos, doctor, new),
    setup,
)
for family in FAMILIES:
    family.add_to(app)


@app.callback(invoke_without_command=True)
def _root(version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True)) -> None:
    if version:
        from htbot import __version__

        print(f"htbot {__version__}")
        raise typer.Exit


@cache
def commands() -> Callable[..., object]:
    """The tree of all commands, built once: it takes longer than most of them."""
    return typer.main.get_command(app)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    code: int = ExitCode.ERROR
    try:
        told = commands()(args=None if arguments is None else list(arguments), standalone_mode=False)
        code = told if isinstance(told, int) else ExitCode.OK
    except typer.Exit as done:
        code = int(done.exit_code)
    except typer.TyperException as mistake:
        code = _misused(mistake)
    except HtbotError as error:
        code = report(error)
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.OK
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        print("htbot: interrupted", file=sys.stderr)
    return int(code)


def _misused(mistake: typer.TyperException) -> int:
    """A command line that is not understood is an error (1): code 2 says 'not found'."""
    show = getattr(mistake, "format_message", None)
    text = show() if callable(show) else str(mistake)
    if text:  # a group without a command has shown its help
        ctx = getattr(mistake, "ctx", None)
        path = "htbot" if ctx is None else " ".join(["htbot", *ctx.command_path.split()[1:]])
        words = " ".join(text.split()).rstrip(".")
        print(f"htbot: {words}; {path} --help lists what there is", file=sys.stderr)
    return ExitCode.ERROR


def main() -> None:
    """The console script."""
    sys.exit(run())
