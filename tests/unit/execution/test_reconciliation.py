from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support.spreads import ACCOUNT, LONG, SHORT, entry_fills, exit_fills, intent

from htbot.domain.fills import Fill
from htbot.domain.orders import OrderState, Purpose
from htbot.domain.positions import Position
from htbot.execution.messages import OpenOrderMessage
from htbot.execution.reconciliation import (
    Books,
    BrokerView,
    Finding,
    FindingKind,
    Holding,
    Outcome,
    books_agree,
    missing_fills,
    perm_id_state,
    reconcile,
    resolve,
)
from htbot.execution.states import IntentEvent
from htbot.portfolio.positions import fold, newest

REF = intent().ref
HELD = (Holding(ACCOUNT, SHORT.con_id, "SPX", -1), Holding(ACCOUNT, LONG.con_id, "SPX", 1))


def books(fills: Sequence[Fill] = (), refs: frozenset[str] = frozenset()) -> Books:
    return Books(fold(fills), frozenset(fill.execution_key for fill in fills), refs)


def order(ref: str = REF, status: str = "Submitted", perm_id: int = 900, **changes: object) -> OpenOrderMessage:
    base = OpenOrderMessage(ref, 5, 1, perm_id, ACCOUNT, status, Decimal("-4.20"), 1)
    return replace(base, **changes)


def kinds(findings: Sequence[Finding]) -> list[FindingKind]:
    return [finding.kind for finding in findings]


def test_match() -> None:
    findings = reconcile(books(entry_fills()), BrokerView(holdings=HELD))
    assert kinds(findings) == [FindingKind.MATCH, FindingKind.MATCH]
    assert books_agree(findings)


def test_flat_on_both_sides_is_no_finding() -> None:
    assert reconcile(books([*entry_fills(), *exit_fills()]), BrokerView()) == ()


@pytest.mark.fault(26)
def test_missing_fills_are_explained_by_executions() -> None:
    findings = reconcile(books(), BrokerView(holdings=HELD, executions=entry_fills()))
    assert kinds(findings) == [FindingKind.MISSING_FILL, FindingKind.MISSING_FILL]
    assert "e1.01.01" in findings[0].detail
    assert not books_agree(findings)


def test_executions_that_do_not_add_up_explain_nothing() -> None:
    doubled = tuple(replace(holding, quantity=holding.quantity * 2) for holding in HELD)
    findings = reconcile(books(), BrokerView(holdings=doubled, executions=entry_fills()))
    assert kinds(findings) == [FindingKind.EXTERNAL_POSITION] * 2


@pytest.mark.fault(39)
def test_external_positions_are_told_but_cast_no_doubt() -> None:
    findings = reconcile(books(), BrokerView(holdings=[Holding(ACCOUNT, 77, "AAPL", 100)]))
    assert kinds(findings) == [FindingKind.EXTERNAL_POSITION]
    assert books_agree(findings)


@pytest.mark.ruling(12)
def test_rulings_12_a_close_by_the_broker_is_a_phantom_with_its_execution() -> None:
    by_broker = [replace(fill, ref="", exec_id=f"b{fill.exec_id}") for fill in exit_fills()]
    findings = reconcile(books(entry_fills()), BrokerView(executions=[*entry_fills(), *by_broker]))
    assert kinds(findings) == [FindingKind.PHANTOM, FindingKind.PHANTOM]
    assert "executions without our ref: bx1.01.01" in findings[0].detail
    assert not books_agree(findings)


def test_quantities_that_differ() -> None:
    findings = reconcile(books(entry_fills()), BrokerView(holdings=(replace(HELD[0], quantity=-3), HELD[1])))
    assert kinds(findings) == [FindingKind.QTY_DIFF, FindingKind.MATCH]
    assert (findings[0].ours, findings[0].broker) == (-1, -3)


@pytest.mark.fault(40)
@pytest.mark.parametrize(
    ("orders", "refs", "kind", "agrees"),
    [
        ([order()], frozenset({REF}), None, True),
        ([order()], frozenset(), FindingKind.UNKNOWN_ORDER, False),
        ([order(ref="")], frozenset(), FindingKind.FOREIGN_ORDER, True),
        ([order(ref="by hand")], frozenset(), FindingKind.FOREIGN_ORDER, True),
        ([], frozenset({REF}), FindingKind.LOST_ORDER, False),
        ([order(status="Cancelled", completed=True)], frozenset({REF}), FindingKind.LOST_ORDER, False),
        ([order(status="Filled", completed=True)], frozenset(), None, True),
    ],
)
def test_orders(orders: list[OpenOrderMessage], refs: frozenset[str], kind: FindingKind | None, agrees: bool) -> None:
    findings = reconcile(books(refs=refs), BrokerView(orders=orders))
    assert kinds(findings) == ([] if kind is None else [kind])
    assert books_agree(findings) is agrees


@pytest.mark.parametrize(
    ("view", "settled", "outcome"),
    [
        (BrokerView(), False, Outcome.WAIT),
        (BrokerView(), True, Outcome.ABSENT),
        (BrokerView(orders=[order()]), False, Outcome.WORKING),
        (BrokerView(executions=entry_fills()), False, Outcome.FILLED),
        (BrokerView(executions=entry_fills()[:1]), False, Outcome.WAIT),
        (BrokerView(orders=[order(status="Filled", completed=True, filled=1)]), False, Outcome.FILLED),
        (BrokerView(orders=[order(status="Cancelled", completed=True)]), False, Outcome.WAIT),
        (BrokerView(orders=[order(status="Cancelled", completed=True)]), True, Outcome.CANCELLED),
        (BrokerView(orders=[order(status="Inactive", completed=True)]), False, Outcome.REJECTED),
        (BrokerView(orders=[order(status="Inactive")]), True, Outcome.REJECTED),
        (BrokerView(orders=[order(ref="htbot-other")]), True, Outcome.ABSENT),
    ],
)
def test_what_became_of_an_order_in_doubt(view: BrokerView, settled: bool, outcome: Outcome) -> None:
    assert resolve(intent(), view, settled=settled).outcome is outcome


@pytest.mark.fault(38)
def test_faults_38_one_permid_that_works_keeps_the_ref_working() -> None:
    both = [order(status="Cancelled", completed=True, perm_id=900), order(perm_id=901)]
    resolution = resolve(intent(), BrokerView(orders=both), settled=True)
    assert (resolution.outcome, resolution.perm_ids) == (Outcome.WORKING, frozenset({900, 901}))


@pytest.mark.fault(38)
def test_a_cancelled_permid_ends_nothing_while_another_may_not_be_shown_yet() -> None:
    gone = order(status="Cancelled", completed=True, perm_id=900)
    assert resolve(intent(), BrokerView(orders=[gone]), settled=False).event(Purpose.EXIT) is IntentEvent.DOUBT
    both = BrokerView(orders=[gone, order(perm_id=901)])
    assert resolve(intent(), both, settled=False).outcome is Outcome.WORKING
    assert resolve(intent(), BrokerView(orders=[gone]), settled=True).outcome is Outcome.CANCELLED


def test_an_absent_entry_expires_and_an_absent_close_is_sent_again() -> None:
    absent = resolve(intent(), BrokerView(), settled=True)
    assert absent.event(Purpose.ENTRY) is IntentEvent.EXPIRE
    assert absent.event(Purpose.EXIT) is IntentEvent.SEND


def test_silence_before_the_settle_time_stays_doubt() -> None:
    assert resolve(intent(), BrokerView(), settled=False).event(Purpose.EXIT) is IntentEvent.DOUBT


def test_a_position_that_is_flat_in_our_books_only() -> None:
    flat = Books(
        {(ACCOUNT, SHORT.con_id): Position(ACCOUNT, SHORT.con_id, "SPX", None, None, None, 100)},
        frozenset(),
        frozenset(),
    )
    assert kinds(reconcile(flat, BrokerView())) == []


@pytest.mark.fault(35)
def test_a_correction_and_a_bust_that_were_missed_explain_the_difference() -> None:
    """1 of 3 was booked; the broker corrected it to 3 and busted the other leg while we were away."""
    booked = [replace(fill, quantity=3) for fill in entry_fills()]
    corrected = replace(booked[0], exec_id="e1.01.02", quantity=2)
    bust = replace(booked[1], exec_id="e2.01.02", quantity=0)
    ours = Books(fold(booked), frozenset(fill.execution_key for fill in booked), frozenset(), newest(booked))
    view = BrokerView(holdings=[Holding(ACCOUNT, SHORT.con_id, "SPX", -2)], executions=[*booked, corrected, bust])
    assert kinds(reconcile(ours, view)) == [FindingKind.MISSING_FILL] * 2
    assert missing_fills(ours, view) == (corrected, bust)


@pytest.mark.fault(39)
def test_an_assignment_overnight_is_shares_from_outside_and_a_leg_that_is_gone() -> None:
    view = BrokerView(holdings=[Holding(ACCOUNT, LONG.con_id, "SPY", 1), Holding(ACCOUNT, 77, "SPY", 100)])
    findings = reconcile(books(entry_fills()), view)
    assert [(one.con_id, one.kind) for one in findings] == [
        (SHORT.con_id, FindingKind.PHANTOM),
        (LONG.con_id, FindingKind.MATCH),
        (77, FindingKind.EXTERNAL_POSITION),
    ]


@pytest.mark.parametrize(
    ("message", "state"),
    [
        (order(), OrderState.SUBMITTED),
        (order(status="PreSubmitted", filled=1), OrderState.PARTIAL),
        (order(status="PendingCancel"), OrderState.PENDING_CANCEL),
        (order(status="Inactive"), OrderState.SUBMITTED),
        (order(status="Inactive", completed=True), OrderState.REJECTED),
        (order(status="ApiCancelled"), OrderState.CANCELLED),
        (order(status="Filled", completed=True), OrderState.FILLED),
        (order(status="Unheard-of", completed=True), OrderState.CANCELLED),
    ],
)
def test_the_state_of_one_permid_as_the_broker_lists_it(message: OpenOrderMessage, state: OrderState) -> None:
    assert perm_id_state(message) is state


@pytest.mark.fault(38)
@pytest.mark.ruling(15)
def test_each_permid_has_a_state_of_its_own() -> None:
    both = [order(status="Cancelled", completed=True, perm_id=900), order(perm_id=901)]
    resolution = resolve(intent(), BrokerView(orders=both), settled=True)
    assert dict(resolution.states) == {900: OrderState.CANCELLED, 901: OrderState.SUBMITTED}
