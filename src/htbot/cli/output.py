"""How things are printed: tables for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Account = Annotated[str | None, typer.Option(help="Account, or `all`; default: the one that is traded.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="The newest so many.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Session day, New York; default: any.")]

UNKNOWN = "-"
_WIDE = 200


def print_json(value: Any) -> None:
    """Shapes as JSON: ISO 8601 times, decimal strings, None as null."""
    from pydantic_core import to_jsonable_python

    print(json.dumps(to_jsonable_python(value), indent=2, ensure_ascii=False))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; values that are not text are laid out by kind."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    if not table.row_count:
        print(f"{title}: none")
        return
    Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False, markup=False).print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, aligned."""
    shown = [(name, plain(value)) for name, value in facts]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        print(f"{name:<{width}}  {value}")


def plain(value: object) -> str:
    """A value as people read it: New York time, `-` for unknown."""
    if value is None:
        return UNKNOWN
    if isinstance(value, datetime):
        from htbot.domain.sessions import NEW_YORK

        return value.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(value: object) -> Any:
    """Text that rich takes as it is, control characters made visible."""
    from rich.text import Text

    return Text("".join(letter if letter.isprintable() else "·" for letter in plain(value)))
