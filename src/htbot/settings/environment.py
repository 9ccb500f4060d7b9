"""Reads `.env` and the process environment into one set of named values, and refuses what it does not understand."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from htbot.domain.errors import ConfigurationError

OUR_PREFIXES = ("HTBOT_", "PAPER_", "IB_", "IBKR_")
"""A name in the process environment with one of these is ours: a misspelled one is refused, not ignored."""

OUTSIDE_NAMES = ("HTBOT_ENV_FILE", "HTBOT_SHARED_DATA", "HTBOT_INSTANCE")
"""Names of ours that are no settings: where `.env` is, where test data is, the mark of a supervised instance."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One value under the name that it was given, and where: `environment`, `command line` or `.env line 3`."""

    name: str
    value: str
    origin: str

    def __str__(self) -> str:
        return f"{self.name}={self.value} ({self.origin})"


class Names:
    """Which variables exist: canonical names and their aliases."""

    def __init__(self, aliases: Mapping[str, tuple[str, ...]], secrets: Iterable[str] = ()) -> None:
        """Take the aliases by canonical name, and the canonical names whose values are never printed."""
        self.canonical = {alias: name for name, others in aliases.items() for alias in (name, *others)}
        self.secrets = frozenset(secrets)

    def is_ours(self, name: str) -> bool:
        """Whether a variable of the process environment claims to be a setting of htbot."""
        return name.startswith(OUR_PREFIXES) and name not in OUTSIDE_NAMES

    def suggestion(self, name: str) -> str:
        """`; did you mean X?` or nothing."""
        close = difflib.get_close_matches(name.upper(), self.canonical, n=1, cutoff=0.75)
        return f"; did you mean {close[0]}?" if close else ""

    def printable(self, found: Variable) -> str:
        """The variable as an error may show it."""
        if self.canonical.get(found.name) in self.secrets:
            return f"{found.name}=*** ({found.origin})"
        return str(found)


def env_file(root: Path, environ: Mapping[str, str]) -> Path:
    """Path of the settings file: `HTBOT_ENV_FILE`, else `.env` in the project's root."""
    named = environ.get("HTBOT_ENV_FILE", "")
    return root / named if named else root / ".env"


def read_environment(
    root: Path, environ: Mapping[str, str], names: Names, command: Mapping[str, str] | None = None
) -> dict[str, Variable]:
    """All settings that are set, by canonical name; the process environment wins over the file, `command` over both.

    Empty values count as unset.

    Raises:
        ConfigurationError: unreadable or malformed file, unknown name, or two names of one setting that disagree.
    """
    path = env_file(root, environ)
    if "HTBOT_ENV_FILE" in environ and not path.exists():
        raise ConfigurationError(f"HTBOT_ENV_FILE={path}: no such file")
    from_file = _read_file(path) if path.exists() else {}
    problems = [
        f"{found.origin}: unknown variable {name}{names.suggestion(name)}"
        for name, found in from_file.items()
        if name not in names.canonical and name not in OUTSIDE_NAMES
    ]
    from_process = {
        name: Variable(name, value.strip(), "environment")
        for name, value in environ.items()
        if name in names.canonical or names.is_ours(name)
    }
    problems += [
        f"environment: unknown variable {name}{names.suggestion(name)}"
        for name in from_process
        if name not in names.canonical
    ]
    from_command = {name: Variable(name, value.strip(), "command line") for name, value in (command or {}).items()}
    given = {**from_file, **from_process, **from_command}
    resolved, conflicts = _resolve_aliases(given.values(), names)
    problems += conflicts
    if problems:
        raise ConfigurationError("\n".join(problems))
    return resolved


def _resolve_aliases(given: Iterable[Variable], names: Names) -> tuple[dict[str, Variable], list[str]]:
    resolved: dict[str, Variable] = {}
    conflicts: list[str] = []
    for found in given:
        canonical = names.canonical.get(found.name)
        if canonical is None or not found.value:
            continue
        other = resolved.setdefault(canonical, found)
        if other.value != found.value:
            conflicts.append(f"{names.printable(other)} and {names.printable(found)} name the same setting: keep one")
    return resolved, conflicts


def _read_file(path: Path) -> dict[str, Variable]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from error
    found: dict[str, Variable] = {}
    problems: list[str] = []
    for binding in parse_stream(io.StringIO(text)):
        line, content = _position(binding)
        origin = f"{path.name} line {line}"
        if binding.error or (binding.key is not None and binding.value is None):
            problems.append(f"{origin}: not NAME=value{_hint(content)}")
        elif binding.key is not None and binding.value is not None:
            earlier = found.get(binding.key)
            found[binding.key] = Variable(binding.key, binding.value.strip(), origin)
            if earlier is not None and earlier.value != binding.value.strip():
                problems.append(
                    f"{origin}: {binding.key} was already set in line {earlier.origin.split()[-1]}: keep one"
                )
    if problems:
        raise ConfigurationError("\n".join(problems))
    return found


def _position(binding: Binding) -> tuple[int, str]:
    """Line number and text of a binding: the parser counts the blank lines before it as part of it."""
    content = binding.original.string
    stripped = content.lstrip()
    return binding.original.line + content[: len(content) - len(stripped)].count("\n"), stripped


def _hint(content: str) -> str:
    """What is wrong with a line, without its value: it may be a secret."""
    name, equals, value = content.partition("=")
    if not equals:
        return ""
    return f", unbalanced quote in {name.strip()}" if value.strip()[:1] in {'"', "'"} else ""
