"""Breadth first through every reachable state; the trace to the first violation is a shortest one."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from tests.proofs.model import broker, sender
from tests.proofs.model.invariants import check, done
from tests.proofs.model.world import Bounds, Protocol, Violation, World, first_world


@dataclass(frozen=True)
class Verdict:
    """What a search found; `trace` is empty when nothing is wrong."""

    states: int
    depth: int
    seconds: float
    complete: bool
    violation: str = ""
    trace: tuple[str, ...] = ()

    @property
    def safe(self) -> bool:
        """True when every reachable state was seen and none is wrong."""
        return self.complete and not self.violation

    def told(self) -> str:
        """The verdict in words, a counterexample as numbered steps."""
        size = f"{self.states:,} states, depth {self.depth}, {self.seconds:.1f} s"
        if self.violation:
            steps = "\n".join(f"  {number:2}. {words}" for number, words in enumerate(self.trace, 1))
            return f"VIOLATION after {size}: {self.violation}\n{steps}"
        return f"{'safe' if self.complete else 'nothing found, but not all was seen'}: {size}"


class Search:
    """One exhaustive search."""

    def __init__(self, rules: Protocol, bounds: Bounds, most_states: int = 2_000_000) -> None:
        self.rules, self.bounds, self.most_states = rules, bounds, most_states
        self._number: dict[World, int] = {}
        self._came: list[tuple[int, str]] = []
        self._leads_to: list[list[int]] = []
        self._done: list[int] = []

    def run(self) -> Verdict:
        """Search until a violation, the end, or the limit of states."""
        begun = time.perf_counter()
        gc.disable()  # tuples without cycles by the million
        try:
            depth, complete, violation, trace = self._explore()
        finally:
            gc.enable()
        if complete and not violation:
            stuck = self._stuck()
            if stuck is not None:
                violation = "from here on, without another fault, it can never be done and agreed"
                trace = self._trace(stuck)
        return Verdict(len(self._came), depth, time.perf_counter() - begun, complete, violation, trace)

    def _explore(self) -> tuple[int, bool, str, tuple[str, ...]]:
        layer = [self._meet(first_world(self.bounds), -1, "")[0]]
        worlds = {layer[0]: first_world(self.bounds)}
        depth = 0
        while worlds:
            following: dict[int, World] = {}
            for number, world in worlds.items():
                words = ""
                try:
                    check(world, self.rules, self.bounds)
                    for words, successor, kind in self._steps(world):
                        known, new = self._meet(successor, number, words)
                        if new:
                            following[known] = successor
                        if kind:
                            self._leads_to[number].append(known)
                except Violation as violation:
                    return depth, False, str(violation), self._trace(number)
                if done(world, self.bounds):
                    self._done.append(number)
            if len(self._came) > self.most_states:
                return depth, False, "", ()
            worlds, depth = following, depth + bool(following)
        return depth, True, "", ()

    def _steps(self, world: World) -> Iterator[broker.Step]:
        return chain(
            broker.steps(world, self.rules, self.bounds),
            sender.steps(world, self.rules, self.bounds),
        )

    def _meet(self, world: World, came_from: int, words: str) -> tuple[int, bool]:
        known = self._number.get(world)
        if known is not None:
            return known, False
        number = self._number[world] = len(self._came)
        self._came.append((came_from, words))
        self._leads_to.append([])
        return number, True

    def _trace(self, number: int) -> tuple[str, ...]:
        steps: list[str] = []
        while number >= 0:
            number, words = self._came[number]
            steps.append(words)
        return tuple(reversed(steps[:-1]))

    def _stuck(self) -> int | None:
        """The nearest state from which no kind steps lead to an end that everybody agrees on."""
        before: list[list[int]] = [[] for _ in self._came]
        for number, nexts in enumerate(self._leads_to):
            for following in nexts:
                before[following].append(number)
        good = bytearray(len(self._came))
        todo = list(self._done)
        for number in todo:
            good[number] = 1
        while todo:
            for number in before[todo.pop()]:
                if not good[number]:
                    good[number] = 1
                    todo.append(number)
        return next((number for number in range(len(good)) if not good[number]), None)
