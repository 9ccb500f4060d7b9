"""Strategies that trade: their entries pass the gate once, and what they hold is what was filled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from tests.support import plain
from tests.support.accounts import ENOUGH, FIGURES, AskedBroker
from tests.support.record import ACCOUNT, WORLD, approval
from tests.support.watched import CALLER, Watch, later, session_of

from htbot.bootstrap.limits import hours_of
from htbot.domain.bars import Bar, TapeBar
from htbot.domain.errors import CallerMistake, Retryable
from htbot.domain.fills import Fill
from htbot.domain.margin import MarginQuestion, WhatIf
from htbot.domain.numeric import UNKNOWN
from htbot.domain.orders import Action, ExitReason, IntentState, Order, OrderState, PriceStyle, Purpose
from htbot.domain.quotes import Quote
from htbot.domain.trades import TradeState
from htbot.marketdata.snapshot import AccountState, Snapshot
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.records import IntentMove, StoredIntent, StoredSignal
from htbot.persistence.repositories import (
    DeskStateRepository,
    EvaluationRepository,
    FillRepository,
    IntentRepository,
    OrderRepository,
    RiskDecisionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.risk.limits import DEFAULT_HOURS, Limits
from htbot.services.bar_evaluator import BarEvaluator
from htbot.services.bar_exits import leave
from htbot.services.bar_look import Look
from htbot.services.bar_trader import BarTrader, TraderParts
from htbot.services.callers import Conflict
from htbot.services.strategies import NewStrategy
from htbot.services.trade_record import settle_trade
from htbot.strategies.bar_strategy import LONG, Advice, BarConfig, BarInputs, BarStrategy, Holding
from htbot.strategies.registry import STRATEGIES, Entry

SPY, NAME, DAY, OTHER = 756, "steps", 8, "DU1000002"
LIMITS = Limits(Decimal(400), Decimal(200), Decimal(12_000), max_order_quantity=10)
EXIT = {"exit_time": "15:40"}


class StepsConfig(BarConfig):
    """No settings of its own."""


class Steps(BarStrategy):
    """Wants to be long at each bar that closes above 100, and out at the second bar that it holds."""

    name = NAME
    Config = StepsConfig

    @property
    def inputs(self) -> BarInputs:
        return BarInputs(5, 1)

    def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
        if held.side == LONG:
            return Advice(0, held.bars >= 2, UNKNOWN, UNKNOWN, 0.0)
        side = LONG if bar.close > 100 else 0
        return Advice(side, False, bar.close - 2, bar.close + 4, 1.0)


@dataclass
class Floor:
    """A watched record, its market, and a worker that trades."""

    watch: Watch
    broker: AskedBroker = field(default_factory=AskedBroker)
    enabled: bool = True
    cash: Decimal = Decimal(100_000)
    limits: Limits = LIMITS
    others: dict[str, AccountState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.watch.database.transaction() as session:
            state = DeskStateRepository(session)
            self.epoch = state.begin_epoch()
            state.set_reconciled(self.epoch)
        opens = session_of(DAY).opens
        closes = [100.0] * 6 + [101.0] * 8
        starts = [opens + timedelta(minutes=5 * number) for number in range(len(closes))]
        self.bars = [
            Bar("SPY", start, 5, at, at + 0.5, at - 0.5, at, 10.0) for start, at in zip(starts, closes, strict=True)
        ]
        before = session_of(DAY - 1).opens
        self.watch.tell_history([replace(self.bars[0], start=before + timedelta(minutes=5 * n)) for n in range(78)])
        self.worker = self.new_worker()

    def new_worker(self) -> BarEvaluator:
        def limits_of(config: BarConfig) -> Limits:
            return replace(self.limits, hours=hours_of(config, DEFAULT_HOURS))

        trader = BarTrader(TraderParts(limits_of, self.broker, self.enabled, self.watch.database.transaction))
        return self.watch.new_worker(trader=trader)

    def snapshot(self, as_of: datetime, price: float) -> Snapshot:
        quote = Quote(SPY, as_of, price - 0.01, price + 0.01, 10.0, 10.0, last=price)
        base = Snapshot(as_of, WORLD, ACCOUNT, "SPX", 1, 4000.0, None, None, quotes={SPY: quote})
        money = replace(base, net_liquidation=self.cash, buying_power=self.cash, figures=FIGURES)
        return replace(money, shares={"SPY": SPY}, others=self.others)

    def look(self, as_of: datetime, worker: BarEvaluator | None = None, price: float = 101.0) -> str:
        look = Look(WORLD, ACCOUNT, as_of, snapshot=self.snapshot(as_of, price))
        with self.watch.database.transaction() as session:
            return (worker or self.worker).evaluate(session, look)

    def play(self, first: int, last: int) -> None:
        """Bars become known one by one, and each is looked at three seconds after its end."""
        for bar in self.bars[first:last]:
            self.watch.tell([bar])
            self.look(later(bar.end, 3))

    def begin(self, **settings: object) -> None:
        self.watch.strategies.add(NewStrategy(NAME, NAME, "SPY", EXIT | settings, True, "trade"), CALLER)
        self.look(session_of(DAY).opens)

    # --- what came of it -------------------------------------------------------------------------------------------

    def signals(self) -> list[StoredSignal]:
        with self.watch.database.transaction() as session:
            return list(reversed(SignalRepository(session).recent(100)))

    def intents(self, purpose: Purpose = Purpose.ENTRY) -> list[StoredIntent]:
        with self.watch.database.transaction() as session:
            found = IntentRepository(session).of_session(session_of(DAY).day)
        return [one for one in found if one.intent.purpose is purpose]

    def fill(self, stored: StoredIntent, price: str, at: datetime, quantity: int | None = None) -> None:
        """As the desk writes it: claimed, sent, filled, settled; with a `quantity` only that part of it."""
        intent, ref = stored.intent, stored.intent.ref
        leg = intent.legs[0]
        side = Action.BUY if intent.action is Action.BUY else Action.SELL
        made = (f"{ref}.01", ref, ACCOUNT, leg.con_id, "SPY", None, None, None, side, quantity or intent.quantity)
        with self.watch.database.transaction() as session:
            intents = IntentRepository(session)
            intents.claim_some(self.epoch, at, 1)
            intents.begin_sending({ref: len(self.signals())}, 1, epoch=self.epoch, at=at)
            order = Order(
                ref,
                len(self.signals()),
                1,
                ACCOUNT,
                intent.purpose,
                intent.action,
                intent.quantity,
                intent.limit,
                OrderState.FILLED if quantity is None else OrderState.PARTIAL,
                filled=quantity or intent.quantity,
            )
            OrderRepository(session).upsert(order, at)
            FillRepository(session).add(Fill(*made, Decimal(price), 1, at, 9), at)
            if quantity is None:
                intents.move_all([IntentMove(ref, IntentState.SENDING, IntentState.FILLED, at)], self.epoch)
            settle_trade(session, intent.trade_id, at)

    def said(self, as_of: datetime) -> str | None:
        with self.watch.database.transaction() as session:
            found = EvaluationRepository(session).latest(NAME, ACCOUNT, as_of)
        return None if found is None else found.why_not


@pytest.fixture
def floor(database: Database) -> Floor:
    return Floor(Watch(database, {**STRATEGIES, NAME: Entry(Steps, StepsConfig)}))


def test_a_wish_becomes_one_entry_whoever_looks_and_how_often(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    bar = floor.bars[6]
    for seconds in (30, 60):
        floor.look(later(bar.end, seconds))
        floor.look(later(bar.end, seconds), floor.new_worker())
    [signal] = floor.signals()
    assert (signal.accepted, signal.signal.action, signal.signal.bar_start) == (True, "enter", bar.start)
    [stored] = floor.intents()
    intent = stored.intent
    assert (intent.style, intent.quantity, intent.legs[0].con_id) == (PriceStyle.MARKETABLE, 10, SPY)
    assert intent.limit == Decimal("101.26"), "a quarter of a percent beyond the ask, on the grid"
    assert [asked.quantity for asked in floor.broker.asked] == [10]
    with floor.watch.database.transaction() as session:
        [trade] = TradeRepository(session).live(ACCOUNT)
    assert (trade.strategy, trade.state, trade.width) == (NAME, TradeState.OPENING, None)
    assert (trade.rules.stop_price, trade.rules.target_price) == (Decimal("99.0000"), Decimal("105.0000"))
    assert trade.rules.exit_at == session_of(DAY).at(15, 40)


def test_an_instance_enters_for_the_account_that_it_names(database: Database) -> None:
    """Two of one type: each has its own money, its own limits and its own trade in its account."""
    floor = Floor(Watch(database, {**STRATEGIES, NAME: Entry(Steps, StepsConfig)}, accounts=(ACCOUNT, OTHER)))
    floor.limits = replace(LIMITS, max_concurrent_trades=1)
    floor.worker = floor.new_worker()
    floor.others = {OTHER: AccountState(Decimal(60_000), Decimal(60_000), FIGURES)}
    floor.begin()
    named = NewStrategy("second", NAME, "SPY", EXIT, True, "trade", OTHER)
    floor.watch.strategies.add(named, CALLER)
    floor.look(session_of(DAY).opens)
    floor.play(0, 7)
    assert sorted((asked.account, asked.quantity) for asked in floor.broker.asked) == [(ACCOUNT, 10), (OTHER, 10)]
    assert {(one.intent.strategy, one.intent.account) for one in floor.intents()} == {
        (NAME, ACCOUNT),
        ("second", OTHER),
    }
    with database.transaction() as session:
        said = EvaluationRepository(session).latest("second", OTHER, later(floor.bars[6].end, 3))
        trades = [(trade.strategy, trade.account) for trade in TradeRepository(session).live()]
    assert said is not None
    assert sorted(trades) == [("second", OTHER), (NAME, ACCOUNT)]


def test_the_money_of_its_own_account_is_judged(database: Database) -> None:
    floor = Floor(Watch(database, {**STRATEGIES, NAME: Entry(Steps, StepsConfig)}, accounts=(ACCOUNT, OTHER)))
    floor.others = {OTHER: AccountState(Decimal(900), Decimal(900), FIGURES)}
    floor.watch.strategies.add(NewStrategy("second", NAME, "SPY", EXIT, True, "trade", OTHER), CALLER)
    floor.look(session_of(DAY).opens)
    floor.play(0, 7)
    [signal] = floor.signals()
    assert (signal.signal.account, (signal.refused_by or "").partition(":")[0]) == (OTHER, "loss_limits")


def test_an_account_that_the_desk_does_not_trade_enters_nothing(database: Database) -> None:
    floor = Floor(Watch(database, {**STRATEGIES, NAME: Entry(Steps, StepsConfig)}, accounts=(ACCOUNT, OTHER)))
    floor.watch.strategies.add(NewStrategy("second", NAME, "SPY", EXIT, True, "trade", OTHER), CALLER)
    floor.look(session_of(DAY).opens)
    floor.play(0, 7)
    with database.transaction() as session:
        said = EvaluationRepository(session).latest("second", OTHER, later(floor.bars[6].end, 3))
    assert said is not None
    assert said.why_not == f"account {OTHER} is not traded here: name it in IB_ACCOUNTS"
    assert not floor.intents()
    floor.others = {OTHER: AccountState(floor.cash, floor.cash, FIGURES)}
    floor.look(later(floor.bars[6].end, 30))  # the desk trades it now: the wish still stands
    assert [one.intent.account for one in floor.intents()] == [OTHER]


def test_it_holds_what_was_filled_and_its_own_exit_is_a_close(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[6].end, 5))
    floor.play(7, 8)
    assert floor.said(later(floor.bars[7].end, 3)) == "holds long 10 at 101.01"
    assert not floor.intents(Purpose.EXIT)
    floor.play(8, 9)
    [close] = floor.intents(Purpose.EXIT)
    assert (close.intent.style, close.intent.quantity) == (PriceStyle.MARKET, 10)
    assert close.intent.exit_reason is ExitReason.SIGNAL
    assert [one.signal.action for one in floor.signals()] == ["enter", "leave"]
    floor.look(later(floor.bars[8].end, 30), floor.new_worker())
    assert len(floor.intents(Purpose.EXIT)) == 1


def test_after_its_exit_it_enters_again_and_a_new_process_knows_the_same(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[6].end, 5))
    floor.play(7, 9)
    [close] = floor.intents(Purpose.EXIT)
    floor.fill(close, "101.50", later(floor.bars[8].end, 5))
    floor.worker = floor.new_worker()
    floor.play(9, 10)
    assert [one.signal.action for one in floor.signals()] == ["enter", "leave", "enter"]
    assert [stored.sequence for stored in floor.intents()] == [1, 2]


def test_what_was_folded_is_kept_and_says_what_a_new_process_says(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folded anew when another thing became of its entries only; the bars of the day before are folded with it."""
    shown: list[float] = []
    on_bar = Steps.on_bar

    def counted(self: Steps, bar: TapeBar, held: Holding) -> Advice:
        shown.append(bar.close)
        return on_bar(self, bar, held)

    monkeypatch.setattr(Steps, "on_bar", counted)
    floor.begin()
    folded = len(shown)
    assert folded == 42
    anew = []
    for number, bar in enumerate(floor.bars[:12]):
        floor.watch.tell([bar])
        for seconds, news in ((3, 1), (30, 0)):
            del shown[:]
            floor.look(later(bar.end, seconds))
            if len(shown) != news:
                assert len(shown) == folded + number + 1
                anew.append((number, seconds))
        floor.look(later(bar.end, 60), floor.new_worker())
        assert floor.said(later(bar.end, 30)) == floor.said(later(bar.end, 60)), number
        if number == 7:
            floor.fill(floor.intents()[0], "101.01", later(bar.end, 5))
        if number == 9:
            floor.fill(floor.intents(Purpose.EXIT)[0], "101.50", later(bar.end, 5))
    assert anew == [(6, 30), (8, 3), (10, 3), (10, 30)], "ordered, filled, closed, ordered again"


def test_what_the_gate_refuses_is_recorded_and_leaves_it_flat(floor: Floor) -> None:
    floor.cash = Decimal(900)
    floor.begin()
    floor.play(0, 8)
    refused = [(one.refused_by or "").partition(":")[0] for one in floor.signals()]
    assert refused == ["loss_limits", "loss_limits"], "each bar is a wish of its own"
    assert not floor.intents()


def test_what_the_broker_has_no_margin_for_is_refused(floor: Floor) -> None:
    floor.broker.answer = WhatIf(rejected="broker error 201: no short stock today")
    floor.begin()
    floor.play(0, 7)
    [signal] = floor.signals()
    assert "no short stock today" in (signal.refused_by or "")
    assert not floor.intents()


def test_what_another_strategy_has_entered_while_the_broker_was_asked_counts(floor: Floor) -> None:
    def enter_another(_question: MarginQuestion) -> WhatIf:
        other = replace(plain.trade(), account=ACCOUNT, session=session_of(DAY).day, opened_at=session_of(DAY).opens)
        with floor.watch.database.transaction() as session:
            BookQuery(session).hold_account(ACCOUNT)
            RiskDecisionRepository(session).add(approval(1), None)
            assert TradeRepository(session).add(other)
        return ENOUGH

    floor.broker.ask = enter_another
    floor.limits = replace(LIMITS, max_concurrent_trades=1)
    floor.worker = floor.new_worker()
    floor.begin()
    floor.play(0, 7)
    [signal] = floor.signals()
    assert (signal.refused_by or "").startswith("concurrent_trades")
    assert not floor.intents()


def test_a_bar_that_is_seen_too_late_buys_nothing(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 6)
    floor.watch.tell([floor.bars[6]])
    floor.look(later(floor.bars[6].end, 200))
    [signal] = floor.signals()
    assert "seen too late" in (signal.refused_by or "")
    assert not floor.intents()


def test_an_exit_wish_that_is_found_out_late_closes_what_was_there(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[6].end, 5))
    floor.play(7, 8)
    floor.watch.tell([floor.bars[8]])
    floor.look(later(floor.bars[8].end, 200))
    [close] = floor.intents(Purpose.EXIT)
    assert close.intent.quantity == 10
    assert [one.refused_by for one in floor.signals() if one.signal.action == "leave"] == [None]


def test_over_night_a_worker_that_comes_after_decides_as_one_that_lived(floor: Floor) -> None:
    """Entered in the last quarter of an hour; the second bar that it holds is the last of its session."""
    shift = session_of(DAY).closes - floor.bars[8].end
    floor.bars = [replace(bar, start=bar.start + shift) for bar in floor.bars[:9]]
    flat = replace(floor.bars[0], high=100.0, low=100.0)
    starts = [session_of(DAY).opens + timedelta(minutes=5 * number) for number in range(69)]
    floor.watch.tell(replace(flat, start=start) for start in starts)
    floor.begin(exit_time=None)
    floor.play(0, 7)
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[6].end, 5))
    floor.play(7, 9)
    closes = session_of(DAY).closes
    floor.look(later(closes, 120))
    assert not floor.intents(Purpose.EXIT), "nothing is asked for when nothing can be sold"
    opens = session_of(DAY + 1).opens
    floor.look(opens, floor.new_worker())
    floor.look(opens)
    [close] = floor.intents(Purpose.EXIT)
    assert (close.intent.exit_reason, close.intent.created_at) == (ExitReason.SIGNAL, opens)
    assert [one.signal.action for one in floor.signals()] == ["enter", "leave"]
    with floor.watch.database.transaction() as session:
        trade = TradeRepository(session).of_ids([close.intent.trade_id])[close.intent.trade_id]
    assert (trade.rules.exit_at, trade.rules.flat_deadline) == (None, None)


def test_an_exit_wish_closes_nothing_that_was_entered_after_its_bar(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    [entered] = floor.signals()
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[6].end, 5))
    wish = replace(entered.signal, action="leave", bar_start=floor.bars[5].start)
    with floor.watch.database.transaction() as session:
        assert leave(wish, floor.bars[5].end, ExitReason.SIGNAL, None, session)
    assert not floor.intents(Purpose.EXIT)


@pytest.mark.parametrize(
    ("stop", "confidence"), [(math.inf, 1.0), (1e30, 1.0), (-1.0, 1.0), (0.0, 1.0), (99.0, math.nan), (99.0, math.inf)]
)
@pytest.mark.parametrize("mode", ["trade", "observe"])
def test_advice_that_is_no_price_ends_its_strategy_and_no_other(
    database: Database, stop: float, confidence: float, mode: str
) -> None:
    class Wild(Steps):
        def on_bar(self, bar: TapeBar, held: Holding) -> Advice:
            return super().on_bar(bar, held)._replace(stop=stop, confidence=confidence)

    floor = Floor(Watch(database, {**STRATEGIES, NAME: Entry(Steps, StepsConfig), "wild": Entry(Wild, StepsConfig)}))
    floor.watch.strategies.add(NewStrategy("a-wild", "wild", "SPY", EXIT, True, mode), CALLER)
    floor.begin()
    floor.play(0, 7)
    assert [stored.intent.strategy for stored in floor.intents()] == [NAME]
    assert not floor.watch.instance("a-wild").enabled
    assert floor.watch.instance(NAME).enabled


def test_a_wish_that_fails_takes_no_other_down_and_is_wished_again(floor: Floor) -> None:
    class Failing(AskedBroker):
        def __call__(self, question: MarginQuestion) -> WhatIf:
            if len(self.asked) == 0:
                self.asked.append(question)
                raise ZeroDivisionError("no such thing")
            return super().__call__(question)

    floor.broker = Failing()
    floor.worker = floor.new_worker()
    floor.watch.strategies.add(NewStrategy("a-first", NAME, "SPY", EXIT, True, "trade"), CALLER)
    floor.begin()
    floor.play(0, 7)
    assert [stored.intent.strategy for stored in floor.intents()] == [NAME]
    floor.look(later(floor.bars[6].end, 30))
    assert {stored.intent.strategy for stored in floor.intents()} == {NAME, "a-first"}


def test_one_that_is_disabled_while_it_holds_leaves_by_itself_and_enters_nothing(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    floor.watch.strategies.switch(NAME, CALLER, enabled=False)
    floor.play(7, 8)
    assert len(floor.signals()) == 1, "its entry works, and it wishes it again"
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[7].end, 5))
    floor.play(8, 10)
    [close] = floor.intents(Purpose.EXIT)
    floor.fill(close, "101.50", later(floor.bars[9].end, 5))
    floor.play(10, 12)
    assert [one.signal.action for one in floor.signals()] == ["enter", "leave"]


def test_while_the_scheduler_is_stopped_what_is_held_leaves_by_itself_and_nothing_enters(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[6].end, 5))
    floor.watch.strategies.add(NewStrategy("idle", NAME, "SPY", EXIT, True, "trade"), CALLER)
    for bar in floor.bars[7:9]:
        floor.watch.tell([bar])
        as_of = later(bar.end, 3)
        look = Look(WORLD, ACCOUNT, as_of, snapshot=floor.snapshot(as_of, 101.0), exits_only=True)
        with floor.watch.database.transaction() as session:
            assert floor.worker.evaluate(session, look).startswith("1 looked at")
    assert [one.signal.action for one in floor.signals()] == ["enter", "leave"]
    assert len(floor.intents(Purpose.EXIT)) == 1


def test_an_exit_wish_is_kept_until_its_entry_can_fill_no_further(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    [entry] = floor.intents()
    floor.fill(entry, "101.01", later(floor.bars[6].end, 5), quantity=4)
    floor.play(7, 9)
    floor.look(later(floor.bars[8].end, 30))
    assert [one.signal.action for one in floor.signals()] == ["enter"]
    assert not floor.intents(Purpose.EXIT)
    with floor.watch.database.transaction() as session:
        ended = [IntentMove(entry.intent.ref, IntentState.SENDING, IntentState.EXPIRED, floor.bars[8].end)]
        IntentRepository(session).move_all(ended, floor.epoch)
        settle_trade(session, entry.intent.trade_id, floor.bars[8].end)
    floor.look(later(floor.bars[8].end, 60))
    assert [one.signal.action for one in floor.signals()] == ["enter", "leave"]
    [close] = floor.intents(Purpose.EXIT)
    assert close.intent.quantity == 4


@contextmanager
def held_by_others(floor: Floor, strategy: str | None = None) -> Iterator[Database]:
    """While another process holds the account, or a strategy's book; yields a record that does not wait for it long."""
    hasty = Database(floor.watch.database.engine.url.render_as_string(False), EngineOptions(lock_timeout_ms=100))
    with floor.watch.database.transaction() as session:
        if strategy is None:
            BookQuery(session).hold_account(ACCOUNT)
        else:
            BookQuery(session).read(BookKey(strategy, ACCOUNT, session_of(DAY).day), session_of(DAY).opens)
        yield hasty
    hasty.close()


def one_leaves_as_others_enter(floor: Floor, *others: str) -> Look:
    """A look at which what is held leaves by itself, and others enter."""
    floor.begin()
    floor.play(0, 7)
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[6].end, 5))
    floor.play(7, 8)
    for name in others:
        floor.watch.strategies.add(NewStrategy(name, NAME, "SPY", EXIT, True, "trade"), CALLER)
    floor.look(later(floor.bars[7].end, 60))
    floor.watch.tell([floor.bars[8]])
    as_of = later(floor.bars[8].end, 3)
    return Look(WORLD, ACCOUNT, as_of, snapshot=floor.snapshot(as_of, 101.0))


@pytest.mark.parametrize("dies", [False, True])
def test_an_exit_is_committed_before_the_broker_is_asked_about_an_entry(floor: Floor, dies: bool) -> None:
    committed = []

    def ask(_question: MarginQuestion) -> WhatIf:
        committed.append(len(floor.intents(Purpose.EXIT)))
        if dies:
            raise Retryable("PostgreSQL did not answer")
        return ENOUGH

    look = one_leaves_as_others_enter(floor, "a-first")
    floor.broker.ask = ask
    try:
        with floor.watch.database.transaction() as session:
            floor.worker.evaluate(session, look)
    except Retryable:
        assert dies
    assert committed == [1]
    assert {stored.intent.strategy for stored in floor.intents()} == ({NAME} if dies else {NAME, "a-first"})
    floor.broker.ask = None
    floor.look(later(floor.bars[8].end, 33))
    assert len(floor.intents(Purpose.EXIT)) == 1
    assert {stored.intent.strategy for stored in floor.intents()} == {NAME, "a-first"}


def test_a_book_that_others_hold_keeps_its_own_strategy_waiting_and_nobody_else(floor: Floor) -> None:
    look = one_leaves_as_others_enter(floor, "a-first", "b-second")
    with held_by_others(floor, "a-first") as record, record.transaction() as session:
        floor.worker.evaluate(session, look)
    assert [stored.intent.strategy for stored in floor.intents(Purpose.EXIT)] == [NAME]
    assert {stored.intent.strategy for stored in floor.intents()} == {NAME, "b-second"}
    floor.look(later(floor.bars[8].end, 33))
    assert {stored.intent.strategy for stored in floor.intents()} == {NAME, "a-first", "b-second"}


@pytest.mark.parametrize("exits_only", [True, False])
def test_an_exit_waits_for_no_account_that_is_held(floor: Floor, exits_only: bool) -> None:
    floor.begin()
    floor.play(0, 7)
    floor.fill(floor.intents()[0], "101.01", later(floor.bars[6].end, 5))
    floor.play(7, 8)
    floor.watch.tell([floor.bars[8]])
    as_of = later(floor.bars[8].end, 3)
    look = Look(WORLD, ACCOUNT, as_of, snapshot=floor.snapshot(as_of, 101.0), exits_only=exits_only)
    with held_by_others(floor) as record, record.transaction() as session:
        floor.worker.evaluate(session, look)
    assert len(floor.intents(Purpose.EXIT)) == 1


def test_an_entry_that_cannot_hold_the_account_takes_no_exit_along_and_is_wished_again(floor: Floor) -> None:
    look = one_leaves_as_others_enter(floor, "a-first")
    with held_by_others(floor) as record, record.transaction() as session:
        floor.worker.evaluate(session, look)
    assert [stored.intent.strategy for stored in floor.intents(Purpose.EXIT)] == [NAME]
    assert [stored.intent.strategy for stored in floor.intents()] == [NAME]
    floor.look(later(floor.bars[8].end, 33))
    assert {stored.intent.strategy for stored in floor.intents()} == {NAME, "a-first"}


def test_one_that_holds_something_is_neither_changed_nor_removed(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 7)
    [stored] = floor.intents()
    floor.fill(stored, "101.01", later(floor.bars[6].end, 5))
    strategies, words = floor.watch.strategies, f"holds trade {stored.intent.trade_id}"
    for act in (
        partial(strategies.remove, NAME, CALLER),
        partial(strategies.set_mode, NAME, "observe", CALLER),
        partial(strategies.change, NAME, {"exit_time": "15:30"}, CALLER),
    ):
        with pytest.raises(Conflict, match=words):
            act()
    floor.play(7, 9)
    [close] = floor.intents(Purpose.EXIT)
    floor.fill(close, "101.50", later(floor.bars[8].end, 5))
    assert strategies.remove(NAME, CALLER).name == NAME


def test_switched_off_by_hand_nothing_is_entered(database: Database) -> None:
    floor = Floor(Watch(database, {**STRATEGIES, NAME: Entry(Steps, StepsConfig)}), enabled=False)
    floor.begin()
    floor.play(0, 7)
    assert "HTBOT_ENABLED=true" in (floor.signals()[0].refused_by or "")


def test_without_the_quote_of_its_symbol_nothing_is_entered(floor: Floor) -> None:
    floor.begin()
    floor.play(0, 6)
    floor.watch.tell([floor.bars[6]])
    as_of = later(floor.bars[6].end, 3)
    blind = replace(floor.snapshot(as_of, 101.0), shares={})
    with floor.watch.database.transaction() as session:
        floor.worker.evaluate(session, Look(WORLD, ACCOUNT, as_of, snapshot=blind))
    assert "does not stream SPY" in (floor.signals()[0].refused_by or "")


@pytest.mark.parametrize(
    ("settings", "way_out"),
    [
        ({"exit_time": "15:46"}, "flat by 15:45"),
        (EXIT | {"point_value": 5}, "1 a point"),
    ],
)
def test_what_cannot_be_traded_is_said_with_the_way_out(floor: Floor, settings: dict[str, Any], way_out: str) -> None:
    floor.watch.add("watched", NAME, **settings)
    with pytest.raises(CallerMistake, match=way_out):
        floor.watch.strategies.set_mode("watched", "trade", CALLER)
    with pytest.raises(CallerMistake, match="observe or trade"):
        floor.watch.strategies.set_mode("watched", "sell", CALLER)
