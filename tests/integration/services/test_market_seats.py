"""Several strategies on options read one market at one instant: each under its own name, and what fails fails alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from tests.support.accounts import FIGURES, enough_margin
from tests.support.breakout_world import ACCOUNT, World, limits_of, session_on

from htbot.domain.bars import Bar
from htbot.domain.decisions import Approved
from htbot.domain.errors import StopTrading
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.marketdata.snapshot import AccountState, Snapshot
from htbot.persistence.book import BookQuery
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import (
    BarRepository,
    DeskStateRepository,
    EvaluationRepository,
    HaltRepository,
    IntentRepository,
    RiskDecisionRepository,
    SessionRepository,
    SignalRepository,
    StrategyRepository,
    TradeRepository,
)
from htbot.risk.limits import Limits
from htbot.services.margin import AskMargin
from htbot.services.market_reader import TRADES, MarketReader, Switches
from htbot.services.market_seats import MarketSeats, Reading
from htbot.services.option_instances import spread_strategy
from htbot.strategies.spx_breakout import BreakoutConfig, SpxBreakout

SESSION = session_on(2022, 8, 26, opens=(13, 30))
FIVE = timedelta(minutes=5)
BREAKOUT = SESSION.opens + timedelta(minutes=53)
QUICK = {"rsi_window": 2, "ema_span": 2}
OWN, OTHER = "spx_breakout", "DU1000002"


def bars() -> list[Bar]:
    """Bars below a first high of 4110, with a trend up, then one that breaks it at 10:20."""
    shapes = [(4100.0, 4110.0, 4090.0, 4095.0)]
    shapes += [(4095.0 + n, 4097.0 + n, 4094.0 + n, 4096.0 + n) for n in range(9)]
    shapes += [(4104.0, 4112.0, 4103.0, 4111.0)]
    return [Bar("SPX", SESSION.opens + n * FIVE, 5, *shape) for n, shape in enumerate(shapes)]


def roomy() -> Limits:
    """What several trades in one underlying need."""
    much = Decimal(1_000_000)
    dollars = {"max_order_notional_usd": much, "max_position_size_usd": much}
    shares = dict.fromkeys(("max_single_position_fraction", "max_symbol_exposure_fraction"), Decimal(10))
    return replace(limits_of("SPX"), **dollars, **shares, max_net_liquidation_fraction=Decimal(10))


@dataclass
class Room:
    """A record, a market that breaks out, and a worker's readers."""

    database: Database
    market: World
    limits: Limits = field(default_factory=roomy)
    made: list[str] = field(default_factory=list)
    ask: AskMargin = enough_margin
    others: dict[str, AccountState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seats = self.restarted()

    def asked(self, question: MarginQuestion) -> WhatIf:
        return self.ask(question)

    def reader_of(self, instance: StrategyInstance) -> MarketReader:
        self.made.append(instance.name)
        switches = TRADES if instance.mode == "trade" else Switches(observed=True)
        return MarketReader(spread_strategy(instance), self.limits, enough_margin, switches)

    def add(
        self,
        name: str,
        *,
        mode: str = "trade",
        symbol: str = "SPX",
        minutes: int = 5,
        account: str | None = None,
        **settings: object,
    ) -> StrategyInstance:
        values, at = {**QUICK, **settings}, SESSION.opens
        one = StrategyInstance(name, OWN, symbol, minutes, 4, values, "c0ffee", True, mode, at, at, account=account)
        with self.database.transaction() as session:
            StrategyRepository(session).add(one)
        return one

    def read(self, seats: MarketSeats | None = None, at: datetime = BREAKOUT) -> Reading:
        with self.database.transaction() as session:
            snapshot = replace(self.market.snapshot(at), others=self.others)
            return (seats or self.seats).read(session, snapshot, at, self.elsewhere)

    def restarted(self) -> MarketSeats:
        own = MarketReader(SpxBreakout(BreakoutConfig(**QUICK)), self.limits, self.asked)
        return MarketSeats(own, self.reader_of)

    def elsewhere(self, _symbol: str) -> Snapshot | None:
        return None

    def why_not(self) -> dict[str, str | None]:
        with self.database.transaction() as session:
            return {one.strategy: one.why_not for one in EvaluationRepository(session).of_day(SESSION.day, ACCOUNT)}

    def signals(self) -> dict[str, str | None]:
        with self.database.transaction() as session:
            return {
                one.signal.strategy: one.refused_by
                for one in SignalRepository(session).of_session(SESSION.day, ACCOUNT)
            }

    def intents(self) -> list[str]:
        with self.database.transaction() as session:
            found = [one.intent for one in IntentRepository(session).of_session(SESSION.day, ACCOUNT)]
            assert {one.trade_id for one in found} == {
                one.id for one in TradeRepository(session).of_session(SESSION.day, ACCOUNT)
            }
        return sorted(one.ref for one in found)


@pytest.fixture
def room(database: Database) -> Room:
    market = World(SESSION, bars())
    with database.transaction() as session:
        SessionRepository(session).upsert([SESSION])
        BarRepository(session).upsert("test", market.closed(BREAKOUT), BREAKOUT)
        desk = DeskStateRepository(session)
        desk.set_reconciled(desk.begin_epoch())
    return Room(database, market)


def refs(*names: str) -> list[str]:
    return sorted(f"htbot-{name}-{ACCOUNT}-20220826-E1" for name in names)


def test_each_trades_under_its_own_name(room: Room) -> None:
    room.add("wide", quantity=2)
    told = room.read()
    assert (told.words, told.failed) == ("signal", {})
    assert room.signals() == {OWN: None, "wide": None}
    assert room.intents() == refs(OWN, "wide")
    assert room.why_not() == {OWN: None, "wide": None}
    room.read()
    assert room.intents() == refs(OWN, "wide"), "the same instant again is nothing new"


def test_an_instance_enters_for_the_account_that_it_names(room: Room) -> None:
    """Limits are those of its account: a trade of the main one is none of its own."""
    room.limits = replace(room.limits, max_concurrent_trades=1)
    room.others = {OTHER: AccountState(Decimal(50_000), Decimal(50_000), FIGURES)}
    room.add("a")
    room.add("b", account=OTHER)
    room.add("c", account="DU1000003")
    own = MarketReader(SpxBreakout(BreakoutConfig(**QUICK)), room.limits, enough_margin)
    told = room.read(MarketSeats(own, room.reader_of))
    assert told.failed == {}
    assert room.intents() == refs(OWN)
    assert str(room.signals()["a"]).startswith("concurrent_trades: ")
    with room.database.transaction() as session:
        [entry] = [one.intent for one in IntentRepository(session).of_session(SESSION.day, OTHER)]
        left = EvaluationRepository(session).latest("c", "DU1000003", BREAKOUT)
    assert (entry.strategy, entry.account) == ("b", OTHER)
    assert left is not None
    assert left.why_not == "account DU1000003 is not traded here: name it in IB_ACCOUNTS"


def test_an_account_that_others_hold_costs_only_its_own_entries(room: Room) -> None:
    database, url = room.database, room.database.engine.url.render_as_string(hide_password=False)
    room.others = {OTHER: AccountState(Decimal(50_000), Decimal(50_000), FIGURES)}
    room.add("b", account=OTHER)
    room.database = Database(url, EngineOptions(lock_timeout_ms=100))
    with database.transaction() as another:
        BookQuery(another).hold_account(OTHER)
        told = room.read()
    room.database.close()
    why = f"account {OTHER} is held by another process: asked again next time"
    assert (told.words, told.failed) == ("signal", {"b": why})
    room.database = database
    assert room.intents() == refs(OWN)
    later = BREAKOUT + timedelta(seconds=30)
    with database.transaction() as session:
        row = EvaluationRepository(session).latest("b", OTHER, BREAKOUT)
    assert row is not None
    assert row.why_not == f"failed: {why}"
    room.read(at=later)
    with database.transaction() as session:
        [entry] = [one.intent for one in IntentRepository(session).of_session(SESSION.day, OTHER)]
    assert entry.strategy == "b"


def test_who_comes_later_sees_what_was_entered_before(room: Room) -> None:
    """One trade at a time over all strategies: the configured one comes first, then the names in their order."""
    room.limits = replace(room.limits, max_concurrent_trades=1)
    room.add("a", quantity=2)
    room.add("b", quantity=3)
    room.read(MarketSeats(room.reader_of(replace(room.add("c", quantity=4), mode="observe")), room.reader_of))
    accepted = [name for name, refused in room.signals().items() if refused is None]
    assert accepted == ["a"]
    assert str(room.signals()["b"]).startswith("concurrent_trades: ")


def test_an_observed_one_leaves_its_signal_and_sends_nothing(room: Room) -> None:
    room.add("seen", mode="observe")
    room.read()
    assert room.signals() == {OWN: None, "seen": "observe"}
    assert room.intents() == refs(OWN)


@pytest.mark.ruling(2)
def test_what_was_observed_is_entered_once_it_trades(room: Room) -> None:
    """Watching spends a level for the watching alone, whatever was started anew in between."""
    later = [BREAKOUT + timedelta(seconds=30 * number) for number in range(5)]
    watched = room.add("seen", mode="observe", quantity=2)
    room.read(at=later[0])
    room.read(room.restarted(), at=later[1])
    with room.database.transaction() as session:
        stored = [one for one in SignalRepository(session).of_session(SESSION.day, ACCOUNT) if one.signal.observed]
        assert [(one.signal.strategy, one.refused_by) for one in stored] == [("seen", "observe")], "it is told once"
        StrategyRepository(session).change(replace(watched, mode="trade"))
    room.read(room.restarted(), at=later[2])
    assert room.intents() == refs(OWN, "seen")
    with room.database.transaction() as session:
        signals = SignalRepository(session).of_session(SESSION.day, ACCOUNT)
        traded = [one for one in signals if one.signal.strategy == "seen" and not one.signal.observed]
        [decision] = RiskDecisionRepository(session).of_signals([one.id for one in traded]).values()
        assert isinstance(decision, Approved)
        StrategyRepository(session).change(replace(watched, mode="observe"))
    room.read(room.restarted(), at=later[3])
    with room.database.transaction() as session:
        assert len(SignalRepository(session).of_session(SESSION.day, ACCOUNT)) == len(signals), "spent by the entry"


@pytest.mark.ruling(2)
def test_one_that_runs_away_while_it_is_observed_halts_nobody(room: Room) -> None:
    room.add("seen", mode="observe")
    room.limits = replace(room.limits, max_signals_per_minute=0)
    reader = MarketReader(SpxBreakout(BreakoutConfig(**QUICK)), roomy(), enough_margin)
    room.read(MarketSeats(reader, room.reader_of))
    assert str(room.signals()["seen"]).startswith("signals_per_minute: ")
    with room.database.transaction() as session:
        assert HaltRepository(session).active(BREAKOUT) == []
    assert room.intents() == refs(OWN)


def test_an_instance_that_fails_stops_no_other(room: Room) -> None:
    room.add("broken", rsi_windo=2)
    room.add("wide", quantity=2)
    told = room.read()
    assert set(told.failed) == {"broken"}
    assert "did you mean rsi_window" in told.failed["broken"]
    assert room.intents() == refs(OWN, "wide")
    assert room.why_not()["broken"] == f"failed: {told.failed['broken']}"


def test_a_configured_one_that_fails_stops_no_instance(room: Room) -> None:
    def away(_question: MarginQuestion) -> WhatIf:
        raise StopTrading("a broken invariant")

    room.ask = away
    room.add("wide", quantity=2)
    told = room.read()
    assert (told.words, told.failed) == (None, {OWN: "a broken invariant"})
    assert room.intents() == refs("wide")
    assert OWN not in room.signals(), "what it had written went with it"
    assert room.why_not() == {OWN: "failed: a broken invariant", "wide": None}


def test_what_the_desk_does_not_quote_is_told(room: Room) -> None:
    room.add("vs", symbol="QQQ")
    room.read()
    assert room.why_not() == {OWN: None, "vs": "QQQ is not quoted yet"}


def test_one_underlying_has_bars_of_one_length(room: Room) -> None:
    room.add("slow", minutes=15)
    room.read()
    assert str(room.why_not()["slow"]).endswith("and it wants 15: one length for each underlying, give bar_minutes=5")
    assert room.intents() == refs(OWN)


def test_a_disabled_one_is_not_asked(room: Room) -> None:
    room.add("wide", quantity=2)
    with room.database.transaction() as session:
        StrategyRepository(session).disable("wide", "c0ffee", BREAKOUT)
    room.read()
    assert room.intents() == refs(OWN)


def test_a_reader_is_made_once_and_anew_when_its_instance_has_changed(room: Room) -> None:
    one = room.add("wide", quantity=2)
    room.read()
    room.read()
    assert room.made == ["wide"]
    with room.database.transaction() as session:
        StrategyRepository(session).change(replace(one, mode="observe"))
    room.read()
    assert room.made == ["wide", "wide"]


def test_bars_that_are_still_to_come_are_waited_for(room: Room) -> None:
    """A history that is loaded later counts: no state is kept that has not seen as many bars as it needs."""
    strategy = SpxBreakout(BreakoutConfig(rsi_window=8, ema_span=8))
    reader = MarketReader(strategy, room.limits, enough_margin)
    early = [
        Bar("SPX", SESSION.opens - timedelta(days=1) + n * FIVE, 5, 4000.0, 4030.0, 3999.0, 4000.0 + n)
        for n in range(20)
    ]
    with room.database.transaction() as session:
        first = reader.read(session, room.market.snapshot(BREAKOUT), BREAKOUT)
        assert first.evaluation.why_not == "warming up: 10 of 16 bars"
        session.rollback()
    later = BREAKOUT + timedelta(seconds=30)
    with room.database.transaction() as session:
        BarRepository(session).upsert("test", early, BREAKOUT)
        assert reader.read(session, room.market.snapshot(later), later).evaluation.indicators["bars"] == 30


def test_every_row_is_under_one_name(room: Room) -> None:
    room.add("wide", quantity=2)
    room.read()
    with room.database.transaction() as session:
        for table in ("evaluations", "signals", "intents", "trades"):
            names = session.scalars(text(f"SELECT strategy FROM {table} ORDER BY 1")).all()
            assert names == [OWN, "wide"], table
        [first, second] = [one.intent for one in IntentRepository(session).of_session(SESSION.day, ACCOUNT)]
    assert {first.quantity, second.quantity} == {1, 2}
    assert first.legs == second.legs
    assert min(first.limit, second.limit) < Decimal(0)
