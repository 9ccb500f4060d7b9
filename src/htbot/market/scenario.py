"""What a synthetic session does, in whole parts per million of its opening price: the same integers on every machine.

In the scenario `walk` day 0, the session that a new world starts in, is written: a range until 10:00, a break of the
day's high and a steady climb, a pause, a second leg that fails at noon, and a slow recovery. The four sessions before
it lean upwards; earlier ones wander; later ones are days of wandering and of trend in either direction.

The other scenarios have the same history, and from day 0 on each day is of their kind. trend: a steady way of 1.2 to
2 % up or down. chop: back and forth inside 0.6 %, ending where it began. gap: an open 1.5 to 3 % away, a third of it
given back. halt: trading stops for 15 minutes in the morning and opens again elsewhere. spike: within minutes 2 to
3.5 % down or up and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

_Z_SPREAD = 37_837  # standard deviation of the sum of four uniform 16-bit numbers
FULL_MINUTES = 390

Waypoints = tuple[tuple[int, int], ...]

FIRST_DAY: Waypoints = (
    (0, 0),
    (6, 1_300),
    (14, 300),
    (22, 800),
    (29, 600),
    (34, 1_900),
    (40, 2_600),
    (80, 6_000),
    (92, 5_500),
    (102, 5_700),
    (142, 9_000),
    (150, 8_600),
    (176, 5_400),
    (206, 5_900),
    (300, 7_100),
    (390, 7_800),
)
"""Minute of the session and move since the open. 1,000 ppm are 5.5 points of an index at 5,500."""

Scenario = Literal["walk", "trend", "chop", "gap", "halt", "spike"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
HALT_MINUTES = 15
QUIET_PPM = 55
WALK_PPM = 330


def noise(random: Random, deviation_ppm: int) -> int:
    """A bell-shaped whole number: four uniform 16-bit numbers, summed and scaled (Irwin and Hall)."""
    bits = random.getrandbits(64)
    total = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    return (total - 2 * 0xFFFF) * deviation_ppm // _Z_SPREAD


def generator(seed: int, stream: int, ordinal: int) -> Random:
    """The random numbers of one purpose (`stream`) on one day."""
    return Random((seed * 1_009 + stream) * 10_000_019 + ordinal)


@dataclass(frozen=True, slots=True)
class DayPlan:
    """One session of the index: overnight gap, path since the open, noise a minute around it."""

    gap_ppm: int
    waypoints: Waypoints
    noise_ppm: int

    @property
    def change_ppm(self) -> int:
        """Move from open to close: noise is tied down at both ends."""
        return self.waypoints[-1][1]

    def planned(self, minute: int) -> int:
        """Planned move since the open at a minute of a full session."""
        before = self.waypoints[0]
        for point in self.waypoints[1:]:
            if minute <= point[0]:
                return before[1] + (point[1] - before[1]) * (minute - before[0]) // (point[0] - before[0])
            before = point
        return before[1]


def scenario_plan(scenario: Scenario, seed: int, ordinal: int, pull_ppm: int) -> DayPlan:
    """The plan of a session of any scenario but `walk`."""
    random = generator(seed, 2, ordinal)
    sign = random.choice((-1, 1))
    gap = noise(random, 1_500)
    if scenario == "trend":
        return DayPlan(gap, ((0, 0), (FULL_MINUTES, sign * random.randrange(12_000, 20_001) + pull_ppm)), QUIET_PPM * 2)
    if scenario == "chop":
        turns = tuple((minute, sign * (-1) ** number * random.randrange(1_800, 3_001))
                      for number, minute in enumerate(range(20, FULL_MINUTES - 10, 30)))  # fmt: skip
        return DayPlan(gap, ((0, 0), *turns, (FULL_MINUTES, pull_ppm)), QUIET_PPM * 2)
    if scenario == "gap":
        jump = sign * random.randrange(15_000, 30_001)
        return DayPlan(jump, ((0, 0), (90, -jump // 3), (FULL_MINUTES, pull_ppm - jump // 3)), WALK_PPM)
    change = noise(random, 6_000) + pull_ppm
    if scenario == "halt":
        first, last = halted_minutes(seed, ordinal)
        fall = sign * random.randrange(8_000, 15_001)
        points = ((0, 0), (first, fall), (last, fall // 3), (FULL_MINUTES, fall // 3 + change))
        return DayPlan(gap, points, WALK_PPM)
    begins = random.randrange(60, 270)
    height, level = sign * random.randrange(20_000, 35_001), change * begins // FULL_MINUTES
    spike = ((begins + 3, level + height), (begins + 5, level + height * 2 // 3), (begins + 10, level))
    return DayPlan(gap, ((0, 0), (begins, level), *spike, (FULL_MINUTES, change)), QUIET_PPM * 2)


def halted_minutes(seed: int, ordinal: int) -> tuple[int, int]:
    """First and last minute of a halt, counted from the open of a full session."""
    first = generator(seed, 3, ordinal).randrange(60, 106)
    return first, first + HALT_MINUTES


def plan_day(seed: int, ordinal: int, offset: int, pull_ppm: int) -> DayPlan:
    """The plan of one session.

    Args:
        seed: of the world.
        ordinal: the day (date.toordinal).
        offset: sessions since the world's start session; negative is history.
        pull_ppm: what a later session gives back of the distance from the world's first price.
    """
    random = generator(seed, 0, ordinal)
    if offset == 0:
        percent = random.randrange(95, 116)
        points = tuple((minute, move * percent // 100) for minute, move in FIRST_DAY)
        return DayPlan(random.randrange(-400, 401), points, QUIET_PPM)
    if -4 <= offset < 0:
        return DayPlan(random.randrange(0, 801), ((0, 0), (FULL_MINUTES, random.randrange(2_500, 4_501))), WALK_PPM)
    kind = random.randrange(100) if offset > 0 else 99
    gap = noise(random, 2_000)
    if kind < 50:
        sign = 1 if kind < 32 else -1
        percent = random.randrange(60, 121)
        points = tuple((minute, sign * move * percent // 100) for minute, move in FIRST_DAY)
        return DayPlan(gap + pull_ppm, points, QUIET_PPM * random.randrange(1, 4))
    return DayPlan(gap, ((0, 0), (FULL_MINUTES, noise(random, 6_000) + 200 + pull_ppm)), WALK_PPM)


def bridge(random: Random, minutes: int, deviation_ppm: int) -> list[int]:
    """A random walk of `minutes` steps that comes back to 0; element 0 and the last are 0."""
    walk = [0]
    for _ in range(minutes):
        walk.append(walk[-1] + noise(random, deviation_ppm))
    last = walk[-1]
    return [value - last * step // minutes for step, value in enumerate(walk)]


def minute_moves(plan: DayPlan, seed: int, ordinal: int, minutes: int) -> list[int]:
    """Move of the index since the open at each minute, `minutes` + 1 numbers; a half day compresses the plan."""
    swing = bridge(generator(seed, 1, ordinal), minutes, plan.noise_ppm)
    return [plan.planned(minute * FULL_MINUTES // minutes) + swing[minute] for minute in range(minutes + 1)]
