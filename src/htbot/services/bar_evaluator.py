"""One evaluation of the strategies on plain instruments: new bars in, signals and reasons out, in one transaction.

The bars of all symbols of a part are read at once, shown to each strategy in order, and what came of them is written at
once. A state is folded from recorded bars only, always from the same first one, so that it is the same in every process
and after every restart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import event
from sqlalchemy.orm import Session as Transaction

from htbot.domain.errors import ConfigurationError
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import OBSERVED, Evaluation, Signal
from htbot.engine.guarding import guarded
from htbot.engine.observation import Fired, Observation
from htbot.engine.recorded import Fate, RecordedLoop
from htbot.engine.recorded_bars import (
    Looked,
    Shown,
    beginning,
    clock,
    ended_s,
    is_fresh,
    late_bar_s,
    placed,
    signal_of,
    waits,
)
from htbot.engine.share_entries import Wanted
from htbot.marketdata.snapshot import Snapshot
from htbot.marketdata.tape_bars import ClosedBar, TapeCalendar
from htbot.persistence.records import TRADE, StrategyInstance
from htbot.persistence.records import Observation as Origin
from htbot.persistence.repositories import (
    ClosedBarRepository,
    EvaluationRepository,
    HistoryNeed,
    SessionRepository,
    SignalRepository,
    StrategyRepository,
)
from htbot.services.bar_acts import not_traded
from htbot.services.bar_history import histories, steps
from htbot.services.bar_look import Look
from htbot.services.bar_memory import Watcher
from htbot.services.bar_trader import BarTrader, fates_of_instance
from htbot.services.strategies import Catalogue, give_up
from htbot.strategies.registry import STRATEGIES, Entry, create_bar

AFTER_CLOSE = timedelta(minutes=10)
"""The last bar of a session may be told so late."""
_OVERLAP = timedelta(minutes=10)
"""A row may be committed this long after the market time from which it counts; one that is later still is a gap."""
_LOOK_BACK_S = 4 * 86_400
"""A state that is folded anew looks for signals that were never written this far back: over a long weekend."""
_MOST_STEPS = 1_000_000
"""Bars shown in one evaluation to states that are folded anew; the rest waits for the next."""


_Traded = tuple[StrategyInstance, list[Fate] | None]
"""An instance, and what became of its entries when it trades."""


@dataclass(slots=True)
class _Outcome:
    """What an evaluation has found so far: reasons and signals by name of the instance.

    A wish of the `undone` was not acted on: their states are folded anew by the next look, which wishes the same again.
    """

    why_not: dict[str, str] = field(default_factory=dict)
    fired: list[tuple[StrategyInstance, Fired, ClosedBar]] = field(default_factory=list)
    origins: dict[str, tuple[str, Origin]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Watcher] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)


class BarEvaluator:
    """Evaluates enabled instances; one in each process. `catalogue` finds the types that there are."""

    def __init__(self, catalogue: Catalogue, most_steps: int = _MOST_STEPS, trader: BarTrader | None = None) -> None:
        self._find_types = catalogue
        self._trader = trader
        self._types: Mapping[str, Entry] = STRATEGIES
        self._looked, self._unreadable = False, ""
        self._most_steps = most_steps
        self._memories: dict[tuple[int, int, str], dict[str, Watcher]] = {}
        self._folded_last: dict[tuple[int, int, str], str] = {}
        self._calendar: tuple[date, date, TapeCalendar] | None = None

    def evaluate(self, transaction: Transaction, look: Look) -> str:
        """Look at every instance of the part that is enabled or holds something; answers with a word for the log.

        What was folded is remembered when the transaction commits, else it is folded anew next time.
        """
        self._looked = False
        session = SessionRepository(transaction).get(look.as_of.astimezone(NEW_YORK).date())
        if session is None or not session.opens <= look.as_of <= session.closes + AFTER_CLOSE:
            return "outside of regular hours"
        instances = [
            one
            for one in StrategyRepository(transaction).looked_at(look.part, look.parts, holding=look.exits_only)
            if one.mode != TRADE or session.contains(look.as_of)  # what the last bar asks for is done at the next open
        ]
        memory = self._memories.pop((look.part, look.parts, look.world_id), {})
        outcome = _Outcome()
        fates = {
            one.name: fates_of_instance(transaction, one, look.account_of(one))
            for one in instances
            if one.mode == TRADE
        }
        fits = {
            one.name: memory[one.name]
            for one in instances
            if one.name in memory and memory[one.name].serves(one, look.as_of, fates.get(one.name))
        }
        late = self._go_on(transaction, look, fits, outcome)
        fresh = [one for one in instances if one.name not in fits or one.name in late]
        self._begin(transaction, look, [(one, fates.get(one.name)) for one in fresh], outcome)
        for name, bar in late.items():
            told = f"the bar of {clock(bar.start_s)} was told or changed at {clock(bar.known_s)}: folded anew"
            outcome.why_not[name] = f"{told}; {outcome.why_not.get(name, '')}".rstrip("; ")
        fired = self._store(transaction, look, instances, outcome)
        looked_at = {one.name for one in instances}
        waiting = {name: watcher for name, watcher in memory.items() if name not in looked_at}
        kept = waiting | {name: watcher for name, watcher in outcome.kept.items() if name not in outcome.undone}
        self._remember(transaction, (look.part, look.parts, look.world_id), kept)
        return f"{len(instances)} looked at, {fired} signals"

    def _remember(self, transaction: Transaction, key: tuple[int, int, str], kept: dict[str, Watcher]) -> None:
        def committed(_session: Transaction) -> None:
            self._memories[key] = kept

        event.listen(transaction, "after_commit", committed, once=True)

    # --- states that are there ------------------------------------------------------------------------------------

    def _go_on(
        self, transaction: Transaction, look: Look, watchers: Mapping[str, Watcher], outcome: _Outcome
    ) -> dict[str, ClosedBar]:
        """Show what is new; by name, the bars that came too late for a state to go on with."""
        if not watchers:
            return {}
        calendar = self._days(transaction, look.as_of - _OVERLAP, look.as_of)
        groups: dict[tuple[str, int], list[Watcher]] = defaultdict(list)
        for watcher in watchers.values():
            groups[watcher.instance.symbol, watcher.instance.minutes].append(watcher)
        found = self._new_bars(transaction, look, groups, calendar)
        overtaken: dict[str, ClosedBar] = {}
        for key, group in groups.items():
            bars = found.get(key, ())
            shown = placed(bars, calendar, key[1])
            for watcher in group:
                bar = watcher.overtaken_by(bars) if bars else None
                if bar is not None:
                    overtaken[watcher.instance.name] = bar
                else:
                    self._show(look, watcher, shown, calendar, outcome)
        return overtaken

    def _new_bars(
        self,
        transaction: Transaction,
        look: Look,
        groups: Mapping[tuple[str, int], Sequence[Watcher]],
        calendar: TapeCalendar,
    ) -> dict[tuple[str, int], list[ClosedBar]]:
        """One read of what has become known; where a bar seems to be missing, one more of all since the last one."""
        repository = ClosedBarRepository(transaction)
        after = min(watcher.read_until for group in groups.values() for watcher in group) - _OVERLAP
        found = repository.known(look.world_id, {symbol for symbol, _ in groups}, after, look.as_of)
        needs = []
        for (symbol, minutes), group in groups.items():
            through_s = min(watcher.through_s for watcher in group)
            news = [bar.start_s for bar in found.get((symbol, minutes), ()) if bar.start_s > through_s]
            expected_s: int | None = through_s
            for start_s in news:
                expected_s = None if expected_s is None else calendar.next_start_s(expected_s, minutes)
                if expected_s != start_s:
                    needs.append(HistoryNeed(symbol, minutes, datetime.fromtimestamp(through_s, UTC)))
                    break
        if needs:
            found |= repository.history(look.world_id, needs, look.as_of)
        return found

    def _show(
        self,
        look: Look,
        watcher: Watcher,
        shown: Sequence[Shown],
        calendar: TapeCalendar,
        outcome: _Outcome,
    ) -> None:
        """Show bars to one strategy, and note what it did or why it did nothing."""
        instance, before_s, gaps = watcher.instance, watcher.through_s, len(watcher.missing)
        fired = guarded(outcome.failed, instance.name, lambda: watcher.show(shown, calendar))
        if fired is None:
            return
        outcome.kept[instance.name] = watcher
        watcher.read_until = look.as_of
        oldest_s = look.as_of.timestamp() - _LOOK_BACK_S
        outcome.fired += [(instance, what, bar) for what, bar in fired if bar.known_s > oldest_s]
        watched = instance.mode != TRADE  # what trades says where it stands
        said = ["no bar has closed since the last look"] if watched and watcher.through_s == before_s else []
        if len(watcher.missing) > gaps and before_s and watched:
            said = [f"{len(watcher.missing) - gaps} bars are missing before that of {clock(watcher.through_s)}"]
        late_s = late_bar_s(calendar, watcher.through_s, instance.minutes, look.as_of)
        if late_s is not None:
            said = [f"the bar of {clock(late_s)} is late"]
        outcome.why_not[instance.name] = "; ".join([*said, watcher.observation.standing()])

    # --- states that are folded anew ------------------------------------------------------------------------------

    def _begin(self, transaction: Transaction, look: Look, instances: Sequence[_Traded], outcome: _Outcome) -> None:
        """Fold states from their first bar, as many as one evaluation has time for, the rest before them next time."""
        if not instances:
            return
        place, room = (look.part, look.parts, look.world_id), self._most_steps
        last = self._folded_last.get(place, "")
        chosen: list[_Traded] = []
        for one, fates in sorted(instances, key=lambda each: (each[0].name <= last, each[0].name)):
            if room <= 0:
                outcome.why_not[one.name] = "its state is folded with one of the next looks"
                continue
            chosen.append((one, fates))
            room -= steps(one, look.as_of)
        self._folded_last[place] = chosen[-1][0].name
        found = histories(transaction, look.world_id, look.as_of, [one for one, _ in chosen])
        if not found:
            outcome.why_not |= {one.name: waits(0, one.warm_up_bars, one.minutes) for one, _ in chosen}
            return
        first_s = min(bars[0].start_s for bars in found.values() if bars)
        calendar = self._days(transaction, datetime.fromtimestamp(first_s, UTC), look.as_of)
        ready: dict[tuple[str, int], list[Shown]] = {}
        for one, fates in chosen:
            key = (one.symbol, one.minutes)
            if key not in ready:
                ready[key] = placed(found.get(key, ()), calendar, one.minutes)
            self._fold(look, (one, fates), ready[key], calendar, outcome)

    def _fold(
        self,
        look: Look,
        traded: _Traded,
        history: Sequence[Shown],
        calendar: TapeCalendar,
        outcome: _Outcome,
    ) -> None:
        """Fold one from its first bar; one that trades holds what the fates of its entries say."""
        instance, fates = traded
        origin = instance.observed
        if origin is None or origin.world_id != look.world_id:
            begins = beginning(history, instance.warm_up_bars, instance.minutes, calendar, look.as_of)
            if isinstance(begins, str):
                outcome.why_not[instance.name] = begins
                return
            origin = Origin(look.world_id, datetime.fromtimestamp(begins, UTC), look.as_of)
            outcome.origins[instance.name] = (instance.config_hash, origin)
        first_s = origin.first_bar.timestamp()
        types = self._known(instance.type)
        if instance.type not in types and self._unreadable:
            outcome.why_not[instance.name] = f"its type cannot be found: {self._unreadable}"
            return
        strategy = guarded(outcome.failed, instance.name, lambda: create_bar(instance.type, instance.settings, types))
        if strategy is None:
            return
        since_s = origin.since.timestamp()
        loop = Observation(strategy, since_s) if fates is None else RecordedLoop(strategy, since_s, fates)
        watcher = Watcher(instance, origin, loop, 0, look.as_of, fates)
        self._show(look, watcher, [one for one in history if one[0].start_s >= first_s], calendar, outcome)

    def _known(self, name: str) -> Mapping[str, Entry]:
        """The types; looked for once an evaluation when one is not among them, as it may have come since."""
        if name not in self._types and not self._looked:
            self._looked, self._unreadable = True, ""
            try:
                self._types = self._find_types()
            except ConfigurationError as error:
                self._unreadable = " ".join(str(error).split())
        return self._types

    def _days(self, transaction: Transaction, first: datetime, last: datetime) -> TapeCalendar:
        """The sessions from two weeks before `first` to two weeks after `last`, read when they are not at hand."""
        known = self._calendar
        if known is not None and known[0] <= first.date() and last.date() + timedelta(days=7) <= known[1]:
            return known[2]
        begin, end = first.date() - timedelta(days=14), last.date() + timedelta(days=14)
        if known is not None:
            begin, end = min(begin, known[0]), max(end, known[1])
        calendar = TapeCalendar(SessionRepository(transaction).between(begin, end))
        self._calendar = (begin, end, calendar)
        return calendar

    # --- writing ----------------------------------------------------------------------------------------------------

    def _store(
        self, transaction: Transaction, look: Look, instances: Iterable[StrategyInstance], outcome: _Outcome
    ) -> int:
        firing = self._trade(transaction, look, outcome)  # before anything is written: it commits exits of its own
        signals = [replace(_signal(look, *one), observed=True) for one in outcome.fired if one[0].mode != TRADE]
        written = SignalRepository(transaction).add_all(signals, OBSERVED)
        firing |= {name for name, _ in written}
        rows = []
        for one in instances:
            failed = outcome.failed.get(one.name)
            told = outcome.why_not.get(one.name) if failed is None else f"disabled: {failed}"
            kept = outcome.kept.get(one.name)
            position = {} if kept is None else kept.observation.position
            why_not, account = None if one.name in firing else told, look.account_of(one)
            rows.append(Evaluation(one.name, account, one.symbol, look.as_of, 0, None, None, why_not, position))
            if failed is not None:
                give_up(transaction, one, failed, look.as_of)
        EvaluationRepository(transaction).add_all(rows)
        StrategyRepository(transaction).observe(outcome.origins)
        return len(written)

    def _trade(self, transaction: Transaction, look: Look, outcome: _Outcome) -> set[str]:
        """Act on what strategies that trade want, each wish once; the names of those that wanted something new.

        By name, and of one strategy by bar, so that of two that cannot both have what they want it is always the same.
        """
        wishes = self._wishes(look, outcome)
        if self._trader is None or not wishes:
            return set()
        done = self._trader.act(transaction, wishes, outcome.why_not)
        outcome.undone |= {name for name, acted in done if acted is None}
        return {name for name, acted in done if acted}

    def _wishes(self, look: Look, outcome: _Outcome) -> list[tuple[str, Wanted, Snapshot]]:
        """What is to be acted on, each with what its account sees; what is not now stays undone."""
        wishes = []
        for instance, fired, bar in sorted(outcome.fired, key=lambda one: (one[0].name, one[2].start_s)):
            kept, seen = outcome.kept.get(instance.name), look.seen_by(instance)
            loop = None if kept is None else kept.observation
            if instance.mode != TRADE:
                continue
            if look.snapshot is not None and seen is None:
                outcome.why_not[instance.name] = not_traded(instance)
            # disabled or stopped while it holds something: it is asked for its exits
            able = self._trader is not None and not (
                fired.action == "enter" and (look.exits_only or not instance.enabled)
            )
            if able and seen is not None and isinstance(loop, RecordedLoop):
                wish = _wish(look, loop, _signal(look, instance, fired, bar), fired, bar)
                wishes.append((instance.name, wish, seen))
            else:
                outcome.undone.add(instance.name)
        return wishes


def _wish(look: Look, loop: RecordedLoop, signal: Signal, fired: Fired, bar: ClosedBar) -> Wanted:
    return Wanted(
        signal=signal,
        fired=fired,
        loop=loop,
        config=loop.strategy.config,
        config_hash=loop.strategy.config_hash,
        fresh=is_fresh(fired, bar, look.as_of),
        ended_at=datetime.fromtimestamp(ended_s(fired, bar), UTC),
    )


def _signal(look: Look, instance: StrategyInstance, fired: Fired, bar: ClosedBar) -> Signal:
    return signal_of(Looked(instance.name, look.account_of(instance), instance.symbol, look.as_of), fired, bar)
