"""`python -m htbot.settings.example` prints `.env.example`: every variable, grouped, one comment each."""

from __future__ import annotations

from datetime import time
from typing import Any

from pydantic.fields import FieldInfo

from htbot.settings.load import SECTIONS, variables

HEADER = """\
# Settings of htbot. restart.sh copies this file to .env with a fresh token; a variable of the environment wins over it.
# Lines are NAME=value; remove the # to change a default. Empty means unset. Unknown names are refused.
"""


def example() -> str:
    """The text of `.env.example`."""
    groups = [HEADER]
    for section in SECTIONS.values():
        lines = [f"# --- {section.title} ---"]
        for name, field in variables(section):
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            aliases = f" (also {', '.join(map(str, extra['aliases']))})" if extra.get("aliases") else ""  # type: ignore[arg-type]
            lines.append(f"# {field.description}{aliases}")
            lines.append(f"{'' if name == 'HTBOT_API_TOKEN' else '#'}{name}={_shown(field, extra)}")
        groups.append("\n".join(lines) + "\n")
    return "\n".join(groups)


def _shown(field: FieldInfo, extra: dict[str, Any]) -> str:
    if "shown" in extra:
        return str(extra["shown"])
    value = field.default
    if value is None or value == ():
        return ""
    return f"{value:%H:%M}" if isinstance(value, time) else str(value)


if __name__ == "__main__":
    print(example(), end="")
