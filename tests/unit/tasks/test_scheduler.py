from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from celery.beat import Scheduler
from tests.support.record import NOON, at

from htbot.adapters.live import Step
from htbot.domain.errors import Retryable, StopTrading
from htbot.marketdata.clock_state import ClockState, Mode, step_number
from htbot.services.schedule import (
    DELIVER_ALERTS,
    EVALUATE_BARS,
    FORGET_OLD,
    MARK_PNL,
    READ_MARKET,
    ScheduleRow,
    begins,
    next_in_turn,
    schedule,
)
from htbot.tasks.scheduler import MarketScheduler

Message = dict[str, Any]


@dataclass
class Live:
    """Redis as beat reads it."""

    state: ClockState | None = None
    hints: list[Step] = field(default_factory=list)
    away: bool = False
    subscriptions: int = 0

    def clock(self) -> ClockState | None:
        return self.state

    def steps(self) -> Live:
        self.subscriptions += 1
        return self

    def get_message(self, *, timeout: float) -> dict[str, str] | None:
        assert timeout <= 1
        if self.away:
            raise redis.ConnectionError("refused")
        return {"data": self.hints.pop(0).encode()} if self.hints else None


@dataclass
class App:
    """Celery as far as beat uses it."""

    sent: list[tuple[str, Message, float | None]] = field(default_factory=list)

    def send_task(self, name: str, kwargs: Message, expires: float | None) -> None:
        self.sent.append((name, kwargs, expires))


@dataclass
class Lock:
    """The lock of the only beat, as a test wants it."""

    answers: list[Exception | None] = field(default_factory=list)
    asked: int = 0
    lost: bool = True

    def held(self) -> bool:
        return not self.lost

    def require(self, what: str) -> None:
        assert what == "beat"
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.lost = False


class Beat(MarketScheduler):
    """The scheduler without Celery's set-up."""

    def __init__(self, live: Live, rows: tuple[ScheduleRow, ...]) -> None:
        self._live, self._rows = live, rows
        self._steps, self._last_sent = None, None
        self._lock, self._locked_at_s = Lock(), None
        self.app = App()

    def names(self) -> list[str]:
        return [name.rpartition(".")[2] for name, _message, _expires in self.app.sent]


def paced(market: datetime, speed: float = 1.0, *, age_s: float = 0.0) -> ClockState:
    """A clock that says `market` now; the host's clock is the real one."""
    written = datetime.now(UTC) - timedelta(seconds=age_s)
    return ClockState(market, written, Mode.PAPER, speed, "w", "DU1", "connected", trading_enabled=True)


def stepped() -> ClockState:
    return ClockState(NOON, NOON, Mode.STEPPED, None, "w", "DU1", "connected", trading_enabled=True)


@pytest.fixture
def beat() -> Callable[..., Beat]:
    """With the rows that come every few moments; the hourly one would come with some instants only."""
    return lambda live, poll_s=30: Beat(live, tuple(row for row in schedule(poll_s) if row.task != FORGET_OLD))


ALL = ["read_market", "mark_pnl", "evaluate_bars", "deliver_alerts"]
FIRST = ["read_market", "deliver_alerts"]
"""What beat sends in a stepped world; the others follow in their turn."""


def test_rows_are_sent_once_per_grid_instant_in_their_order(beat: Callable[..., Beat]) -> None:
    live = Live(paced(at(0, 3)))
    running = beat(live)
    for _ in range(5):
        running.tick()
    assert running.names() == ALL
    assert {message["as_of"] for _name, message, _expires in running.app.sent} == {NOON.isoformat()}
    assert {message["step"] for _name, message, _expires in running.app.sent} == {step_number(NOON)}
    live.state = paced(at(0, 33))
    running.tick()
    assert running.names() == ALL * 2
    assert running.app.sent[-1][1]["as_of"] == at(0.5).isoformat()


def test_instants_that_were_missed_are_not_made_up_for(beat: Callable[..., Beat]) -> None:
    """FAULTS: the largest source of double orders is a backlog."""
    live = Live(paced(NOON))
    running = beat(live)
    running.tick()
    live.state = paced(at(10))
    running.tick()
    assert running.names() == ALL * 2
    assert running.app.sent[-1][1]["as_of"] == at(10).isoformat()


@pytest.mark.parametrize(("speed", "expires_s"), [(1.0, 30.0), (10.0, 3.0), (60.0, 0.5), (600.0, 0.5)])
def test_a_message_expires_before_its_successor(beat: Callable[..., Beat], speed: float, expires_s: float) -> None:
    running = beat(Live(paced(NOON, speed)))
    running.tick()
    assert [expires for _name, _message, expires in running.app.sent] == [expires_s] * len(ALL)


def test_a_row_is_sent_at_its_own_period(beat: Callable[..., Beat]) -> None:
    live = Live(paced(NOON))
    running = beat(live, 60)
    running.tick()
    live.state = paced(at(0.5))
    running.tick()
    assert running.names() == [*ALL, "evaluate_bars", "deliver_alerts"]


@pytest.mark.parametrize("state", [None, paced(at(-60), age_s=16)])
def test_mail_goes_on_by_the_hosts_clock_while_the_desk_is_away(
    beat: Callable[..., Beat], state: ClockState | None
) -> None:
    running = beat(Live(state))
    before = datetime.now(UTC)
    running.tick()
    [(name, message, expires)] = running.app.sent
    assert (name, expires) == (DELIVER_ALERTS, 30.0)
    assert abs(datetime.fromisoformat(message["as_of"]) - before) <= timedelta(seconds=31)


def test_a_desk_that_has_just_spoken_is_not_away(beat: Callable[..., Beat]) -> None:
    running = beat(Live(paced(at(-0.5), age_s=14)))
    running.tick()
    assert running.names() == ALL


def test_a_stepped_world_moves_by_hints_only(beat: Callable[..., Beat]) -> None:
    live = Live(stepped())
    running = beat(live)
    running.tick()
    assert running.app.sent == []
    live.hints = [Step(step_number(NOON), NOON), Step(step_number(NOON), NOON, 1)]
    running.tick()
    assert running.names() == FIRST
    assert {expires for _name, _message, expires in running.app.sent} == {None}
    running.tick()
    assert running.names() == FIRST * 2, "a repeated hint is sent again; task_runs makes it harmless"


def test_redis_away_is_survived_and_hints_are_heard_again(beat: Callable[..., Beat]) -> None:
    live = Live(stepped(), away=True)
    running = beat(live)
    assert running.tick() == 1.0
    live.away = False
    live.hints = [Step(step_number(NOON), NOON)]
    assert running.tick() == 0.0
    assert running.names() == FIRST
    assert live.subscriptions == 2


def test_celerys_own_table_stays_empty() -> None:
    assert MarketScheduler.setup_schedule is not Scheduler.setup_schedule
    assert MarketScheduler.tick is not Scheduler.tick


def test_rows_that_decide_follow_one_another_as_they_are_due() -> None:
    rows = schedule(60)
    half = at(0.5)  # the market is read each minute only, evaluated at each half
    assert [row.task for row in begins(rows, NOON)] == [READ_MARKET, DELIVER_ALERTS, FORGET_OLD]
    assert [row.task for row in begins(rows, half)] == [EVALUATE_BARS, DELIVER_ALERTS]
    following = [next_in_turn(rows, task, NOON) for task in (READ_MARKET, MARK_PNL, EVALUATE_BARS, DELIVER_ALERTS)]
    assert [None if row is None else row.task for row in following] == [MARK_PNL, EVALUATE_BARS, None, None]
    assert next_in_turn(rows, EVALUATE_BARS, half) is None
    assert next_in_turn(rows, "another", NOON) is None


def test_the_schedule_has_its_rows_in_order() -> None:
    assert [row.task for row in schedule()] == [
        READ_MARKET,
        MARK_PNL,
        EVALUATE_BARS,
        DELIVER_ALERTS,
        FORGET_OLD,
    ]
    assert [row.needs_desk for row in schedule()] == [True, True, True, False, False]
    assert [row.period_s for row in schedule(60)] == [60, 60, 30, 30, 3600]


@pytest.mark.parametrize(("period_s", "due"), [(30, True), (60, False), (90, False), (1800, False)])
def test_a_row_is_due_at_multiples_of_its_period(period_s: int, due: bool) -> None:
    assert ScheduleRow("t", period_s).due(at(0.5)) is due
    assert ScheduleRow("t", period_s).due(NOON)


# --- one beat ---------------------------------------------------------------------------------------------------------


@pytest.mark.fault(6)
def test_a_second_beat_exits_and_says_why() -> None:
    beat = Beat(Live(paced(NOON)), schedule())
    beat._lock = Lock([StopTrading("another beat runs: htbot pid 7 on alpha; stop it first")])
    with pytest.raises(SystemExit) as told:
        beat.tick()
    assert told.value.code == "beat: another beat runs: htbot pid 7 on alpha; stop it first"
    assert beat.app.sent == []


def test_a_beat_that_nobody_can_tell_of_goes_on_and_asks_again() -> None:
    beat = Beat(Live(paced(NOON)), schedule())
    beat._lock = Lock([Retryable("PostgreSQL did not answer")])
    beat.tick()
    beat.tick()
    assert (beat._lock.asked, len(beat.app.sent)) == (1, len(schedule()))
    beat._locked_at_s = -100.0
    beat.tick()
    beat._locked_at_s = -100.0
    beat.tick()  # held: it asks no more
    assert beat._lock.asked == 2
