"""The page has every strategy on plain instruments, with default, values, unit and meaning of each setting."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from tests.docs.pages import DOCS, ROOT, text_of

from htbot.strategies.bar_strategy import BarConfig
from htbot.strategies.registry import discover

CATALOGUE = {name: entry for name, entry in discover([ROOT / "examples" / "strategies"]).items() if entry.plain}
SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall(text_of(DOCS / "reference/strategies.md")))
COMMON = {str(field["name"]): field for field in BarConfig.schema()}
Row = tuple[str, str, str, str]


def table(section: str) -> dict[str, Row]:
    rows = re.findall(r"^\| `(\w+)` \|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|$", SECTIONS[section], re.MULTILINE)
    return {name: tuple(cell.strip() for cell in cells) for name, *cells in rows}


def described(field: Mapping[str, object]) -> Row:
    default = field["default"]
    spelled = f"{default:g}" if isinstance(default, float) else str(default)
    values = {"boolean": "true, false", "time": "HH:MM"}.get(str(field["type"]), "")
    if "low" in field:
        values = f"{field['low']:g} to {field['high']:g}"
    elif isinstance(choices := field.get("choices"), list):
        values = ", ".join(choices)
    if field["type"] == "time":
        spelled = spelled[:5]
    if field["optional"]:
        values += ", none"
    assert field["meaning"], f"{field['name']} does not say what it is"
    return spelled.lower(), values, str(field["unit"]), str(field["meaning"])


def test_the_common_settings() -> None:
    assert table("Common") == {name: described(field) for name, field in COMMON.items()}


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_strategy_has_its_own_settings_and_changed_defaults(name: str) -> None:
    fields = {str(field["name"]): field for field in CATALOGUE[name].config.schema()}
    own = {key: described(field) for key, field in fields.items() if field != COMMON.get(key)}
    assert table(name) == own


def test_every_strategy_is_in_the_overview() -> None:
    head = text_of(DOCS / "reference/strategies.md").partition("\n## ")[0]
    assert set(re.findall(r"^\| \[(\w+)\]", head, re.MULTILINE)) == set(CATALOGUE)
