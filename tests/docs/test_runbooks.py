"""Each check of `htbot doctor` has a runbook, and each runbook a check."""

from __future__ import annotations

import pytest
from tests.docs.pages import DOCS, fences, links, rows, text_of

from htbot.bootstrap.doctor import CHECKS, CODES

FOLDER = DOCS / "runbooks"


def test_codes_are_unique_and_have_a_page_each() -> None:
    assert len(set(CODES)) == len(CODES)
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert {path.stem for path in FOLDER.glob("HT-*.md")} == set(CODES)


def test_the_index_lists_them_in_the_order_of_the_report() -> None:
    assert [target.removesuffix(".md") for _, _, target in links(FOLDER / "README.md")] == list(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_says_what_why_and_what_to_do(code: str) -> None:
    page = FOLDER / f"{code}.md"
    text = text_of(page)
    titles = {cells[0].split("]")[0].strip("["): cells[1] for cells in rows(FOLDER / "README.md")}
    assert text.startswith(f"# {code}: {titles[code]}\n\n")
    assert "\n## Likely causes\n\n- " in text
    assert "\n## What to do\n" in text
    assert fences(page, "bash")
