"""The page of faults names the tests that carry their numbers, and no number that does not exist."""

from __future__ import annotations

from tests.docs.pages import DOCS, text_of
from tests.proofs.matrix.__main__ import not_run
from tests.proofs.matrix.marks import marked
from tests.proofs.matrix.page import page
from tests.proofs.matrix.rows import FAULTS, NOT_RUN

LATER = range(48, 63)
"""Rows that belong to the control plane."""


def test_the_page_is_current() -> None:
    assert text_of(DOCS / "reference/faults.md") == page(), "run: .venv/bin/python -m tests.proofs.matrix --write"


def test_every_number_is_a_row() -> None:
    assert {number for number in marked("fault") if number not in {*FAULTS, *LATER}} == set()


def test_a_row_with_a_test_is_not_called_not_run() -> None:
    assert sorted(NOT_RUN.keys() & marked("fault").keys()) == []


def test_marks_are_found_where_they_stand() -> None:
    assert any(name.endswith("test_a_frozen_desk_is_killed") for name in marked("fault")[4])
    assert len(marked("ruling")[1]) >= 6, "a mark of a module counts for each of its tests"


def test_what_was_skipped_is_not_run() -> None:
    told = (
        '<testsuites><testsuite><testcase name="ran" /><testcase name="small_disk"><skipped message="not run: no'
        ' namespaces" /></testcase></testsuite></testsuites>'
    )
    assert not_run(told) == ["small_disk: not run: no namespaces"]
