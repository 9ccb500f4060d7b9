"""Recorded bars on their way to a strategy that is watched or traded, and what it wants on the way back. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from htbot.domain.bars import TapeBar
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Direction, Signal
from htbot.engine.observation import Fired
from htbot.marketdata.tape_bars import ClosedBar, TapeCalendar

LATE_S = 90
"""A bar that is known this long after its end, or not at all, is told to be late: two looks of 30 s and the feed's."""
HISTORY_BARS = 600
"""So many bars, or what the strategy asks for when that is more, come before the first that counts (RULINGS 20)."""
HIGHEST_PRICE_USD = 100_000_000
"""A hundred times the dearest share: what is above it is a mistake of a strategy."""
Shown = tuple[ClosedBar, TapeBar]


@dataclass(frozen=True, slots=True)
class Looked:
    """Which strategy looks at which symbol, for which account, at which instant."""

    strategy: str
    account: str
    symbol: str
    as_of: datetime


def placed(bars: Iterable[ClosedBar], calendar: TapeCalendar, minutes: int) -> list[Shown]:
    """Bars of regular hours with their place in the session."""
    found = ((bar, calendar.tape_bar(bar, minutes)) for bar in bars)
    return [(bar, tape_bar) for bar, tape_bar in found if tape_bar is not None]


def clock(at_s: float) -> str:
    """`10:05`, New York."""
    return datetime.fromtimestamp(at_s, UTC).astimezone(NEW_YORK).strftime("%H:%M")


def require_prices(fired: Fired) -> None:
    """The advice of an entry is numbers that can be traded; an exit needs none.

    Raises:
        ValueError: a stop or target that is no price, or a confidence that is no number.
    """
    for name, level in fired.levels.items() if fired.action == "enter" else ():
        if not 0 < level <= HIGHEST_PRICE_USD:
            raise ValueError(f"its {name} of {level} is no price: from 0 to {HIGHEST_PRICE_USD:,} dollars")
    for name, number in fired.numbers.items():
        if not math.isfinite(number):
            raise ValueError(f"its {name} of {number} is no number")


def waits(there: int, warm_up_bars: int, minutes: int) -> str:
    """What a strategy says whose history is too short."""
    return f"waits for its history: {there} of {warm_up_bars} bars of {minutes} min are there"


def beginning(
    history: Sequence[Shown], warm_up_bars: int, minutes: int, calendar: TapeCalendar, as_of: datetime
) -> int | str:
    """The start of the bar that a state is folded from, in seconds since the epoch; or why it cannot begin yet."""
    if len(history) < max(warm_up_bars, 1):
        return waits(len(history), warm_up_bars, minutes)
    late_s = late_bar_s(calendar, history[-1][0].start_s, minutes, as_of)
    if late_s is not None:
        return f"waits for its history: the bar of {clock(late_s)} is not there"
    return history[-min(len(history), max(HISTORY_BARS, warm_up_bars))][0].start_s


def late_bar_s(calendar: TapeCalendar, through_s: int, minutes: int, as_of: datetime) -> int | None:
    """The start of the bar that should be there by now and is not."""
    expected_s = calendar.next_start_s(through_s, minutes)
    due_s = as_of.timestamp() - LATE_S - 60 * minutes
    return expected_s if expected_s is not None and expected_s <= due_s else None


def ended_s(fired: Fired, bar: ClosedBar) -> int:
    """When the bar that a strategy acted on has ended."""
    return bar.start_s + (fired.bar.end_minute - fired.bar.minute) * 60


def is_fresh(fired: Fired, bar: ClosedBar, as_of: datetime) -> bool:
    """Whether an entry may still follow from a bar."""
    return as_of.timestamp() - ended_s(fired, bar) <= LATE_S


def signal_of(looked: Looked, fired: Fired, bar: ClosedBar) -> Signal:
    """What a strategy did at a closed bar, as a signal."""
    late = looked.as_of.timestamp() - ended_s(fired, bar)
    told = f"; the bar of {clock(bar.start_s)} was seen {late:.0f} s after its end" if late > LATE_S else ""
    return Signal(
        strategy=looked.strategy,
        account=looked.account,
        symbol=looked.symbol,
        session=date.fromordinal(fired.bar.session),
        as_of=looked.as_of,
        direction=Direction(fired.direction),
        level=fired.price,
        price=fired.price,
        trend=0,
        reason=fired.reason + told,
        levels=fired.levels,
        indicators=fired.numbers,
        action=fired.action,
        bar_start=datetime.fromtimestamp(bar.start_s, UTC),
    )
