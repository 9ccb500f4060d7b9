"""`python -m htbot.settings.reference` prints `docs/reference/settings.md`: every variable with default and range."""

from __future__ import annotations

import sys
from datetime import time
from decimal import Decimal
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from htbot.settings.load import SECTIONS, allowed_range, declared_names, variables
from htbot.settings.section import Section

_HEAD = """\
# Settings

Written by `python -m htbot.settings.reference` from the sections in `src/htbot/settings/`; a test holds this page and
the code equal.

A variable of the process environment wins over the same name in `.env`. Empty means unset. Unknown names, values out of
range and two names of one setting with different values refuse to start, with exit code 4 and one line per mistake.
`htbot config check` reads all of it as the programs do. Clock times are New York's; money is US dollars.
`HTBOT_ENV_FILE` in the environment names another file than `.env`.
"""

_WORDS: dict[type, str] = {
    int: "whole number",
    float: "number",
    Decimal: "number",
    time: "HH:MM",
    bool: "true or false",
}


def page() -> str:
    """The page as Markdown."""
    secrets = declared_names().secrets
    return "\n".join([_HEAD, *(_group(section, secrets) for section in SECTIONS.values())])


def _group(section: type[Section], secrets: frozenset[str]) -> str:
    lines = [f"## {section.title}", "", "| variable | values | default | meaning |", "|---|---|---|---|"]
    for name, field in variables(section):
        secret = "; secret" if name in secrets else ""
        aliases = ", ".join(f"`{alias}`" for alias in _extra(field).get("aliases", ()))
        meaning = f"{field.description}{f' (also {aliases})' if aliases else ''}".replace("|", "\\|")
        lines.append(f"| `{name}` | {_values(field)}{secret} | {_default(field)} | {meaning} |")
    return "\n".join([*lines, ""])


def _extra(field: FieldInfo) -> dict[str, Any]:
    return dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}


def _values(field: FieldInfo) -> str:
    """Choices, range or kind."""
    kinds = _kinds(field.annotation)
    choices = [str(choice) for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    plain = [kind for kind in kinds if get_origin(kind) is not Literal]
    limits = allowed_range(field)
    if limits.replace("at least ", "").strip() and any(kind in {int, float, Decimal} for kind in plain):
        return limits
    words = [_WORDS[kind] for kind in plain if kind in _WORDS]
    return ", ".join(dict.fromkeys([*choices, *words])) or "text"


def _kinds(annotation: Any) -> list[Any]:
    """The types behind unions and `Annotated`; None, and what is inside a tuple, are left out."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if annotation in {NoneType, SecretStr} or get_origin(annotation) in {Literal, tuple}:
        return [annotation] if get_origin(annotation) is Literal else []
    parts = get_args(annotation)
    return [kind for part in parts for kind in _kinds(part)] if parts else [annotation]


def _default(field: FieldInfo) -> str:
    shown = _extra(field).get("shown")
    value = field.default if shown is None else shown
    if value is None or value in ((), ""):
        return "unset"
    return f"`{value:%H:%M}`" if isinstance(value, time) else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(page())
