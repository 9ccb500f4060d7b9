"""One case: a lane of its own, an edge, an act, and who asks for what is interrupted there."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from random import Random

from sqlalchemy.orm import Session as Transaction
from tests.proofs.failpoints.site import Listed, Site
from tests.support import plain, record

from htbot.domain.errors import CallerMistake, Retryable
from htbot.domain.instruments import Right
from htbot.domain.orders import ExitReason, IntentState, OrderIntent
from htbot.domain.signals import PlainLeg, SpreadLeg
from htbot.domain.trades import ExitRules, Trade, TradeState
from htbot.engine.bar_parts import ExitPlan
from htbot.engine.observation import LevelSale
from htbot.persistence.repositories import (
    CommandRepository,
    IntentRepository,
    RiskDecisionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.services.desk_line import FLATTEN
from htbot.services.trade_record import manual_decision, request_exit
from htbot.telemetry.failpoints import CHANGES, EDGES

KILL, STOP, PAUSE = "kill", "stop", "pause"
ENDED = frozenset({TradeState.VOID, TradeState.CLOSED})
_ANY_CREDIT = Decimal("-0.05")
# Indices from the money outwards, beyond what the desk streams: entries leave at their own limit and fill at once.
_SOLD, _BOUGHT = range(9, 15), range(18, 27)
_FAR = Decimal(1_000_000)
_ABOVE = Decimal("1.02")
_GUARD_WITHIN_S = 6.0
_TRIES = 12
_LONGEST_FREEZE_S = 60.0
# More than stands at the touch: it fills in parts, and its stop and target follow.
_IN_PARTS = 6000
_FIRST_LEVEL = LevelSale(0, 1, ExitPlan())


class What(StrEnum):
    """What is interrupted, and on whose word it happens."""

    ENTRY = "entry"
    TASK = "close by task"
    PART = "part by task"
    GUARD = "close by guard"
    LINE = "close by line"


BY_TASK = frozenset({What.TASK, What.PART})
CLAIMED_ONLY = frozenset({"before_claim", "after_claim"})
JOURNAL_ONLY = frozenset({"before_journal", "after_journal"})


def comes_to(what: What, edge: str, *, shares: bool = False) -> bool:
    """Whether this way to the broker has that edge: what is claimed is not journalled, and the reverse.

    An entry of shares is followed by its stop and target, and a close by task waits for their end: both are journalled.
    What stands there is changed while an entry of shares fills in parts, and before a part of shares is sold.
    """
    if edge in CHANGES:
        return shares and what in {What.ENTRY, What.PART}
    if what is What.PART:
        return shares and edge not in JOURNAL_ONLY
    if what in {What.ENTRY, What.TASK}:
        return shares or edge not in JOURNAL_ONLY
    return edge not in CLAIMED_ONLY


@dataclass(frozen=True, slots=True)
class Case:
    """`act` is kill, stop (the watchdog has to kill) or pause (it is woken before the watchdog loses patience).

    With `shares` a share is traded, with its stop and target at the broker, otherwise a spread.
    """

    what: What
    edge: str
    act: str
    shares: bool = False

    @property
    def armed(self) -> tuple[str, ...]:
        """The lines of the file. A look-up is interrupted while something is in doubt, so it comes behind a kill."""
        act = KILL if self.act == KILL else "stop"
        return (
            (f"after_send {KILL}", f"{self.edge} {act}") if self.edge == "during_reconcile" else (f"{self.edge} {act}",)
        )


@dataclass(slots=True)
class Run:
    """What became of a case. Monotonic seconds; `back_s` and `resolved_s` count from the kill or freeze."""

    case: Case
    trade_id: str
    entry_ref: str
    hit_s: float = 0.0
    back_s: float | None = None
    resolved_s: float | None = None
    asked: list[str] = field(default_factory=list)


def all_cases(acts: tuple[str, ...]) -> list[Case]:
    """Every edge with every way that comes to it."""
    return [
        Case(what, edge, act, shares)
        for act in acts
        for edge in (*EDGES, *CHANGES)
        for what in What
        for shares in (False, True)
        if comes_to(what, edge, shares=shares)
    ]


@dataclass(slots=True)
class Runner:
    """Runs cases one after the other; what they leave to be settled goes on meanwhile."""

    site: Site
    rng: Random
    runs: list[Run] = field(default_factory=list)
    listed: Listed | None = None
    opened: list[Run] = field(default_factory=list)
    lanes: int = 0
    lives: int = 0

    # --- a case ----------------------------------------------------------------------------------------------------

    def run(self, case: Case) -> Run:
        """Bring the desk to the edge, let it die or freeze there, and wait until it is back."""
        run = self._enter(case) if case.what is What.ENTRY else self._close(case)
        self.runs.append(run)
        self._until_hit(case, run)
        run.hit_s = time.monotonic()
        if case.act == PAUSE:
            time.sleep(self.rng.uniform(0.5, 5.0))
            self.site.desk.signal(signal.SIGCONT)
        else:
            self.site.until(self._died, f"the desk died at {case}", _LONGEST_FREEZE_S)
        if case.act == STOP:
            self.site.desk.signal(signal.SIGCONT)  # too late: it is another one by now, and not frozen
        run.back_s = self.site.until(self.site.connected, f"the desk came back after {case}") - run.hit_s
        if case.edge in CHANGES:
            self.site.until(lambda: self._covered(run), f"the stop and target of {run.trade_id} cover what it holds")
        if case.what is What.LINE:  # until then no entry leaves
            self.site.until(lambda: self._trade(run).state in ENDED, f"{run.trade_id} is closed by {run.asked}")
            self.site.until(self._no_command, f"the command of {run.trade_id} is done")
        self.look()
        return run

    def _covered(self, run: Run) -> bool:
        """Whether what is asked for is over, and what stands at the broker is of the size of what is held."""
        trade = self._trade(run)
        if not self._resolved(run) or trade.state is not TradeState.OPEN:
            return trade.state in ENDED
        with self.site.database.transaction() as transaction:
            own = {one.intent.ref for one in IntentRepository(transaction).of_trade(trade.id) if one.intent.protective}
        sizes = [one.quantity for one in self.site.broker().orders if not one.completed and one.ref in own]
        return sizes == [trade.left, trade.left]

    def _no_command(self) -> bool:
        with self.site.database.transaction() as transaction:
            return not CommandRepository(transaction).open()

    def _until_hit(self, case: Case, run: Run) -> None:
        def hit() -> bool:
            if case.what is What.LINE and not run.asked:
                self._ask_line(run)
            elif case.what in BY_TASK and not run.asked:  # the end of its entry may be told later than its fills
                self._ask_task(run, _FIRST_LEVEL if case.what is What.PART else None)
            armed = bool(self.site.armed)
            if armed and case.what is What.ENTRY and self._state(run) is TradeState.VOID and self.site.enabled():
                self._once_more(run, self._approve(case))  # the one before has expired unsent
            elif armed and case.what is What.PART and self._resolved(run):
                self._once_more(run, self._open(case))  # the one before was sold before the edge was armed
            elif armed and case.edge in CHANGES and self._resolved(run):
                self._ask_task(run)
                self._once_more(run, self._approve(case))  # the one before was filled at once
            elif armed and case.what is What.GUARD and self._state(run) in ENDED:
                self._once_more(run, self._open(case))  # it was due before the edge was armed
            return not armed

        self.site.until(hit, f"somebody came to {case}")

    @staticmethod
    def _once_more(run: Run, again: Run) -> None:
        run.trade_id, run.entry_ref, run.asked = again.trade_id, again.entry_ref, again.asked

    def _arm(self, case: Case) -> None:
        """From here on the desk may die: some edges are come to all the time, others only by what is asked for next."""
        self.lives = len(self.site.desk.lives)
        self.site.arm(*case.armed)

    def _died(self) -> bool:
        return len(self.site.desk.lives) > self.lives

    def _enter(self, case: Case) -> Run:
        self.site.until(self.site.enabled, "entries may leave")
        self._arm(case)
        return self._approve(case)

    def stock(self, cases: Iterable[Case]) -> None:
        """Open trades beforehand, for closes by task: they need not wait then for what is in doubt."""
        self.site.until(self.site.enabled, "entries may leave")
        asked = [self._approve(case) for case in cases if case.what in BY_TASK]
        self._until_over(asked)
        self.opened += [run for run in asked if self._state(run) is TradeState.OPEN]

    def _stocked(self, case: Case) -> Run | None:
        """A trade that was opened beforehand and is still open: a close by line closes those too."""
        for run in [run for run in self.opened if run.case.shares is case.shares]:
            self.opened.remove(run)
            if self._state(run) is TradeState.OPEN:
                return run
        return None

    def _close(self, case: Case) -> Run:
        """Open first, unharmed; then arm, and let the close come."""
        run = (self._stocked(case) if case.what in BY_TASK else None) or self._open(case)
        run.case = case
        self._arm(case)
        return run

    def _open(self, case: Case) -> Run:
        """On a busy machine an entry may expire unsent, and a guarded trade may be due too early: once more then."""
        for _ in range(_TRIES):
            self.site.until(self.site.enabled, "entries may leave")
            run = self._approve(case)
            self._until_over([run])
            if self._state(run) is TradeState.OPEN:
                return run
        raise AssertionError(f"no trade could be opened for {case}")

    def _until_over(self, runs: list[Run]) -> None:
        def over() -> bool:
            return all(self._state(run) is not TradeState.OPENING for run in runs)

        self.site.until(over, f"{', '.join(run.trade_id for run in runs)} open or void")

    def _state(self, run: Run) -> TradeState:
        return self._trade(run).state

    def _ask_task(self, run: Run, sale: LevelSale | None = None) -> None:
        decision = manual_decision(ExitReason.MANUAL, self._now(), "failpoints")
        with self.site.database.transaction() as transaction:
            stored = request_exit(transaction, run.trade_id, decision, sale)
        if stored is not None:
            run.asked.append(stored.intent.ref)

    def _ask_line(self, run: Run) -> None:
        try:
            answer = self.site.line.ask({"do": FLATTEN, "key": f"line:{run.trade_id}", "by": "failpoints"})
        except (Retryable, CallerMistake):
            return  # hung up on at the edge, or not there yet: asked again
        run.asked.append(str(answer["command_id"]))

    # --- what comes of them ----------------------------------------------------------------------------------------

    def look(self) -> None:
        """Note what has been resolved by now."""
        for run in self.runs:
            if run.resolved_s is None and run.hit_s and self._resolved(run):
                run.resolved_s = time.monotonic() - run.hit_s

    def _resolved(self, run: Run) -> bool:
        if run.case.what not in {What.ENTRY, What.PART}:
            return self._trade(run).state in ENDED
        ref = run.entry_ref if run.case.what is What.ENTRY else next(iter(run.asked), "")
        with self.site.database.transaction() as transaction:
            stored = IntentRepository(transaction).get(ref)
        return stored is not None and stored.state in {
            IntentState.FILLED, IntentState.CANCELLED, IntentState.EXPIRED, IntentState.REJECTED, IntentState.WITHDRAWN
        }  # fmt: skip

    def finish(self, patience_s: float = 180.0) -> list[str]:
        """Close what entries and parts have left, wait until nothing is live; what is still live is told.

        Whatever was asked to close in its case gets no help here.
        """
        self.site.disarm()
        deadline = time.monotonic() + patience_s
        while True:
            self.look()
            with self.site.database.transaction() as transaction:
                live = TradeRepository(transaction).live()
                waits = IntentRepository(transaction).live()
                for run in self.runs:
                    if run.case.what in {What.ENTRY, What.PART} and run.resolved_s is not None:
                        request_exit(transaction, run.trade_id, manual_decision(ExitReason.MANUAL, self._now(), "end"))
            status = self.site.status()
            if not live and not waits and status.get("enabled") and not status.get("unwritten"):
                return []
            if time.monotonic() > deadline:
                left = [f"{trade.id} is {trade.state.value}" for trade in live]
                return [*left, *(f"{item.intent.ref} is {item.state.value}" for item in waits), f"the desk: {status}"]
            time.sleep(0.5)

    # --- the record ------------------------------------------------------------------------------------------------

    def _now(self) -> datetime:
        self._market()
        return self.site.market_now()

    def _market(self) -> Listed:
        self.listed = self.listed or self.site.listed()
        return self.listed

    def _legs(self) -> tuple[SpreadLeg, SpreadLeg]:
        """No contract is sold by one trade and bought by another: the broker would show nothing of either."""
        puts = self._market().puts
        short, long = puts[self.rng.choice(_SOLD)], puts[self.rng.choice(_BOUGHT)]
        sold, bought = (
            SpreadLeg(item.con_id, record.SYMBOL, record.DAY, item.strike, Right.PUT, ratio)
            for item, ratio in ((short, -1), (long, 1))
        )
        return sold, bought

    def _trade(self, run: Run) -> Trade:
        with self.site.database.transaction() as transaction:
            found = TradeRepository(transaction).get(run.trade_id)
        assert found is not None
        return found

    def _approve(self, case: Case) -> Run:
        self.lanes += 1
        number, now = self.lanes, self._now()
        strategy = f"lane{number:04d}"
        name = f"{strategy}-{record.ACCOUNT}-{record.DAY:%Y%m%d}-1"
        far = now + timedelta(hours=4)
        due = now + timedelta(seconds=_GUARD_WITHIN_S * self.site.speed) if case.what is What.GUARD else far
        if case.shares:
            quantity = _IN_PARTS if case.edge in CHANGES and case.what is What.ENTRY else 10 * (1 + number % 3)
            trade, intent = self._shares(number, strategy, name, (now, due), quantity)
        else:
            trade, intent = self._spread(number, strategy, name, now, due)
        signal_ = replace(record.signal(4000.0 + number), strategy=strategy, as_of=now)
        with self.site.database.transaction() as transaction:
            _store(transaction, signal_, number, trade, intent)
        return Run(case, trade.id, intent.ref)

    def _spread(self, number: int, strategy: str, name: str, now: datetime, due: datetime) -> tuple[Trade, OrderIntent]:
        legs = self._legs()
        trade = record.trade(
            number, id=name, strategy=strategy, legs=legs, quantity=1 + number % 3,
            width=abs(legs[0].strike - legs[1].strike), opened_at=now, rules=ExitRules(_FAR, _FAR, due, due),
        )  # fmt: skip
        good_till = now + timedelta(seconds=60)
        return trade, record.entry(
            trade,
            1,
            limit=_ANY_CREDIT,
            worst_limit=_ANY_CREDIT,
            good_till=good_till,
            decision_id=record.decision_id(number),
        )

    def _shares(
        self, number: int, strategy: str, name: str, times: tuple[datetime, datetime], quantity: int
    ) -> tuple[Trade, OrderIntent]:
        """Bought well above the touch; its stop and target are out of reach, and stand at the broker."""
        market, (now, due) = self._market(), times
        price = market.share_price
        rules = ExitRules(None, None, due, due, stop_price=price / 2, target_price=price * 2)
        leg = PlainLeg(market.share_con_id, plain.SYMBOL, 1)
        trade = plain.trade(number, leg, id=name, strategy=strategy, quantity=quantity, opened_at=now, rules=rules)
        limit = (price * _ABOVE).quantize(plain.CENT)
        made = plain.entry(trade, 1, limit=str(limit), decision_id=record.decision_id(number))
        return trade, made


def _store(transaction: Transaction, signal_: object, number: int, trade: Trade, intent: object) -> None:
    stored = SignalRepository(transaction).add(signal_, None)  # type: ignore[arg-type]
    RiskDecisionRepository(transaction).add(record.approval(number), stored)  # type: ignore[arg-type]
    assert TradeRepository(transaction).add(trade)
    assert IntentRepository(transaction).add(intent)  # type: ignore[arg-type]
