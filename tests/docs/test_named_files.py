"""Files, modules and names of code that the documentation mentions exist."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.docs.pages import PAGES, ROOT, inline_code, named

PATH = re.compile(r"^(?:src|tests|docs|alembic|scripts|benchmarks)/[\w./-]*$")
MODULE = re.compile(r"^htbot(?:\.\w+)+$")
AT_THE_TOP = re.compile(r"^[\w.-]+\.(?:toml|conf|lock|in|sh|py|md|example)$")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_paths_exist(page: Path) -> None:
    codes = inline_code(page)
    wanted = [code for code in codes if PATH.match(code)]
    wanted += [code for code in codes if AT_THE_TOP.match(code)]
    assert [path for path in wanted if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_modules_exist(page: Path) -> None:
    assert [code for code in inline_code(page) if MODULE.match(code) and find_spec(code) is None] == []


def test_the_checklists_have_as_many_files_as_they_say() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### (.+?): (\d) files\n(.*?)(?=^#)", text, re.MULTILINE | re.DOTALL)
    counted = {title: len(re.findall(r"^\d\. ", body, re.MULTILINE)) for title, _, body in sections}
    assert counted == {title: int(number) for title, number, _ in sections}
    assert counted == {"A strategy": 5, "A risk rule": 4, "An endpoint": 4, "A periodic task": 3}
