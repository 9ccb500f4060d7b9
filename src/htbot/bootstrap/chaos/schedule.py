"""Which faults happen when: drawn from a seed, so that a run can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

Choices = Mapping[str, float]
NONE: Choices = MappingProxyType({})
# Starting everything again takes a good part of a short run.
_WHOLE_STACK_FROM = 40
_LONG_BLOW, _SHORT_BLOW = (10, 12), (3, 4)
BLOW_S = 3.0


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault: how often beside the others, what is drawn for it, and at most how many times in a run.

    `row` is its row in the fault matrix. Drawn values: `hold_s` is host seconds until it is lifted, `for_s` and `by_s`
    are market seconds of the gateway's own faults, `times` is a number of messages or orders.
    """

    name: str
    row: int
    weight: float = 1.0
    draw: Callable[[Random], Choices] = field(default=lambda _rng: NONE)
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault, the blow that it belongs to, counted from 0, and its moment in seconds since that began."""

    blow: int
    at_s: float
    kind: str
    choices: Choices = field(default_factory=lambda: NONE)


def _seconds(name: str, low: float, high: float) -> Callable[[Random], Choices]:
    return lambda rng: {name: round(rng.uniform(low, high), 2)}


def _times(low: int, high: int) -> Callable[[Random], Choices]:
    return lambda rng: {"times": rng.randint(low, high)}


def _either(name: str, *values: float) -> Callable[[Random], Choices]:
    return lambda rng: {name: rng.choice(values)}


def _held(low: float, high: float, times: tuple[int, int]) -> Callable[[Random], Choices]:
    return lambda rng: {"hold_s": round(rng.uniform(low, high), 2), "times": rng.randint(*times)}


KINDS: tuple[FaultKind, ...] = (
    # processes
    FaultKind("kill_worker", 1, 2),
    FaultKind("kill_child", 2, 2),
    FaultKind("kill_desk", 3, 4),
    FaultKind("freeze_desk", 4, 2, _either("hold_s", 8.0)),
    FaultKind("kill_beat", 5),
    FaultKind("second_beat", 6, 0.5, _either("hold_s", 6.0)),
    FaultKind("second_desk", 6, 1, _either("hold_s", 6.0)),
    FaultKind("kill_supervisord", 7, 1, _either("hold_s", 2.0), at_most=1),
    FaultKind("kill_api", 8),
    FaultKind("queued_ticks", 1, 2, _seconds("hold_s", 2, 5)),
    # servers
    FaultKind("kill_redis", 11),
    FaultKind("restart_redis", 11),
    FaultKind("flush_redis", 11),
    FaultKind("restart_postgres", 14),
    FaultKind("crash_postgres", 14, 1.5, _either("abrupt", 0, 1)),
    FaultKind("kill_backend", 14),
    # between desk and gateway
    FaultKind("refuse", 19, 1, _seconds("hold_s", 1, 5)),
    FaultKind("blackhole", 20, 2, _either("hold_s", 4.0, 9.0, 17.0)),
    FaultKind("drop_reply", 21, 2, _held(1, 4, (1, 20))),
    FaultKind("drop_request", 22, 2, _held(2, 6, (1, 4))),
    FaultKind("truncate", 23),
    FaultKind("duplicate", 24, 2, _held(3, 6, (1, 10))),
    FaultKind("slow", 25, 1, _seconds("hold_s", 1, 4)),
    FaultKind("delay", 25, 1, _seconds("hold_s", 1, 4)),
    FaultKind("reset", 30),
    # in the gateway
    FaultKind("kill_gateway", 29, 2),
    FaultKind("gateway_restart", 29, 2, lambda rng: {"for_s": rng.choice((3, 9)), "ids_back": rng.randint(0, 6)}),
    FaultKind("disconnect", 30),
    FaultKind("half_open", 20, 1, _seconds("for_s", 20, 100)),
    FaultKind("outage", 26, 2, lambda rng: {"for_s": rng.choice((8, 30)), "lost": rng.randint(0, 1)}),
    FaultKind("drop_order", 22, 2, _times(1, 2)),
    FaultKind("late_order", 22, 2, lambda rng: {"by_s": round(rng.uniform(3, 90), 1), "times": rng.randint(1, 2)}),
    FaultKind("lose_reply", 21, 2, _times(1, 3)),
    FaultKind("cut_on_order", 21, 2, _either("accepted", 0, 1)),
    FaultKind("reject", 30, 1, _times(1, 2)),
    FaultKind("refuse_modify", 30, 1, _times(1, 3)),
    FaultKind("refuse_cancel", 30, 0.5, _times(1, 2)),
    FaultKind("partial_silence", 34, 1, _times(1, 2)),
    FaultKind("duplicate_reports", 35, 1, _times(2, 6)),
    FaultKind("withhold_commission", 36, 0.5, lambda rng: {"for_s": round(rng.uniform(5, 60), 1), "times": 2}),
)


def plan_faults(seed: int, count: int) -> tuple[PlannedFault, ...]:
    """`count` faults in their order; the same arguments give the same faults.

    Every kind happens at least once when there are enough of them; the rest are drawn by weight. They come in blows
    within three seconds each, so that a system that recovers is hit again.
    """
    rng = Random(f"faults {seed}")
    chosen = _choose(rng, count)
    rng.shuffle(chosen)
    planned: list[PlannedFault] = []
    blow = 0
    while chosen:
        size = rng.randint(*(_LONG_BLOW if count >= _WHOLE_STACK_FROM else _SHORT_BLOW))
        times = sorted(round(rng.uniform(0, BLOW_S), 3) for _ in chosen[:size])
        planned += [
            PlannedFault(blow, at_s, kind.name, MappingProxyType(dict(kind.draw(rng))))
            for at_s, kind in zip(times, chosen[:size], strict=True)
        ]
        chosen, blow = chosen[size:], blow + 1
    return tuple(planned)


def _choose(rng: Random, count: int) -> list[FaultKind]:
    kinds = [kind for kind in KINDS if count >= _WHOLE_STACK_FROM or kind.name != "kill_supervisord"]
    if count < len(kinds):
        drawn: list[FaultKind] = []
        while len(drawn) < count:
            left = [kind for kind in kinds if kind not in drawn]
            drawn.append(rng.choices(left, [kind.weight for kind in left])[0])
        return drawn
    repeatable = [kind for kind in kinds if kind.at_most is None]
    rest = rng.choices(repeatable, [kind.weight for kind in repeatable], k=count - len(kinds))
    return [*kinds, *rest]
