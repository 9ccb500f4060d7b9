"""Reconciliation over random books: what it says does not depend on order, and importing what is missing closes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.test_positions import executions
from tests.support.spreads import ACCOUNT

from htbot.domain.fills import Fill
from htbot.execution.reconciliation import (
    Books,
    BrokerView,
    FindingKind,
    Holding,
    books_agree,
    missing_fills,
    reconcile,
)
from htbot.portfolio.positions import fold, newest

MATCHES = {FindingKind.MATCH}


def books_of(fills: Sequence[Fill]) -> Books:
    return Books(fold(fills), frozenset(fill.execution_key for fill in fills), frozenset(), newest(fills))


def broker_of(fills: Sequence[Fill]) -> BrokerView:
    held = [Holding(account, con_id, one.symbol, one.quantity) for (account, con_id), one in fold(fills).items()]
    return BrokerView(holdings=[one for one in held if one.quantity], executions=fills)


@st.composite
def half_told(draw: st.DrawFn) -> tuple[list[Fill], list[Fill]]:
    """Executions of a day, and those of them that we have booked: corrections and busts may be missing alone."""
    made = draw(executions())
    return made, [fill for fill in made if draw(st.booleans())]


@pytest.mark.fault(26)
@pytest.mark.fault(35)
@given(half_told())
def test_importing_what_is_missing_makes_the_books_match_and_leaves_nothing_to_import(
    day: tuple[list[Fill], list[Fill]],
) -> None:
    made, booked = day
    broker = broker_of(made)
    before = reconcile(books_of(booked), broker)
    assert {finding.kind for finding in before} <= MATCHES | {FindingKind.MISSING_FILL}
    missing = missing_fills(books_of(booked), broker)
    imported = books_of([*booked, *missing])
    assert {finding.kind for finding in reconcile(imported, broker)} <= MATCHES
    assert missing_fills(imported, broker) == ()
    assert books_of([*booked, *missing, *missing]) == imported, "an import twice is one import"


@given(half_told(), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(day: tuple[list[Fill], list[Fill]], random: Random) -> None:
    made, booked = day
    books, broker = books_of(booked), broker_of(made)
    told = made + random.choices(made, k=len(made))
    random.shuffle(told)
    holdings = list(broker.holdings)
    random.shuffle(holdings)
    again = replace(broker, holdings=holdings, executions=told)
    assert reconcile(books, again) == reconcile(books, broker)
    assert missing_fills(books, again) == missing_fills(books, broker)


@pytest.mark.fault(40)
@given(half_told())
def test_a_persons_executions_explain_nothing_and_are_never_imported(day: tuple[list[Fill], list[Fill]]) -> None:
    made, booked = day
    by_hand = [replace(fill, ref="", exec_id=f"h{fill.exec_id}", account=ACCOUNT) for fill in made]
    broker = broker_of([*booked, *by_hand])
    assert missing_fills(books_of(booked), broker) == ()
    kinds = {finding.kind for finding in reconcile(books_of(booked), broker)}
    assert FindingKind.MISSING_FILL not in kinds


@given(half_told())
def test_it_is_symmetric_in_what_differs(day: tuple[list[Fill], list[Fill]]) -> None:
    """Without executions to explain it, what one side has too many the other has too few of."""
    made, booked = day
    there = reconcile(books_of(booked), replace(broker_of(made), executions=()))
    back = reconcile(books_of(made), replace(broker_of(booked), executions=()))
    assert [(one.con_id, one.ours, one.broker) for one in there] == [(one.con_id, one.broker, one.ours) for one in back]
    assert [one.kind is FindingKind.MATCH for one in there] == [one.kind is FindingKind.MATCH for one in back]
    turned = {FindingKind.PHANTOM: FindingKind.EXTERNAL_POSITION, FindingKind.EXTERNAL_POSITION: FindingKind.PHANTOM}
    assert [turned.get(one.kind, one.kind) for one in there] == [one.kind for one in back]


@given(executions())
def test_books_that_are_equal_agree(made: list[Fill]) -> None:
    assert books_agree(reconcile(books_of(made), broker_of(made)))
