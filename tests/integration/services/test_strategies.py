"""Instances: what people may add and change, what is refused and how, and the trail that each act leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.support import record
from tests.support.watched import CALLER, Watch, session_of

from htbot.domain.errors import CallerMistake, ConfigurationError, HtbotError, NotFound
from htbot.persistence.engine import Database
from htbot.persistence.queries import watch as queries
from htbot.persistence.queries.instances import first_instances
from htbot.persistence.records import Account, AuditEntry
from htbot.persistence.repositories import AccountRepository, AuditRepository, EvaluationRepository, StrategyRepository
from htbot.services.strategies import NewStrategy
from htbot.services.strategy_types import types_in
from htbot.strategies.registry import STRATEGIES


@pytest.fixture
def watch(database: Database) -> Watch:
    return Watch(database)


def acts(watch: Watch) -> list[AuditEntry]:
    with watch.database.transaction() as session:
        return AuditRepository(session).since(None, "strategy")


def test_instances_of_one_type_with_different_settings(watch: Watch) -> None:
    fast = watch.add("fast", short_window="3", long_window="9", exit_time="15:30", stop_loss_usd="12.50")
    slow = watch.add("slow")
    assert [one.instance.name for one in watch.strategies.states()] == ["fast", "slow"]
    assert fast.settings == {"short_window": 3, "long_window": 9, "exit_time": "15:30", "stop_loss_usd": "12.50"}
    assert (fast.minutes, fast.warm_up_bars, fast.mode) == (5, 9, "observe")
    assert (slow.settings, slow.warm_up_bars) == ({}, 20)
    assert fast.config_hash != slow.config_hash
    assert watch.instance("fast") == fast
    _, in_force = watch.strategies.show("fast")
    assert (in_force["long_window"], in_force["exit_time"], in_force["rsi_window"]) == (9, "15:30", 14)


def test_every_change_is_an_act(watch: Watch) -> None:
    watch.add("fast", short_window=3)
    watch.strategies.change("fast", {"long_window": "30"}, CALLER, unset=["short_window"])
    watch.strategies.switch("fast", CALLER, enabled=False)
    watch.strategies.switch("fast", CALLER, enabled=False)  # nothing changes
    watch.strategies.switch("fast", CALLER, enabled=True)
    watch.strategies.remove("fast", CALLER)
    told = [(act.action, act.actor, act.subject) for act in acts(watch)]
    names = ("added", "changed", "disabled", "enabled", "removed")
    assert told == [(f"strategy.{name}", "cli:test", "fast") for name in names]
    assert acts(watch)[1].detail["before"] == {"short_window": 3}
    assert acts(watch)[1].detail["settings"] == {"long_window": 30}
    assert watch.strategies.states() == []


MISTAKES: list[tuple[NewStrategy, type[HtbotError], str]] = [
    (NewStrategy("a b", "ma_crossover", "SPY"), CallerMistake, "name 'a b'"),
    (NewStrategy("a", "ma_crosover", "SPY"), NotFound, "did you mean ma_crossover"),
    (NewStrategy("a", "strangle_momentum", "SPX", {"call_indx": 3}), ConfigurationError, "did you mean call_index"),
    (NewStrategy("a", "vertical_spread", "IBM"), ConfigurationError, "symbol=IBM"),
    (NewStrategy("a", "vertical_spread", "SPY", {"symbol": "QQQ"}), CallerMistake, "symbol=QQQ is no setting"),
    (NewStrategy("a", "vertical_spread", "SPY", {"short_delt": 0.2}), ConfigurationError, "did you mean short_delta"),
    (NewStrategy("spx_breakout", "ma_crossover", "SPX"), CallerMistake, "take another"),
    (NewStrategy("vertical_spread", "ma_crossover", "SPX"), CallerMistake, "take another"),
    (NewStrategy("a", "ma_crossover", "SP/Y"), CallerMistake, "symbol 'SP/Y'"),
    (NewStrategy("a", "ma_crossover", "SPY", {"long_windo": 30}), ConfigurationError, "did you mean long_window"),
    (NewStrategy("a", "ma_crossover", "SPY", {"long_window": 4}), ConfigurationError, "less than long_window=4"),
    (NewStrategy("a", "ma_crossover", "SPY", {"bar_minutes": 7}), ConfigurationError, "1, 2, 3, 5, 10, 15, 30 min"),
    (NewStrategy("taken", "ma_crossover", "SPY"), CallerMistake, "there is a strategy taken already"),
]


@pytest.mark.parametrize(("asked", "kind", "words"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_one_line_and_leaves_nothing(
    watch: Watch, asked: NewStrategy, kind: type[HtbotError], words: str
) -> None:
    watch.add("taken")
    with pytest.raises(kind, match=words) as told:
        watch.strategies.add(asked, CALLER)
    assert "\n" not in str(told.value)
    assert len(acts(watch)) == 1


def test_an_instance_may_name_an_account_that_the_desk_trades(database: Database) -> None:
    watch = Watch(database, accounts=("DU1000001", "DU1000002"))
    made = watch.strategies.add(NewStrategy("fast", "ma_crossover", "SPY", account="DU1000002"), CALLER)
    assert (made.account, watch.instance("fast").account) == ("DU1000002", "DU1000002")
    assert acts(watch)[0].detail["account"] == "DU1000002"
    assert watch.add("main").account is None
    with pytest.raises(CallerMistake, match=r"^account DU3: the desk trades DU1000001, DU1000002; "):
        watch.strategies.add(NewStrategy("other", "ma_crossover", "SPY", account="DU3"), CALLER)
    with pytest.raises(CallerMistake, match="the desk trades its login's only one"):
        Watch(database).strategies.add(NewStrategy("other", "ma_crossover", "SPY", account="DU3"), CALLER)


@pytest.mark.parametrize("told_last", ["DU1000001", "DU1000002"])
def test_an_instance_says_what_it_said_in_its_own_account(database: Database, told_last: str) -> None:
    main, other = "DU1000001", "DU1000002"
    watch = Watch(database, accounts=(main, other))
    watch.add("one")
    watch.strategies.add(NewStrategy("two", "ma_crossover", "SPY", account=other), CALLER)
    later, at = record.NOON + timedelta(seconds=1), record.NOON
    with database.transaction() as session:
        for account, name in ((main, "main"), (other, other)):
            told_at = later if account == told_last else at
            AccountRepository(session).upsert(Account(account, name, record.WORLD, "paper", told_at))
        for strategy, account, why_not in (("one", main, "waits"), ("two", other, "flat"), ("two", main, "of another")):
            look = record.evaluation(strategy=strategy, account=account, why_not=why_not)
            EvaluationRepository(session).add(look)
        standing = [(one.name, one.as_of, one.why_not) for one in first_instances(session, 20)]
    assert standing == [("one", at, "waits"), ("two", at, "flat")]
    assert [(one.instance.name, one.as_of, one.why_not) for one in watch.strategies.states()] == standing


def test_a_change_that_does_not_fit_changes_nothing(watch: Watch) -> None:
    before = watch.add("fast", short_window=3)
    for settings, unset, words in (
        ({"long_window": "3"}, [], "less than long_window=3"),
        ({"short_windw": "3"}, [], "did you mean short_window"),
        ({}, ["short_windw"], "did you mean short_window"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            watch.strategies.change("fast", settings, CALLER, unset)
    with pytest.raises(NotFound, match="did you mean fast"):
        watch.strategies.change("fats", {}, CALLER)
    assert watch.strategies.change("fast", {"short_window": "3"}, CALLER) == before
    assert (watch.instance("fast"), len(acts(watch))) == (before, 1)


def test_unknown_names_are_told_with_what_there_is(watch: Watch) -> None:
    with pytest.raises(NotFound, match="known are none yet"):
        watch.strategies.remove("fast", CALLER)


def test_the_record_knows_two_modes(watch: Watch) -> None:
    watch.add("fast")
    with pytest.raises(IntegrityError, match="ck_strategies_mode"), watch.database.transaction() as session:
        session.execute(text("UPDATE strategies SET mode = 'sell'"))


def test_an_instance_that_may_trade_begins_anew_and_the_change_is_audited(watch: Watch) -> None:
    watch.add("fast", exit_time="15:40")
    changed = watch.strategies.set_mode("fast", "trade", CALLER)
    assert (changed.mode, changed.observed, watch.instance("fast").mode) == ("trade", None, "trade")
    with pytest.raises(CallerMistake, match="exit_time"):
        watch.strategies.change("fast", {"exit_time": "15:50"}, CALLER)
    assert watch.strategies.set_mode("fast", "observe", CALLER).mode == "observe"
    with watch.database.transaction() as session:
        modes = [
            entry.detail["mode"] for entry in AuditRepository(session).recent() if entry.action == "strategy.changed"
        ]
    assert sorted(modes) == ["observe", "trade"]


def test_types_are_those_that_there_are_orders_for() -> None:
    names = [one["name"] for one in types_in(STRATEGIES)]
    assert names == sorted(names)
    assert {"ma_crossover", "spx_breakout", "strangle_momentum", "vertical_spread"} <= set(names)
    (one,) = types_in(STRATEGIES, "vertical_spread")
    settings = one["settings"]
    assert isinstance(settings, list)
    assert "symbol" not in [setting["name"] for setting in settings]
    with pytest.raises(NotFound, match="did you mean momentum"):
        types_in(STRATEGIES, "momentun")


def test_an_instance_on_options_has_its_symbol_beside_its_settings(watch: Watch) -> None:
    made = watch.add("vs", "vertical_spread", "spy", short_delta="0.2", quantity=2)
    assert (made.symbol, made.minutes, made.warm_up_bars) == ("SPY", 5, 50 * 78)
    assert made.settings == {"short_delta": 0.2, "quantity": 2}
    _, in_force = watch.strategies.show("vs")
    assert (in_force["symbol"], in_force["short_delta"], in_force["flat_deadline"]) == ("SPY", 0.2, "15:30")
    assert watch.strategies.set_mode("vs", "trade", CALLER).mode == "trade"
    other = watch.add("other", "vertical_spread", "QQQ", short_delta="0.2", quantity=2)
    assert other.config_hash != made.config_hash, "the symbol is part of what it is"
    with watch.database.transaction() as session:
        repository = StrategyRepository(session)
        assert [one.name for one in repository.on_options()] == ["other", "vs"]
        assert repository.looked_at() == []
        assert not repository.any_looked_at()
        assert repository.traded() == set()
        assert repository.series() == {("QQQ", 5): 3900, ("SPY", 5): 3900}
    watch.strategies.switch("vs", CALLER, enabled=False)
    with watch.database.transaction() as session:
        assert [one.name for one in StrategyRepository(session).on_options(holding=True)] == ["other"]


def test_what_the_desk_is_to_stream(watch: Watch) -> None:
    watch.add("a", symbol="spy")
    watch.add("b", long_window=50)
    watch.add("c", symbol="QQQ", bar_minutes=1)
    watch.add("d", symbol="IWM")
    watch.strategies.switch("d", CALLER, enabled=False)
    with watch.database.transaction() as session:
        assert StrategyRepository(session).series() == {("QQQ", 1): 20, ("SPY", 5): 50}


def test_the_status_shows_what_trades_and_not_what_is_watched(watch: Watch) -> None:
    opens = session_of(8).opens
    with watch.database.transaction() as session:
        EvaluationRepository(session).add(record.evaluation(as_of=opens))
    watch.add("fast")
    watch.evaluate(opens)
    assert len(watch.said("fast")) == 1
    for _ in range(2):
        with watch.database.transaction() as session:
            assert [one.name for one in queries.strategies(session)] == [record.STRATEGY]
        if watch.strategies.states():
            watch.strategies.remove("fast", CALLER)
