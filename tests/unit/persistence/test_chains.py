from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.persistence.chains import GENESIS, ChainRow, check_chain


def chain(lane: str = "desk", length: int = 5) -> list[ChainRow]:
    rows, last = [], GENESIS
    for seq in range(1, length + 1):
        content = f"{lane} {seq} {last}"
        row = ChainRow(seq * 10, lane, seq, last, hashlib.sha256(content.encode()).hexdigest(), content)
        rows.append(row)
        last = row.hash
    return rows


def told(rows: Sequence[ChainRow]) -> list[tuple[str, str]]:
    return [(problem.row, problem.what) for problem in check_chain("audit_log", rows)]


def test_whole_chains_of_two_lanes() -> None:
    assert told([*chain("api"), *chain("desk")]) == []
    assert told([]) == []


@pytest.mark.parametrize(
    ("rows", "row", "what"),
    [
        ([*chain()[:1], *chain()[2:]], "id 30, number 3 of desk", "number 2 is missing before it"),
        ([*chain()[:1], *chain()[3:]], "id 40, number 4 of desk", "numbers 2 to 3 are missing before it"),
        (chain()[1:], "id 20, number 2 of desk", "number 1 is missing before it"),
        ([*chain()[:2], *chain()[1:]], "id 20, number 2 of desk", "its number comes twice"),
    ],
)
def test_numbers(rows: list[ChainRow], row: str, what: str) -> None:
    assert told(rows) == [(row, what)]


@given(st.integers(0, 4), st.integers(0, 20))
def test_any_changed_character_is_found_in_its_row(number: int, place: int) -> None:
    rows = chain()
    content = rows[number].content
    at = place % len(content)
    rows[number] = replace(rows[number], content=content[:at] + "\x00" + content[at + 1 :])
    assert [row for row, _ in told(rows)] == [f"id {rows[number].id}, number {number + 1} of desk"]


def test_a_row_that_was_made_anew_does_not_fit_its_follower() -> None:
    rows = chain()
    content = "another story"
    rows[2] = replace(rows[2], content=content, hash=hashlib.sha256(content.encode()).hexdigest())
    assert told(rows) == [("id 40, number 4 of desk", "it does not follow the row before it: prev_hash differs")]


def test_two_rows_in_each_others_place() -> None:
    rows = chain()
    rows[1], rows[2] = replace(rows[2], seq=2), replace(rows[1], seq=3)
    assert len(told(rows)) == 3
