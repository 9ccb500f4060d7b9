"""The options of one underlying: what is listed for the day, and the part around the spot that is quoted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Protocol

from htbot.domain.instruments import Underlying
from htbot.domain.sessions import NEW_YORK, Session
from htbot.marketdata.chain_window import ChainNeed, widest, window
from htbot.marketdata.sessions import trading_window
from htbot.marketdata.snapshot import ListedOption
from htbot.services.option_instances import ChainPlan


def chain_needs(session: Session | None, plans: Iterable[ChainPlan], now: datetime) -> dict[str, ChainNeed | None]:
    """What is quoted of each underlying that plans name: the widest of the needs that are active; None while none is.

    A plan without strikes keeps its underlying quoted, and no options.
    """
    needs: dict[str, list[ChainNeed]] = {}
    for plan in plans:
        found = needs.setdefault(plan.symbol, [])
        if session is not None and plan.strikes_out:
            hours = trading_window(session, plan.hours)
            found.append(ChainNeed(plan.strikes_out, hours.entry_from, hours.entry_until))
    return {symbol: widest(found, now) for symbol, found in needs.items()}


class ChainSession(Protocol):
    """What is needed of the broker's session."""

    async def listed_options(self, underlying: Underlying, expiry: date) -> list[ListedOption]:
        """The options listed for one expiry."""
        ...


class ChainWatch:
    """One underlying's chain. `missing` is True while quotes are wanted that nobody has: no spot, or no room."""

    def __init__(self, underlying: Underlying) -> None:
        self.underlying = underlying
        self.window: tuple[ListedOption, ...] = ()
        self.missing = False
        self._listed: dict[date, list[ListedOption]] = {}

    async def follow(self, session: ChainSession, need: ChainNeed | None, spot: float | None, now: datetime) -> None:
        """Choose what is quoted from here on."""
        wanted = need is not None and need.active(now)
        self.missing = wanted and spot is None
        self.window = ()
        if need is not None and wanted and spot is not None:
            self.window = window(await self.listed(session, now.astimezone(NEW_YORK).date()), spot, need)

    def leave_out(self) -> None:
        """There are no lines for it."""
        self.window, self.missing = (), True

    async def listed(self, session: ChainSession, day: date) -> list[ListedOption]:
        """The options listed for a session's own expiry, asked for once a day."""
        if day not in self._listed:
            options = await session.listed_options(self.underlying, day)
            if not options:
                return []  # asked again at the next look: it may have been the broker's bad moment
            self._listed = {day: options}
        return self._listed[day]
