"""`htbot new`: files to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from htbot.cli.output import Json, print_json

new = typer.Typer(help="Files to begin with.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(new, name="new")


@new.command("strategy")
def strategy(
    name: Annotated[str, typer.Argument(help="Its name, in small letters: gap_fade.")],
    folder: Annotated[Path | None, typer.Option(help="Where to; default: examples/strategies.")] = None,
    as_json: Json = False,
) -> None:
    """Write a strategy that runs, its test, its answers, its page and bars to try it on; overwrites nothing."""
    from htbot.bootstrap.scaffold import default_folder, new_strategy

    files = new_strategy(name, folder or default_folder())
    if as_json:
        print_json({"name": name, "files": [str(path) for path in files.all()]})
        return
    for path in files.all():
        print(path)
    print(f"what to do next is in {files.page}")
