"""The instants of a stepped world: whoever plays a day, the gateway or a backtest, plays these and no others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from htbot.domain.sessions import floor_to
from htbot.market.ports import Market

AFTER_CLOSE = timedelta(minutes=5)
BEFORE_OPEN = (9, 25)
WORKING_GRID_S = 5
GRID_S = 30


def last_instant(market: Market) -> datetime | None:
    """Where market time stops: a world whose prices end with a session still has the five minutes after its close."""
    end = market.end
    session = None if end is None else market.sessions.at(end)
    if end is None or session is None or end < session.closes:
        return end
    return max(end, session.closes + AFTER_CLOSE)


def next_instant(
    market: Market, now: datetime, working: Iterable[datetime | None], others: Iterable[datetime] = ()
) -> datetime | None:
    """The next instant of a stepped world, None at its end.

    It is the market's next event, the next 30-second grid point from 09:25 until five minutes after the close, the
    session's close, the end of an order's life, or, while an order works, the next multiple of five seconds.

    Args:
        market: the world.
        now: the present instant.
        working: of each working order the time that it is good till, None for the whole session.
        others: what else must not be skipped.
    """
    following = market.next_event(now)
    candidates = [] if following is None else [following]
    session = market.sessions.at(now)
    end = last_instant(market)
    if session is not None and session.at(*BEFORE_OPEN) <= now < session.closes + AFTER_CLOSE:
        # Tasks go on around the session: the last mail of the day leaves after the close.
        candidates.append(floor_to(now, GRID_S) + timedelta(seconds=GRID_S))
    if session is not None and now < session.closes:
        candidates.append(session.closes)
        ends = list(working) if session.contains(now) else []
        if ends:
            candidates.append(floor_to(now, WORKING_GRID_S) + timedelta(seconds=WORKING_GRID_S))
            candidates += [good_till for good_till in ends if good_till is not None and good_till > now]
    candidates += [at for at in others if at > now]
    possible = [at for at in candidates if end is None or at <= end]
    return min(possible, default=None)
