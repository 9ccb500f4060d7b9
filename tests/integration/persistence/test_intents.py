from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from threading import Barrier

import psycopg2
import pytest
from sqlalchemy.exc import IntegrityError
from tests.integration.persistence.conftest import Enter, die_after
from tests.support.record import ACCOUNT, DAY, STRATEGY, at, entry, exit_of, trade

from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.orders import ExitReason, IntentState, Purpose
from htbot.domain.trades import TradeState
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.records import IntentMove
from htbot.persistence.repositories import (
    DeskStateRepository,
    IntentRepository,
    TradeRepository,
)

S = IntentState


def test_an_intent_comes_back_as_it_was(database: Database, enter: Enter) -> None:
    opened, intent = enter()
    close = exit_of(opened)
    with database.transaction() as session:
        evidence = {"limit": Decimal(-200), "value": Decimal("-212.50"), "quotes": [{"con_id": 11, "as_of": at()}]}
        assert IntentRepository(session).add(close, evidence)
    with database.transaction() as session:
        stored = IntentRepository(session).of_trade(opened.id)
    assert [one.intent for one in stored] == [intent, close]
    assert [one.state for one in stored] == [S.PENDING, S.PENDING]
    assert stored[1].evidence == {
        "limit": "-200",
        "value": "-212.50",
        "quotes": [{"con_id": 11, "as_of": "2022-08-26T16:00:00+00:00"}],
    }


def test_a_reference_is_stored_once(database: Database, enter: Enter) -> None:
    opened, intent = enter()
    with database.transaction() as session:
        assert not IntentRepository(session).add(intent)
        assert not IntentRepository(session).add(exit_of(opened, 1, ref=intent.ref))


def test_a_trade_has_one_live_exit(database: Database, enter: Enter, epoch: int) -> None:
    opened, _ = enter()
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert intents.add(exit_of(opened, 1))
        assert not intents.add(exit_of(opened, 2, exit_reason=ExitReason.MANUAL))
        assert intents.withdraw(exit_of(opened, 1).ref, at(31), "flat already")
        assert intents.add(exit_of(opened, 2))


def test_an_entry_without_approval_cannot_be_stored(database: Database, enter: Enter) -> None:
    opened, _ = enter()
    with pytest.raises(IntegrityError, match="ck_intents_approval"), database.transaction() as session:
        IntentRepository(session).add(entry(opened, 2, decision_id=None))
    with pytest.raises(IntegrityError, match="fk_intents_decision_id"), database.transaction() as session:
        IntentRepository(session).add(entry(opened, 3))


def test_an_approval_is_good_for_one_intent(database: Database, enter: Enter) -> None:
    opened, intent = enter()
    with database.transaction() as session:
        assert not IntentRepository(session).add(entry(opened, 2, decision_id=intent.decision_id))


def test_one_live_trade_per_strategy_and_account(database: Database, enter: Enter) -> None:
    first, _ = enter()
    with database.transaction() as session:
        trades = TradeRepository(session)
        assert not trades.add(trade(2))
        assert trades.add(trade(3, account="DU2"))
        assert trades.add(trade(4, strategy="other"))
        assert trades.save(replace(first, state=TradeState.CLOSING), TradeState.OPENING)
        assert not trades.add(trade(2))
        assert trades.save(replace(first, state=TradeState.CLOSED, closed_at=at(50)), TradeState.CLOSING)
        assert trades.add(trade(2))


def at_once(count: int, act: Callable[[int], bool]) -> list[bool]:
    """Outcomes of `act(1)` to `act(count)`, each in a thread that starts when all are there."""
    barrier = Barrier(count)

    def wait_and_act(number: int) -> bool:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_act, range(1, count + 1)))


def test_twenty_entries_at_once_make_one_trade(database_url: str) -> None:
    database = Database(database_url, EngineOptions(pool_size=20))

    def decide(number: int) -> bool:
        with database.transaction() as session:
            return TradeRepository(session).add(trade(number))

    assert at_once(20, decide).count(True) == 1
    with database.transaction() as session:
        assert len(TradeRepository(session).live()) == 1
    database.close()


def test_twenty_exits_at_once_make_one_intent(database_url: str, enter: Enter) -> None:
    opened, _ = enter()
    database = Database(database_url, EngineOptions(pool_size=20))

    def decide(number: int) -> bool:
        with database.transaction() as session:
            return IntentRepository(session).add(exit_of(opened, number))

    assert at_once(20, decide).count(True) == 1
    with database.transaction() as session:
        assert len(IntentRepository(session).live(purpose=Purpose.EXIT)) == 1
    database.close()


def test_claim_takes_exits_first_then_the_oldest(database: Database, enter: Enter, epoch: int) -> None:
    first, first_entry = enter(1)
    _, second_entry = enter(2, account="DU2")
    close = exit_of(first)
    with database.transaction() as session:
        IntentRepository(session).add(close)
    claimed = []
    with database.transaction() as session:
        while one := IntentRepository(session).claim_some(epoch, at(40), 1):
            claimed += one
    assert [one.intent.ref for one in claimed] == [close.ref, first_entry.ref, second_entry.ref]
    assert {(one.state, one.claim_epoch, one.changed_at) for one in claimed} == {(S.CLAIMED, epoch, at(40))}


def test_claim_can_be_held_to_exits(database: Database, enter: Enter, epoch: int) -> None:
    enter()
    with database.transaction() as session:
        assert IntentRepository(session).claim_some(epoch, at(40), 1, purpose=Purpose.EXIT) == []


def test_two_connections_never_claim_the_same_intent(database: Database, enter: Enter, epoch: int) -> None:
    enter(1)
    enter(2, account="DU2")
    with database.transaction() as one, database.transaction() as other:
        (first,) = IntentRepository(one).claim_some(epoch, at(40), 1)
        (second,) = IntentRepository(other).claim_some(epoch, at(40), 1)
        third = IntentRepository(other).claim_some(epoch, at(40), 1)
    assert first.intent.ref != second.intent.ref
    assert third == []


def test_a_desk_of_an_old_epoch_claims_and_moves_nothing(database: Database, enter: Enter, epoch: int) -> None:
    _, intent = enter()
    enter(2, account="DU2")
    with database.transaction() as session:
        (stored,) = IntentRepository(session).claim_some(epoch, at(40), 1)
        assert stored.intent.ref == intent.ref
    with database.transaction() as session:
        following = DeskStateRepository(session).begin_epoch()
    assert following == epoch + 1
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert intents.claim_some(epoch, at(41), 1) == []
        assert intents.begin_sending({intent.ref: 7}, 1, epoch=epoch, at=at(41)) == 0
        assert not intents.move(intent.ref, S.CLAIMED, S.WITHDRAWN, epoch=epoch, at=at(41))
        assert not intents.move(intent.ref, S.CLAIMED, S.WITHDRAWN, epoch=following, at=at(41)), "not taken over yet"


def test_take_over_makes_unfinished_intents_the_new_desks(database: Database, enter: Enter, epoch: int) -> None:
    _, intent = enter()
    enter(2, account="DU2")
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert len(intents.claim_some(epoch, at(40), 1)) == 1
        assert intents.begin_sending({intent.ref: 7}, 1, epoch=epoch, at=at(40)) == 1
    with database.transaction() as session:
        following = DeskStateRepository(session).begin_epoch()
        (taken,) = IntentRepository(session).take_over(following)
    assert (taken.intent, taken.state, taken.claim_epoch) == (intent, S.SENDING, following)
    assert (taken.client_id, taken.order_id) == (1, 7)
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert not intents.move(intent.ref, S.SENDING, S.UNKNOWN, epoch=epoch, at=at(41))
        assert intents.move(intent.ref, S.SENDING, S.UNKNOWN, epoch=following, at=at(41), reason="restart")
        (doubted,) = [one for one in intents.live() if one.state is S.UNKNOWN]
        assert doubted.reason == "restart"
        assert len(intents.live()) == 2


def test_a_move_from_another_state_changes_nothing(database: Database, enter: Enter, epoch: int) -> None:
    _, intent = enter()
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert not intents.move(intent.ref, S.CLAIMED, S.SENDING, epoch=epoch, at=at(40))
        stored = intents.get(intent.ref)
        assert stored is not None
        assert stored.state is S.PENDING


def test_several_move_at_once_each_by_the_rules_of_one(database: Database, enter: Enter, epoch: int) -> None:
    """As many as there are, in one statement: none from another state, none that an older desk has claimed."""
    refs = [enter(number, strategy=f"s{number}")[1].ref for number in range(1, 5)]
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert len(intents.claim_some(epoch, at(40), 2)) == 2
    with database.transaction() as session:
        following = DeskStateRepository(session).begin_epoch()
        intents = IntentRepository(session)
        assert len(intents.claim_some(following, at(41), 1)) == 1
        moves = [IntentMove(ref, S.CLAIMED, S.WITHDRAWN, at(42), f"why {ref}") for ref in refs]
        assert intents.move_all(moves, epoch) == 0, "its epoch is over"
        assert intents.move_all(moves, following) == 1
        assert intents.move_all([], following) == 0
        assert intents.states(refs) == dict(zip(refs, (S.CLAIMED, S.CLAIMED, S.WITHDRAWN, S.PENDING), strict=True))
        moved = intents.get(refs[2])
        assert moved is not None
        assert (moved.reason, moved.changed_at, moved.claim_epoch) == (f"why {refs[2]}", at(42), following)


def test_late_news_of_an_ended_intent_belong_to_the_present_desk(database: Database, enter: Enter, epoch: int) -> None:
    _, intent = enter()
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert len(intents.claim_some(epoch, at(40), 1)) == 1
        assert intents.begin_sending({intent.ref: 7}, 1, epoch=epoch, at=at(40)) == 1
        assert intents.move(intent.ref, S.SENDING, S.EXPIRED, epoch=epoch, at=at(41))
        following = DeskStateRepository(session).begin_epoch()
        assert not intents.move(intent.ref, S.EXPIRED, S.FILLED, epoch=epoch, at=at(42))
        assert intents.move(intent.ref, S.EXPIRED, S.FILLED, epoch=following, at=at(42))


def test_only_a_pending_intent_is_withdrawn(database: Database, enter: Enter, epoch: int) -> None:
    _, intent = enter()
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert len(intents.claim_some(epoch, at(40), 1)) == 1
        assert not intents.withdraw(intent.ref, at(41), "halt")
    enter(2, account="DU2")
    with database.transaction() as session:
        (waiting,) = IntentRepository(session).pending(Purpose.ENTRY)
        assert IntentRepository(session).withdraw(waiting.intent.ref, at(41), "too old", to_state=S.EXPIRED)


def test_a_sent_intent_without_a_claim_cannot_be(database: Database, enter: Enter) -> None:
    _, intent = enter()
    with pytest.raises(IntegrityError, match="ck_intents_claimed"), database.transaction() as session:
        IntentRepository(session).withdraw(intent.ref, at(41), "x", to_state=S.SENDING)


def test_used_order_ids_only_grow(database: Database) -> None:
    def use(client_id: int, order_id: int) -> int:
        with database.transaction() as session:
            DeskStateRepository(session).use_order_id(client_id, order_id)
        with database.transaction() as session:
            return DeskStateRepository(session).highest_order_id(client_id)

    assert use(1, 38103) == 38103
    assert use(1, 38099) == 38103, "a late word about an older order"
    assert use(2, 1) == 1


def test_a_used_id_that_was_not_committed_is_free_again(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as session:
        die_after(DeskStateRepository(session).use_order_id, 1, 5)
    with database.transaction() as session:
        assert DeskStateRepository(session).highest_order_id(1) == 0


def test_sequences_go_on_over_the_trades_of_a_session(database: Database, enter: Enter) -> None:
    opened, _ = enter(1)
    with database.transaction() as session:
        intents = IntentRepository(session)
        assert intents.next_sequence(STRATEGY, ACCOUNT, DAY, Purpose.ENTRY) == 2
        assert intents.next_sequence(STRATEGY, ACCOUNT, DAY, Purpose.EXIT) == 1
        assert intents.add(exit_of(opened, 9))
        assert intents.next_sequence(STRATEGY, ACCOUNT, DAY, Purpose.EXIT) == 10


def test_a_committed_intent_rings_the_desk(database: Database, database_url: str, enter: Enter) -> None:
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    try:
        connection.cursor().execute("LISTEN htbot_intents")
        _, intent = enter()
        connection.cursor().execute("SELECT 1")
        connection.poll()
        assert [note.payload for note in connection.notifies] == [intent.ref]
    finally:
        connection.close()


def test_an_epoch_that_is_over_stops_the_desk(database: Database, epoch: int) -> None:
    with database.transaction() as session:
        state = DeskStateRepository(session)
        assert not state.reconciled()
        state.set_reconciled(epoch)
        assert state.reconciled()
        state.begin_epoch()
        assert not state.reconciled(), "a new desk has to reconcile first"
    with database.transaction() as session, pytest.raises(StopTrading, match="another desk took over"):
        DeskStateRepository(session).require_epoch(epoch)


def test_a_new_epoch_waits_for_the_writes_of_the_old_one(database_url: str, database: Database, epoch: int) -> None:
    impatient = Database(database_url, EngineOptions(lock_timeout_ms=50))
    with database.transaction() as session:
        DeskStateRepository(session).require_epoch(epoch)
        with pytest.raises(Retryable, match="lock timeout"), impatient.transaction() as other:
            DeskStateRepository(other).begin_epoch()
    impatient.close()
