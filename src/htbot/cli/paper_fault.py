"""`htbot paper fault`: make something go wrong in a running paper gateway."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from htbot.cli.failures import NotRunning
from htbot.cli.output import Json, plain, print_facts, print_json, print_table

_Words = Annotated[list[str] | None, typer.Argument(metavar="FIELD=VALUE", help="Fields of the fault.")]
_Number = Annotated[int | None, typer.Argument(help="Number of the fault, as list shows it; default: all.")]

_INSTANTS = frozenset({"from", "market_time", "link_until"})

app = typer.Typer(help="Faults of a running gateway, through its control port.", no_args_is_help=True)


class _TellingFaults(TyperCommand):
    """A command whose help lists every fault. The table is read when somebody asks for help, not before."""

    def get_help(self, ctx: Any) -> str:
        """The help text."""
        self.help = _help_of_add()
        return super().get_help(ctx)


def add_to(group: typer.Typer) -> None:
    """Register the commands."""
    app.command("list")(list_faults)
    app.command(cls=_TellingFaults)(add)
    app.command()(clear)
    app.command()(status)
    group.add_typer(app, name="fault")


def _help_of_add() -> str:
    """Every fault with its effect and an example, from the table that the gateway itself reads."""
    from htbot.paper.faults.kinds import KINDS

    paragraphs = [f"htbot paper fault add {kind.name} {kind.example}\n\n{kind.effect}" for kind in KINDS.values()]
    return "\n\n".join(
        ("Arm a fault. Fields are FIELD=VALUE; docs/reference/paper-faults.md has them all.", *paragraphs)
    )


def list_faults(as_json: Json = False) -> None:
    """Every fault: number, what it is, from when, how often it has met."""
    rows = _ask({"do": "list"})
    if as_json:
        print_json(rows)
        return
    columns = ("number", "fault", "fields", "from", "met", "state", "source")
    print_table("faults", columns, ([_shown(column, row[column]) for column in columns] for row in rows))


def add(
    fault: Annotated[str, typer.Argument(help="Name of the fault.")], words: _Words = None, as_json: Json = False
) -> None:
    """Arm a fault."""
    from htbot.paper.faults.reading import words_to_fields

    row = _ask({"do": "add", "fault": fault, "fields": words_to_fields(words or ())})
    if as_json:
        print_json(row)
    else:
        print(f"fault {row['number']}: {row['fault']} from {plain(_shown('from', row['from']))}")


def clear(number: _Number = None, as_json: Json = False) -> None:
    """Remove a fault, or all of them; what they have done stays done, an outage ends."""
    answer = _ask({"do": "clear", "number": number})
    if as_json:
        print_json(answer)
    else:
        print(f"cleared {answer['cleared']}")


def status(as_json: Json = False) -> None:
    """Market time, the link to IB, clients, and what is in force."""
    answer = _ask({"do": "status"})
    if as_json:
        print_json(answer)
    else:
        print_facts((name, _shown(name, value)) for name, value in answer.items())


def _shown(name: str, value: Any) -> Any:
    """A value of an answer as people read it: instants are told as such, lists and fields in words."""
    if name in _INSTANTS and value is not None:
        return datetime.fromisoformat(value)
    if isinstance(value, dict):
        return " ".join(f"{field}={text}" for field, text in value.items())
    return (", ".join(map(str, value)) or None) if isinstance(value, list) else value


def _ask(request: dict[str, Any]) -> Any:
    from htbot.cli.opening import settings
    from htbot.paper.faults.talk import NoControlPort, ask

    try:
        return ask(Path(settings().paths.paper), request)
    except NoControlPort as error:
        raise NotRunning(str(error)) from error
