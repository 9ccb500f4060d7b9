"""The load: entries at an even pace and their closes, asked for on every way that the real system knows.

It runs in a thread of its own. Nothing that is broken around it stops it: what cannot be done now is done later.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random
from uuid import uuid4

import redis
from sqlalchemy import func, make_url, select
from sqlalchemy.orm import Session as Transaction

from htbot.adapters.live import LiveReader
from htbot.bootstrap.chaos.backlog import Backlog
from htbot.bootstrap.chaos.entries import MOST_QUANTITY, Lane, SpreadLane, Strikes, enter, lane_names
from htbot.bootstrap.chaos.shares import SHARE, draw_shares, side_of
from htbot.domain.errors import CallerMistake, Retryable
from htbot.domain.orders import ExitReason
from htbot.domain.trades import Trade, TradeState
from htbot.marketdata.snapshot import Snapshot, decode
from htbot.persistence.engine import Database
from htbot.persistence.repositories import TradeRepository
from htbot.persistence.rows.intents import IntentRow
from htbot.risk.limits import Limits
from htbot.services.trade_record import manual_decision, request_exit
from htbot.settings import Settings

LANES = 90
_STEP_S = 0.25
_AT_ONCE = 8
_ASK_AGAIN_S = 4.0
_TASK_COPIES = 3
_HOLD_S = (0.5, 8.0)
_FLATTEN_AT = (0.35, 0.7)
_NEAR_WITHIN_S = 6.0
_OF_SPREAD, _OF_SHARES = 2, 4
"""Intents that a trade comes to: its entry and its close, and for shares a stop and a target."""
_log = logging.getLogger(__name__)


class Closer(StrEnum):
    """Who asks for the close of a trade."""

    GUARD = "guard"
    MARKER = "marker"
    TASK = "task"
    BROKER = "broker"
    """A stop or target that is near; asked for like those of the marker when neither is reached."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How much, at which market speed, what part of it may have been made by now, and whether there comes no more."""

    intents: int
    seed: int
    speed: float
    share: Callable[[], float]
    over: Callable[[], bool]

    def missing(self, made: int) -> float:
        """Intents that may be made by now, besides those that are."""
        return self.intents * self.share() - made


@dataclass(frozen=True, slots=True)
class LoadParts:
    """What the load works with."""

    settings: Settings
    database: Database
    live: LiveReader
    backlog: Backlog
    limits: Limits
    symbol: str


@dataclass(slots=True)
class _Want:
    closer: Closer
    due_s: float | None = None
    asked_s: float = float("-inf")


@dataclass(slots=True)
class Load:
    """Drives entries and closes; `intents` is how many intents the record holds so far.

    `caught_up` is True while what may be made by now is made, or needs its closes only. `changes` is what the last step
    found, to be compared with what the one before it found.
    """

    parts: LoadParts
    plan: LoadPlan
    intents: int = 0
    live_trades: int = 0
    caught_up: bool = False
    changes: tuple[object, ...] = ()
    refused: Counter[str] = field(default_factory=Counter)
    closed_by: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    _wants: dict[str, _Want] = field(default_factory=dict)
    _strikes: Strikes = field(default_factory=Strikes)
    _flattened: int = 0
    _flatten_key: str | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _known: bool = False
    _rng: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self._rng.seed(f"load {self.plan.seed}")

    @property
    def done(self) -> bool:
        """True when all intents that are to come have been made and no trade is live."""
        made = self._known and self.plan.over() and self.plan.missing(self.intents) < 1
        return made and self.live_trades == 0

    @property
    def _late(self) -> bool:
        """Towards the end the load closes at once, and no limit walks for long."""
        return self.plan.over()

    def stop(self) -> None:
        """End the loop of `run`."""
        self._stop.set()

    def run(self) -> None:
        """Step by step until it is stopped."""
        while not self._stop.wait(_STEP_S):
            try:
                self._step()
            except (Retryable, CallerMistake, redis.RedisError) as error:
                self.troubles[type(error).__name__] += 1
                _log.info("load waits: %s", error)

    def _step(self) -> None:
        with self.parts.database.transaction() as transaction:
            trades = TradeRepository(transaction).live()
            self.intents, coming = _count(transaction, trades)
            self._mark(transaction, trades)
        self.live_trades, self._known = len(trades), True
        self.changes = (self.intents, *((trade.id, trade.state.value) for trade in trades))
        self._queue_exits(trades)
        self._flatten()
        self._enter(trades, coming)

    # --- entries ---------------------------------------------------------------------------------------------------

    def _enter(self, trades: Sequence[Trade], coming: int) -> None:
        """As many as the pace asks for; what live trades will still need counts as made."""
        missing = self.plan.missing(self.intents + coming)
        self.caught_up = missing < 1
        busy = {trade.strategy for trade in trades}
        free = [name for name in lane_names(LANES) if name not in busy]
        count = min(int((missing + 1) // 2), len(free), _AT_ONCE)
        if count <= 0:
            return
        chart = self.parts.live.snapshot(self.parts.symbol)
        if chart is None or not chart.options:
            raise Retryable("the desk has published no chain yet")
        drawn = [made for name in free[:count] if (made := self._draw(name, chart)) is not None]
        snapshot = self._snapshot([lane for lane, _closer in drawn if isinstance(lane, SpreadLane)])
        if not (snapshot.connected and snapshot.trading_enabled):
            raise Retryable("the desk has not enabled trading")
        for lane, closer in drawn:
            with self.parts.database.transaction() as transaction:
                entered = enter(transaction, lane, snapshot, self.parts.limits)
            if entered.trade_id is None:
                self.refused[str(entered.refused_by)] += 1
            else:
                self._wants[entered.trade_id] = _Want(closer)

    def _draw(self, name: str, chart: Snapshot) -> tuple[Lane, Closer] | None:
        """A spread or shares, and who closes it."""
        shares = self._rng.random() < SHARE
        closer = self._closer(shares=shares)
        after = timedelta(seconds=self._rng.uniform(*_HOLD_S) * self.plan.speed) if closer is Closer.GUARD else None
        if shares:
            near = closer is Closer.BROKER
            return draw_shares(name, side_of(self.plan.seed), after, self._rng, near=near), closer
        chosen = self._strikes.choose(chart, self._rng)
        if chosen is None:
            return None
        return SpreadLane(name, *chosen, self._rng.randint(1, MOST_QUANTITY), after), closer

    def _closer(self, *, shares: bool) -> Closer:
        """The guard a third of them, as long as its time may come late; of shares their own stop or target as many."""
        own = None if self._late else self._rng.choice((Closer.GUARD, Closer.BROKER if shares else None, None))
        return own or self._rng.choice((Closer.MARKER, Closer.TASK))

    def _snapshot(self, lanes: Sequence[SpreadLane]) -> Snapshot:
        """The market of this moment with the strikes of these entries."""
        options = {(str(leg.strike), leg.right.value) for lane in lanes for leg in (lane.short, lane.long)}
        return decode(self.parts.live.ask("snapshot", {"options": sorted(options)}, timeout_s=3.0))

    # --- closes ----------------------------------------------------------------------------------------------------

    def _want(self, trade: Trade) -> _Want:
        return self._wants.setdefault(trade.id, _Want(Closer.MARKER))

    def _due(self, trade: Trade) -> _Want | None:
        """What to do about a trade's close now; None when nothing."""
        if trade.state is not TradeState.OPEN:
            return None
        want, now_s = self._want(trade), time.monotonic()
        if want.due_s is None:
            patience_s = _NEAR_WITHIN_S if want.closer is Closer.BROKER else 0.0
            want.due_s = now_s + self._rng.uniform(*_HOLD_S) + patience_s
        if now_s < want.due_s or now_s - want.asked_s < _ASK_AGAIN_S:
            return None
        return want

    def _mark(self, transaction: Transaction, trades: Sequence[Trade]) -> None:
        """Write exits as `mark_pnl` writes them."""
        for trade in trades:
            want = self._due(trade)
            if want is None or want.closer not in {Closer.MARKER, Closer.BROKER}:
                continue
            want.asked_s = time.monotonic()
            reason = ExitReason.MANUAL if self._late else self._rng.choice((ExitReason.TIME, ExitReason.MANUAL))
            decision = manual_decision(reason, self._market_now(), "load")
            if request_exit(transaction, trade.id, decision) is not None:
                self.closed_by[want.closer] += 1

    def _queue_exits(self, trades: Sequence[Trade]) -> None:
        """Queue exits as messages, several times the same one; a lost message is queued again."""
        for trade in trades:
            want = self._due(trade)
            if want is not None and want.closer is Closer.TASK:
                want.asked_s = time.monotonic()
                self.parts.backlog.ask_exit(trade.id, _TASK_COPIES)
                self.closed_by[want.closer] += 1

    def _flatten(self) -> None:
        """`POST /close/all` a few times in the run; the same key until the API has taken it."""
        if self._flattened >= len(_FLATTEN_AT) or self.plan.share() < _FLATTEN_AT[self._flattened]:
            return
        self._flatten_key = self._flatten_key or uuid4().hex
        if post_close_all(self.parts.settings, self._flatten_key):
            self._flattened, self._flatten_key = self._flattened + 1, None
            self.closed_by["close_all"] += 1

    def _market_now(self) -> datetime:
        clock = self.parts.live.clock()
        if clock is None:
            raise Retryable("the desk has not told the time")
        return clock.market_now(datetime.now(UTC))


def _count(transaction: Transaction, trades: Sequence[Trade]) -> tuple[int, int]:
    """Intents in the record, and those that live trades still need."""
    intents = transaction.scalar(select(func.count()).select_from(IntentRow)) or 0
    made = Counter(
        transaction.scalars(select(IntentRow.trade_id).where(IntentRow.trade_id.in_([trade.id for trade in trades])))
    )
    needed = {trade.id: _OF_SPREAD if trade.plain is None else _OF_SHARES for trade in trades}
    return intents, sum(max(count - made[name], 0) for name, count in needed.items())


def post_close_all(settings: Settings, key: str) -> bool:
    """True when the API has taken the command: by this call or an earlier one with the key."""
    url = make_url(settings.api.url)
    token = settings.api.token.get_secret_value() if settings.api.token else ""
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key, "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(str(url.host), url.port, timeout=3)
    try:
        connection.request("POST", "/close/all", body=json.dumps({}), headers=headers)
        return connection.getresponse().status == http.HTTPStatus.ACCEPTED
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
