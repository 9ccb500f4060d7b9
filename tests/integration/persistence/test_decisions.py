from __future__ import annotations

from datetime import date

import pytest
from tests.support.record import ACCOUNT, DAY, NOON, STRATEGY, approval, at, evaluation, refusal, signal

from htbot.domain.signals import Direction
from htbot.persistence.engine import Database
from htbot.persistence.records import Account, StrategyInstance
from htbot.persistence.repositories import (
    AccountRepository,
    EvaluationRepository,
    RiskDecisionRepository,
    SignalRepository,
)


def test_an_evaluation_is_stored_once_per_strategy_account_symbol_and_time(database: Database) -> None:
    with database.transaction() as session:
        repository = EvaluationRepository(session)
        assert repository.add(evaluation())
        assert not repository.add(evaluation(why_not="something else"))
        assert repository.add(evaluation(as_of=at(0.5)))
        assert repository.add(evaluation(symbol="SPY"))
        assert repository.add(evaluation(account="DU2"))
        assert repository.add(evaluation(strategy="other"))


def test_the_latest_evaluation_is_the_last_one_known(database: Database) -> None:
    with database.transaction() as session:
        repository = EvaluationRepository(session)
        repository.add(evaluation())
        repository.add(evaluation(as_of=at(1), why_not=None, high=None))
        assert repository.latest(STRATEGY, ACCOUNT, at(0.5)) == evaluation()
        assert repository.latest(STRATEGY, ACCOUNT, at(1)) == evaluation(as_of=at(1), why_not=None, high=None)
        assert repository.latest(STRATEGY, ACCOUNT, at(-1)) is None
        assert [one.as_of for one in repository.of_day(DAY, ACCOUNT)] == [NOON, at(1)]


def test_the_last_words_of_an_instance_are_those_of_its_own_account(database: Database) -> None:
    with database.transaction() as session:
        for account, name, as_of in ((ACCOUNT, "main", NOON), ("DU2", "DU2", NOON), ("DU0", "main", at(-5))):
            AccountRepository(session).upsert(Account(account, name, "w", "paced", as_of))
        facts = ("momentum", "SPY", 5, 4, {}, "c0ffee", True, "trade", NOON, NOON)
        asked = [
            StrategyInstance("two", *facts, account="DU2"),
            *(StrategyInstance(name, *facts) for name in ("one", STRATEGY, "nobody")),
        ]
        repository = EvaluationRepository(session)
        for name, account in (("one", ACCOUNT), ("two", "DU2"), (STRATEGY, ACCOUNT), (STRATEGY, "DU0")):
            repository.add(evaluation(strategy=name, account=account, why_not=f"{name} in {account}"))
        told = repository.last_words(asked)
    assert told == {
        name: (NOON, f"{name} in {account}")
        for name, account in (("one", ACCOUNT), ("two", "DU2"), (STRATEGY, ACCOUNT))
    }


def test_a_level_is_spent_once_per_direction_and_session(database: Database) -> None:
    """RULINGS 2."""
    with database.transaction() as session:
        repository = SignalRepository(session)
        assert repository.add(signal(4160.25), None) is not None
        assert repository.add(signal(4160.25, as_of=at(5)), "minimum_credit: too little") is None
        assert repository.add(signal(4160.25, direction=Direction.BEAR), None) is not None
        assert repository.add(signal(4160.25, session=date(2022, 8, 25)), None) is not None
        assert repository.add(signal(4160.25, account="DU2"), None) is not None
        assert repository.spent_levels(STRATEGY, ACCOUNT, DAY, NOON) == {(1, 4160.25), (-1, 4160.25)}


def test_a_refused_signal_spends_its_level_and_keeps_its_reason(database: Database) -> None:
    with database.transaction() as session:
        repository = SignalRepository(session)
        repository.add(signal(), "minimum_credit: credit 1.10 is below 2.00")
        (stored,) = repository.of_session(DAY, ACCOUNT)
        assert (stored.signal, stored.accepted) == (signal(), False)
        assert stored.refused_by == "minimum_credit: credit 1.10 is below 2.00"
        assert repository.spent_levels(STRATEGY, ACCOUNT, DAY, NOON) == {(1, 4160.0)}


def test_levels_spent_later_are_not_seen(database: Database) -> None:
    with database.transaction() as session:
        repository = SignalRepository(session)
        repository.add(signal(4160.0), None)
        repository.add(signal(4170.0, as_of=at(10)), None)
        assert repository.spent_levels(STRATEGY, ACCOUNT, DAY, at(9)) == {(1, 4160.0)}
        latest = repository.latest(STRATEGY, ACCOUNT, at(9))
        assert latest is not None
        assert latest.signal == signal(4160.0)
        assert [stored.signal.level for stored in repository.recent()] == [4170.0, 4160.0]


def test_a_number_that_is_none_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="not JSON compliant"), database.transaction() as session:
        SignalRepository(session).add(signal(indicators={"rsi": float("nan")}), None)


@pytest.mark.parametrize("decision", [approval(), refusal()])
def test_a_decision_comes_back_with_every_rule(database: Database, decision: object) -> None:
    with database.transaction() as session:
        signal_id = SignalRepository(session).add(signal(), None)
        assert signal_id is not None
        repository = RiskDecisionRepository(session)
        assert repository.add(decision, signal_id)
        assert not repository.add(decision, signal_id)
        assert repository.get(decision.id) == decision
        assert repository.of_signals([signal_id]) == {signal_id: decision}
        stored = SignalRepository(session).of_decision(decision.id)
        assert stored is not None
        assert stored.signal == signal()
