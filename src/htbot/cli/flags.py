"""Options of a command as the fields of a dataclass, for commands that have many."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, get_type_hints

import typer

FlagsT = TypeVar("FlagsT")


def taking(kind: type[FlagsT], command: Callable[[FlagsT], Any]) -> Callable[..., Any]:
    """The command with one option per field of `kind`, as typer reads them; names and help are the command's own.

    Every field is `Annotated[type, typer.Option(...)]`, or an argument; without a default it must be given. Where the
    command is what a group does by itself, it does nothing when one of the group's commands is named.
    """
    hints = get_type_hints(kind, include_extras=True)

    def run(ctx: typer.Context, **given: Any) -> Any:
        return None if ctx.invoked_subcommand else command(kind(**given))

    parameters = [inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    parameters += [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )
        for field in fields(kind)  # type: ignore[arg-type]
    ]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _default(field: Field[Any]) -> Any:
    """The option's default; `empty` makes it one that must be given."""
    if field.default is not MISSING:
        return field.default
    return None if field.default_factory is not MISSING else inspect.Parameter.empty
