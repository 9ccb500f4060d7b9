"""A script of faults: a YAML list, each entry a fault with its fields and the market time from which it counts.

Every scalar is taken as the text that stands in the file (YAML itself would read 10:32:30 as a number in base 60), so a
script means what the same words mean on the command line.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

from htbot.domain.errors import CallerMistake, ConfigurationError
from htbot.paper.faults.kinds import Fault
from htbot.paper.faults.plan import Script
from htbot.paper.faults.reading import read_fault

_MAX_BYTES = 256 * 1024


def read_script(path: Path) -> Script:
    """Read and check a whole script.

    Raises:
        ConfigurationError: file, line and rule of each mistake.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{path}: {reason}: a script of faults is a YAML file") from error
    if len(raw) > _MAX_BYTES:
        raise ConfigurationError(f"{path}: {len(raw)} bytes: a script of faults has at most {_MAX_BYTES}")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        raise ConfigurationError(f"{where}: {getattr(error, 'problem', None) or 'no YAML'}") from error
    return Script(hashlib.sha256(raw).hexdigest()[:16], _entries(path, node))


def _entries(path: Path, node: yaml.Node | None) -> tuple[tuple[int, Fault], ...]:
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise ConfigurationError(f"{path}:{_line(node)}: a script is a list; begin each entry with `- fault: NAME`")
    entries: list[tuple[int, Fault]] = []
    problems: list[str] = []
    for item in node.value:
        try:
            entries.append((_line(item), _fault(item)))
        except CallerMistake as mistake:
            problems.append(f"{path}:{_line(item)}: {mistake}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return tuple(entries)


def _fault(node: yaml.Node) -> Fault:
    if not isinstance(node, yaml.MappingNode):
        raise CallerMistake("an entry is `fault: NAME` and its fields, one on a line")
    given: dict[str, str] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
            raise CallerMistake("a field is a name and one plain value")
        if key.value in given:
            raise CallerMistake(f"field '{key.value}' is given twice: keep one")
        given[key.value] = value.value
    name = given.pop("fault", None)
    if name is None:
        raise CallerMistake("an entry needs `fault: NAME`")
    return read_fault(name, given)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
