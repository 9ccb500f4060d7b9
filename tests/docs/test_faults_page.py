"""The page of faults is what the code says."""

from __future__ import annotations

from pathlib import Path

from tests.docs.pages import DOCS, fences, text_of

from htbot.paper.faults.kinds import KINDS
from htbot.paper.faults.reference import page as faults_page
from htbot.paper.faults.script import read_script

PAGE = DOCS / "reference/paper-faults.md"


def test_the_page_is_current() -> None:
    assert text_of(PAGE) == faults_page(), (
        "run: python -m htbot.paper.faults.reference > docs/reference/paper-faults.md"
    )


def test_the_script_on_the_page_is_accepted(tmp_path: Path) -> None:
    (block,) = fences(PAGE, "yaml")
    script = tmp_path / "day.yaml"
    script.write_text(block)
    assert [fault.name for _, fault in read_script(script).entries] == ["outage", "reject", "restart"]


def test_every_fault_has_its_part() -> None:
    assert {f"### {name}\n" in text_of(PAGE) for name in KINDS} == {True}
