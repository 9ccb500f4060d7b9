"""Who reads the market at an instant: the configured strategy first, then instances on options by name.

Each decides in a savepoint of the one transaction. When all have, their accounts are held, and what they decided is
stored one after the other, each judged on what those before it have stored: two that fire at the same instant come in
the same order in every run. What fails, fails alone, and so do those of an account that others hold for too long.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session as Transaction

from htbot.domain.signals import Evaluation
from htbot.engine.guarding import failure
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import EvaluationRepository, StrategyRepository
from htbot.services.bar_acts import alone, hold_account, not_traded
from htbot.services.market_reader import MarketReader, Weighed

ReaderOf = Callable[[StrategyInstance], MarketReader]
SnapshotOf = Callable[[str], Snapshot | None]


@dataclass(slots=True)
class Reading:
    """What came of one instant: what the configured strategy said, None when it failed; and who failed with what."""

    words: str | None = None
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Seat:
    """A reader and what it has decided."""

    reader: MarketReader
    weighed: Weighed


class MarketSeats:
    """One in each worker process. `make` builds the reader of an instance; it is kept until the instance changes."""

    def __init__(self, own: MarketReader, make: ReaderOf) -> None:
        self._own = own
        self._make = make
        self._readers: dict[str, tuple[StrategyInstance, MarketReader]] = {}

    def read(self, transaction: Transaction, snapshot: Snapshot, as_of: datetime, snapshot_of: SnapshotOf) -> Reading:
        """Let everybody decide at `as_of`; `snapshot` is that of the configured strategy's underlying.

        Raises:
            Retryable, OperationalError, InterfaceError: the record itself is away, for all of them.
        """
        told, weighed = Reading(), list[_Seat]()
        own = alone(
            transaction, told.failed, self._own.name, partial(self._own.weigh, transaction, snapshot, as_of), ""
        )
        if own is not None:
            weighed.append(_Seat(self._own, own))
        instances = StrategyRepository(transaction).on_options()
        unfit: dict[str, str] = {}
        for one in instances:
            quoted = snapshot if one.symbol == snapshot.symbol else snapshot_of(one.symbol)
            seen = None if quoted is None else quoted.of_account(one.account)
            why_not = _unfit(one, quoted)
            if seen is None or why_not is not None:
                unfit[one.name] = why_not or not_traded(one)
                continue
            seat = alone(transaction, told.failed, one.name, partial(self._weigh, one, transaction, seen, as_of), "")
            weighed += [] if seat is None else [seat]
        self._enter(transaction, weighed, told)
        unfit |= {name: failure(why) for name, why in told.failed.items()}
        looked = [(self._own.name, self._own.symbol, None), *((one.name, one.symbol, one.account) for one in instances)]
        for name, symbol, account in looked:
            if name in unfit:
                row = Evaluation(name, account or snapshot.account, symbol, as_of, 0, None, None, unfit[name])
                EvaluationRepository(transaction).add(row)
        self._readers = {one.name: self._readers[one.name] for one in instances if one.name in self._readers}
        return told

    def _enter(self, transaction: Transaction, weighed: Sequence[_Seat], told: Reading) -> None:
        asked = {seat.weighed.inputs.snapshot.account for seat in weighed if seat.weighed.answer is not None}
        # everybody takes them in this order, so that no two wait for each other
        lacking = {account for account in sorted(asked) if not hold_account(transaction, account)}
        for seat in weighed:
            account = seat.weighed.inputs.snapshot.account
            if seat.weighed.answer is not None and account in lacking:
                told.failed[seat.reader.name] = f"account {account} is held by another process: asked again next time"
                continue
            enter = partial(seat.reader.enter, transaction, seat.weighed)
            outcome = alone(transaction, told.failed, seat.reader.name, enter, "")
            if seat.reader is self._own and outcome is not None:
                told.words = outcome.evaluation.why_not or "signal"

    def _weigh(
        self, instance: StrategyInstance, transaction: Transaction, snapshot: Snapshot, as_of: datetime
    ) -> _Seat:
        known = self._readers.get(instance.name)
        if known is None or known[0] != instance:
            known = self._readers[instance.name] = instance, self._make(instance)
        return _Seat(known[1], known[1].weigh(transaction, snapshot, as_of))


def _unfit(instance: StrategyInstance, seen: Snapshot | None) -> str | None:
    """Why an instance cannot decide on what the desk has told."""
    if seen is None:
        return f"{instance.symbol} is not quoted yet"
    bar = seen.open_bar or seen.last_closed
    if bar is None or bar.bar.minutes == instance.minutes:
        return None
    told = f"options of {seen.symbol} are decided on bars of {bar.bar.minutes} min here"
    return (
        f"{told}, and it wants {instance.minutes}: one length for each underlying, give bar_minutes={bar.bar.minutes}"
    )
