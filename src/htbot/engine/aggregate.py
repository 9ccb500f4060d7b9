"""Several strategies, one decision: what is filtered, what waits, and how opinions become one (spec 03, 6d and 6e).

The order is: filters, one after the other; the cooldown of each symbol and strategy; then one entry a symbol and side,
and one side a symbol. Exits pass untouched: they are never filtered, never wait, and never lose against an entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from htbot.strategies.bar_strategy import NONE

COOLDOWN = timedelta(seconds=300)
"""SIGNAL_COOLDOWN of the specification; our default."""

AGREEMENT, MOST_AGREEMENT = 0.1, 0.2
"""What each further strategy adds to the confidence, and at most."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one strategy says of one symbol at `as_of` (aware UTC).

    `side` LONG or SHORT is an entry of `quantity` units at a reference `price`, `leave` an exit. `confidence` is from
    0 to 1.
    """

    strategy: str
    symbol: str
    side: int
    price: float
    quantity: int
    confidence: float
    as_of: datetime
    leave: bool = False


@dataclass(frozen=True, slots=True)
class Blocked:
    """An entry that is not followed, and why."""

    opinion: Opinion
    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What the strategies that agree ask for: mean price, largest quantity, joined confidence."""

    symbol: str
    side: int
    price: float
    quantity: int
    confidence: float
    strategies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one instant: at most one entry a symbol, every exit, and what was blocked.

    `last` is when each (symbol, strategy) was last listened to; it goes into the next call.
    """

    entries: tuple[Entry, ...]
    exits: tuple[Opinion, ...]
    blocked: tuple[Blocked, ...]
    last: Mapping[tuple[str, str], datetime]


Filter = Callable[[Opinion], Opinion | Blocked]
"""One filter: the entry, perhaps with another confidence, or why not. It sees entries only."""


def decide(
    opinions: Iterable[Opinion],
    filters: Sequence[Filter] = (),
    last: Mapping[tuple[str, str], datetime] | None = None,
    cooldown: timedelta = COOLDOWN,
) -> Verdict:
    """Filters, cooldown and aggregation of what the strategies say at one instant; pure."""
    heard = dict(last or {})
    exits: list[Opinion] = []
    entries: list[Opinion] = []
    blocked: list[Blocked] = []
    for opinion in opinions:
        if opinion.leave:
            exits.append(opinion)
        elif opinion.side != NONE:
            passed = _rested(_filtered(opinion, filters), heard, cooldown)
            if isinstance(passed, Blocked):
                blocked.append(passed)
            else:
                entries.append(passed)
                heard[passed.symbol, passed.strategy] = passed.as_of
    joined, lost = aggregate(entries)
    return Verdict(joined, tuple(exits), (*blocked, *lost), heard)


def aggregate(opinions: Iterable[Opinion]) -> tuple[tuple[Entry, ...], tuple[Blocked, ...]]:
    """One entry for each symbol, symbols in order; of two sides the surer one wins, and equally sure ones hold."""
    by_symbol: dict[str, dict[int, list[Opinion]]] = defaultdict(lambda: defaultdict(list))
    for opinion in opinions:
        by_symbol[opinion.symbol][opinion.side].append(opinion)
    entries: list[Entry] = []
    blocked: list[Blocked] = []
    for symbol in sorted(by_symbol):
        sides = by_symbol[symbol]
        first, *others = sorted((_join(group) for group in sides.values()), key=lambda entry: -entry.confidence)
        if others and first.confidence == others[0].confidence:
            blocked += [
                Blocked(one, f"{symbol}: both sides are equally sure") for group in sides.values() for one in group
            ]
            continue
        entries.append(first)
        for other in others:
            why = f"{symbol}: the other side is surer, {first.confidence:.3f} against {other.confidence:.3f}"
            blocked += [Blocked(one, why) for one in sides[other.side]]
    return tuple(entries), tuple(blocked)


def joined_confidence(confidences: Sequence[float]) -> float:
    """Joined as sum c^2 / sum c + min(0.1 (n - 1), 0.2), at most 1; 0 when nobody is sure of anything.

    To 12 digits, so that what is equally sure on paper is a tie.
    """
    total = sum(confidences)
    if total <= 0:
        return 0.0
    mean = sum(one * one for one in confidences) / total
    return round(min(1.0, mean + min(AGREEMENT * (len(confidences) - 1), MOST_AGREEMENT)), 12)


def _join(group: Sequence[Opinion]) -> Entry:
    """Opinions of one symbol and side as one; in order of names, so that their order does not matter."""
    ordered = sorted(group, key=lambda one: (one.strategy, one.confidence, one.price))
    return Entry(
        symbol=ordered[0].symbol,
        side=ordered[0].side,
        price=sum(one.price for one in ordered) / len(ordered),
        quantity=max(one.quantity for one in ordered),
        confidence=joined_confidence([one.confidence for one in ordered]),
        strategies=tuple(one.strategy for one in ordered),
    )


def _filtered(opinion: Opinion, filters: Sequence[Filter]) -> Opinion | Blocked:
    for judge in filters:
        answer = judge(opinion)
        if isinstance(answer, Blocked):
            return answer
        opinion = replace(answer, confidence=min(1.0, max(0.0, answer.confidence)))
    return opinion


def _rested(
    opinion: Opinion | Blocked, heard: Mapping[tuple[str, str], datetime], cooldown: timedelta
) -> Opinion | Blocked:
    """Whether the strategy may be listened to again on this symbol; a blocked entry is passed on."""
    if isinstance(opinion, Blocked):
        return opinion
    before = heard.get((opinion.symbol, opinion.strategy))
    if before is not None and opinion.as_of - before < cooldown:
        rest_s = (cooldown - (opinion.as_of - before)).total_seconds()
        return Blocked(opinion, f"{opinion.strategy} on {opinion.symbol} rests for another {rest_s:.0f} s")
    return opinion
