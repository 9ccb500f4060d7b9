from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from htbot.bootstrap.chaos.books import BrokerBook, BrokerExecution, BrokerOrder, RecordBook, RecordedIntent
from htbot.bootstrap.chaos.verdict import Verdict, judge_books
from htbot.domain.fills import Fill
from htbot.domain.instruments import Right
from htbot.domain.orders import Action, IntentState, Purpose
from htbot.domain.trades import TradeState

ACCOUNT, TRADE = "DU1", "lane-1"
ENTRY, EXIT = "htbot-lane-DU1-20260304-E1", "htbot-lane-DU1-20260304-X1"
SHORT, LONG = 101, 102
LEGS = ((SHORT, -1), (LONG, 1))
QUANTITY = 2
AT = datetime(2026, 3, 4, 15, tzinfo=UTC)


def execution(number: int, ref: str, con_id: int, signed: int) -> BrokerExecution:
    return BrokerExecution(f"x.{number:02d}.01", ref, ACCOUNT, con_id, signed)


EXECUTIONS = (
    execution(1, ENTRY, SHORT, -QUANTITY),
    execution(2, ENTRY, LONG, QUANTITY),
    execution(3, EXIT, SHORT, QUANTITY),
    execution(4, EXIT, LONG, -QUANTITY),
)


def booked(item: BrokerExecution) -> Fill:
    return Fill(
        exec_id=item.exec_id,
        ref=item.ref,
        account=item.account,
        con_id=item.con_id,
        symbol="SPX",
        expiry=date(2026, 3, 4),
        strike=Decimal(5700),
        right=Right.PUT,
        side=Action.BUY if item.signed > 0 else Action.SELL,
        quantity=abs(item.signed),
        price=Decimal(5),
        multiplier=100,
        executed_at=AT,
        perm_id=1,
        commission=Decimal(1),
        modelled=False,
    )


def held(executions: tuple[BrokerExecution, ...]) -> Mapping[tuple[str, int], int]:
    totals: dict[tuple[str, int], int] = {}
    for item in executions:
        totals[item.account, item.con_id] = totals.get((item.account, item.con_id), 0) + item.signed
    return {key: quantity for key, quantity in totals.items() if quantity}


def broker_with(*executions: BrokerExecution, orders: tuple[BrokerOrder, ...] | None = None) -> BrokerBook:
    taken = (BrokerOrder(ENTRY, 1, QUANTITY, QUANTITY, "Filled"), BrokerOrder(EXIT, 2, QUANTITY, QUANTITY, "Filled"))
    return BrokerBook(taken if orders is None else orders, executions, held(executions))


def intent(ref: str, purpose: Purpose, state: IntentState = IntentState.FILLED) -> RecordedIntent:
    decision = UUID(int=1) if purpose is Purpose.ENTRY else None
    return RecordedIntent(ref, TRADE, purpose, QUANTITY, LEGS, state, decision)


ENTERED, CLOSED = intent(ENTRY, Purpose.ENTRY), intent(EXIT, Purpose.EXIT)
RECORD = RecordBook((ENTERED, CLOSED), tuple(map(booked, EXECUTIONS)), {TRADE: TradeState.CLOSED})
BROKER = broker_with(*EXECUTIONS)


def test_books_that_agree_are_clean() -> None:
    verdict = judge_books(BROKER, RECORD)
    assert verdict == Verdict(2, 2, 0, (), (), (), ())
    assert verdict.clean


def test_a_second_order_of_a_reference_is_a_duplicate_also_when_it_only_works() -> None:
    again = BrokerOrder(ENTRY, 3, QUANTITY, 0, "Submitted")
    verdict = judge_books(replace(BROKER, orders=(*BROKER.orders, again)), RECORD)
    assert verdict.duplicates == (f"{ENTRY}: 2 orders at the broker",)
    assert not verdict.clean


def test_an_order_that_was_rejected_and_sent_again_is_none() -> None:
    refused = BrokerOrder(EXIT, 3, QUANTITY, 0, "Inactive")
    assert judge_books(replace(BROKER, orders=(*BROKER.orders, refused)), RECORD).clean


def test_more_filled_than_was_asked_for_is_a_duplicate_although_our_books_have_it_too() -> None:
    more = (*EXECUTIONS, execution(5, ENTRY, SHORT, -QUANTITY), execution(6, ENTRY, LONG, QUANTITY))
    record = replace(RECORD, fills=tuple(map(booked, more)))
    verdict = judge_books(broker_with(*more), record)
    assert verdict.duplicates == (f"{ENTRY}: 4 filled, 2 asked for",)
    assert verdict.lost_closes == (f"{TRADE}: 2 still held at the broker, closed in our record",)
    assert verdict.ledger == ()


def test_two_closes_of_one_trade_under_two_references_are_a_duplicate() -> None:
    second = "htbot-lane-DU1-20260304-X2"
    more = (*EXECUTIONS, execution(5, second, SHORT, QUANTITY), execution(6, second, LONG, -QUANTITY))
    orders = (*BROKER.orders, BrokerOrder(second, 3, QUANTITY, QUANTITY, "Filled"))
    record = replace(RECORD, intents=(ENTERED, CLOSED, intent(second, Purpose.EXIT)), fills=tuple(map(booked, more)))
    assert judge_books(broker_with(*more, orders=orders), record).duplicates == (f"{TRADE}: 4 closed, 2 opened",)


def test_a_signal_that_was_entered_twice_is_a_duplicate() -> None:
    other = replace(ENTERED, ref="htbot-lane-DU1-20260304-E2", trade_id="lane-2", state=IntentState.EXPIRED)
    verdict = judge_books(BROKER, replace(RECORD, intents=(*RECORD.intents, other)))
    assert verdict.duplicates == (f"decision {UUID(int=1)}: 2 entries",)


def test_a_close_that_never_came_to_the_broker_is_lost_whatever_our_record_says() -> None:
    opened = EXECUTIONS[:2]
    orders = BROKER.orders[:1]
    verdict = judge_books(broker_with(*opened, orders=orders), RECORD)
    assert verdict.lost_closes == (f"{TRADE}: 2 still held at the broker, closed in our record",)
    assert verdict.unknown == (f"{EXIT}: FILLED in our record, never at the broker",)
    assert len(verdict.ledger) == 4  # two positions, two executions


def test_a_trade_that_never_ended_in_our_record_is_a_lost_close() -> None:
    verdict = judge_books(BROKER, replace(RECORD, trades={TRADE: TradeState.CLOSING}))
    assert verdict.lost_closes == (f"{TRADE}: closing in our record, nothing held at the broker",)


@pytest.mark.parametrize("state", [IntentState.CLAIMED, IntentState.SENDING, IntentState.UNKNOWN])
def test_an_intent_whose_end_nobody_knows_is_unknown(state: IntentState) -> None:
    record = replace(RECORD, intents=(ENTERED, replace(CLOSED, state=state)))
    assert judge_books(BROKER, record).unknown == (f"{EXIT}: {state.value} at the end",)


def test_an_order_that_no_intent_explains_is_unknown() -> None:
    stranger = BrokerOrder("htbot-lane-DU1-20260304-E9", 9, 1, 0, "Cancelled")
    verdict = judge_books(replace(BROKER, orders=(*BROKER.orders, stranger)), RECORD)
    assert verdict.unknown == (f"permId 9 with ref {stranger.ref!r}: no intent of ours",)


def test_an_order_that_still_works_after_its_intent_has_ended_is_unknown() -> None:
    works = BrokerOrder(ENTRY, 1, QUANTITY, QUANTITY, "Submitted")
    verdict = judge_books(replace(BROKER, orders=(works, BROKER.orders[1])), RECORD)
    assert verdict.unknown == (f"{ENTRY}: Submitted at the broker, FILLED in our record",)


@pytest.mark.parametrize("state", [IntentState.EXPIRED, IntentState.WITHDRAWN])
def test_an_entry_that_a_rule_ended_unsent_is_counted_and_nothing_more(state: IntentState) -> None:
    late = RecordedIntent("htbot-lane-DU1-20260304-E2", "lane-2", Purpose.ENTRY, 1, LEGS, state, UUID(int=2))
    record = replace(RECORD, intents=(*RECORD.intents, late), trades={**RECORD.trades, "lane-2": TradeState.VOID})
    verdict = judge_books(BROKER, record)
    assert (verdict.clean, verdict.intents, verdict.broker_orders, verdict.not_placed) == (True, 3, 2, 1)


def test_a_fill_that_was_never_booked_and_one_that_was_invented_are_in_the_ledger() -> None:
    missing = replace(RECORD, fills=RECORD.fills[1:])
    assert judge_books(BROKER, missing).ledger == (
        f"{ACCOUNT} {SHORT}: 2 ours, 0 the broker's",
        "execution x.01.01: not booked, -2 at the broker",
    )
    invented = booked(execution(7, EXIT, LONG, -1))
    assert judge_books(BROKER, replace(RECORD, fills=(*RECORD.fills, invented))).ledger == (
        f"{ACCOUNT} {LONG}: -1 ours, 0 the broker's",
        "execution x.07.01: -1 booked, not at the broker",
    )


def test_a_halt_that_nobody_set_on_purpose_is_no_clean_end() -> None:
    assert not judge_books(BROKER, replace(RECORD, halts=("desk: 4 of 101 filled, 2 asked for",))).clean


SHARE = 201
SHARE_LEGS = ((SHARE, 1),)
S_ENTRY, S_STOP, S_TARGET = (f"htbot-shares-DU1-20260304-{part}" for part in ("E1", "X1", "X2"))


def share_intent(ref: str, state: IntentState = IntentState.FILLED) -> RecordedIntent:
    entry = ref == S_ENTRY
    purpose, decided = (Purpose.ENTRY, UUID(int=7)) if entry else (Purpose.EXIT, None)
    return RecordedIntent(ref, "shares-1", purpose, 10, SHARE_LEGS, state, decided, protective=not entry)


def shares(status: str, *closed: BrokerExecution) -> tuple[BrokerBook, RecordBook]:
    """Ten shares, closed by the stop; the target with a status of the broker."""
    executions = (execution(1, S_ENTRY, SHARE, 10), *closed)
    orders = (
        BrokerOrder(S_ENTRY, 1, 10, 10, "Filled"),
        BrokerOrder(S_STOP, 2, 10, 10 if closed else 0, "Filled" if closed else "Submitted"),
        BrokerOrder(S_TARGET, 3, 10, 0, status),
    )
    working = IntentState.WORKING
    intents = (
        share_intent(S_ENTRY),
        share_intent(S_STOP, IntentState.FILLED if closed else working),
        share_intent(S_TARGET, working if status == "Submitted" else IntentState.CANCELLED),
    )
    state = TradeState.CLOSED if closed else TradeState.OPEN
    record = RecordBook(intents, tuple(map(booked, executions)), {"shares-1": state})
    return broker_with(*executions, orders=orders), record


STOPPED = execution(2, S_STOP, SHARE, -10)


def test_shares_that_their_stop_has_closed_are_clean_and_counted() -> None:
    verdict = judge_books(*shares("Cancelled", STOPPED))
    assert verdict.clean
    assert (verdict.share_trades, verdict.protective, verdict.met) == (1, 2, 1)


def test_a_target_that_works_after_its_trade_is_closed_is_an_orphan_although_our_record_knows_it_works() -> None:
    verdict = judge_books(*shares("Submitted", STOPPED))
    assert verdict.orphans == (f"{S_TARGET}: Submitted at the broker, shares-1 is closed and holds 0",)
    assert (verdict.unknown, verdict.clean) == ((), False)


def test_a_stop_without_a_position_is_an_orphan_whatever_our_record_says_of_its_trade() -> None:
    broker, record = shares("Submitted", STOPPED)
    verdict = judge_books(broker, replace(record, trades={"shares-1": TradeState.OPEN}))
    assert verdict.orphans == (f"{S_TARGET}: Submitted at the broker, shares-1 is open and holds 0",)


def test_stops_and_targets_of_an_open_trade_are_no_orphans() -> None:
    verdict = judge_books(*shares("Submitted"))
    assert verdict.orphans == ()
    assert verdict.lost_closes == ("shares-1: 10 still held at the broker, open in our record",)


def test_a_stop_and_a_target_that_were_both_filled_close_more_than_was_opened() -> None:
    broker, record = shares("Filled", STOPPED, execution(3, S_TARGET, SHARE, -10))
    assert judge_books(broker, record).duplicates == ("shares-1: 20 closed, 10 opened",)
