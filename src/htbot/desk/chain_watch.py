"""The options of one underlying: what is listed for the day, and the part around the spot that is quoted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Protocol

from htbot.domain.errors import Retryable, StopTrading
from htbot.domain.instruments import Underlying
from htbot.domain.sessions import NEW_YORK, Session
from htbot.marketdata.chain_window import ChainNeed, widest, window
from htbot.marketdata.clock_state import GRID_S
from htbot.marketdata.sessions import trading_window
from htbot.marketdata.snapshot import ListedOption
from htbot.services.option_instances import ChainPlan

PUT_OFF = timedelta(seconds=GRID_S)
"""How long a list that the broker did not give is not asked for."""
EXPECTED = (Retryable, ConnectionError, TimeoutError)
_log = logging.getLogger(__name__)


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
    """One underlying's chain. `missing` is True while quotes are wanted that nobody has: no spot, no list, or no room.

    The list is asked for beside the desk's other work, which waits `patience_s` host seconds for it; None, in a stepped
    world, is until it is there. What the broker does not answer is told once and put off.
    """

    def __init__(self, underlying: Underlying, *, patience_s: float | None = 0.0) -> None:
        self.underlying = underlying
        self.window: tuple[ListedOption, ...] = ()
        self.missing = False
        self._patience_s = patience_s
        self._choices: tuple[tuple[int, tuple[ListedOption, ...]], ...] = ()
        self._listed: dict[date, list[ListedOption]] = {}
        self._asking: tuple[date, asyncio.Future[list[ListedOption]]] | None = None
        self._again_at: datetime | None = None
        self._failed = False
        self._troubles: list[str] = []

    @property
    def strikes_out(self) -> int:
        """How far out it is quoted; 0 while it is not."""
        return self._choices[0][0] if self._choices else 0

    async def follow(self, session: ChainSession, need: ChainNeed | None, spot: float | None, now: datetime) -> None:
        """Choose what is quoted from here on."""
        self._choices, self.window, self.missing = (), (), need is not None and need.active(now)
        if need is None or not self.missing or spot is None:
            return
        options = await self._known(session, now)
        if options is None:
            return
        self._choices = tuple((one.strikes_out, window(options, spot, one)) for one in need.steps())
        self.window, self.missing = self._choices[0][1], False

    def narrow(self) -> None:
        """There are no lines for it: the next narrower need is quoted, or nothing of it."""
        self._choices = self._choices[1:]
        self.window, self.missing = (self._choices[0][1], False) if self._choices else ((), True)

    async def listed(self, session: ChainSession, day: date) -> list[ListedOption]:
        """The options listed for a session's own expiry, asked for once a day."""
        if day not in self._listed:
            options = await session.listed_options(self.underlying, day)
            if not options:
                return []  # asked again at the next look: it may have been the broker's bad moment
            self._listed = {day: options}
        return self._listed[day]

    def restart(self) -> None:
        """The session is a new one: what was asked of the one before has no answer."""
        if self._asking is not None:
            self._asking[1].cancel()
        self._asking, self._again_at, self._choices, self.window = None, None, (), ()

    def take_troubles(self) -> list[str]:
        """What a person should know, once."""
        told, self._troubles = self._troubles, []
        return told

    async def _known(self, session: ChainSession, now: datetime) -> list[ListedOption] | None:
        """The day's list, None while the broker has not told it."""
        day = now.astimezone(NEW_YORK).date()
        if day in self._listed:
            return self._listed[day]
        if self._asking is None:
            if self._again_at is not None and now < self._again_at:
                return None
            self._asking = day, asyncio.ensure_future(session.listed_options(self.underlying, day))
            await asyncio.wait({self._asking[1]}, timeout=self._patience_s)
        asked_day, answer = self._asking
        if not answer.done():
            return None
        self._asking = None
        error = None if answer.cancelled() else answer.exception()
        if error is not None or answer.cancelled():
            self._put_off(error, now)
            return None
        self._again_at, self._failed = None, False
        if answer.result():  # else asked again at the next look: it may have been the broker's bad moment
            self._listed = {asked_day: answer.result()}
        return answer.result() if asked_day == day else None

    def _put_off(self, error: BaseException | None, now: datetime) -> None:
        if isinstance(error, StopTrading):
            raise error
        why = str(error or "") or "the broker does not answer"
        text = f"options of {self.underlying.symbol} are not quoted: {why}; asked again every {PUT_OFF.seconds} s"
        _log.warning("%s", text, exc_info=None if isinstance(error, EXPECTED) else error)
        self._troubles += [] if self._failed else [text]
        self._again_at, self._failed = now + PUT_OFF, True


class LineBudget:
    """The market data lines that the broker gives, shared out among chains."""

    def __init__(self, most_lines: int) -> None:
        self._most = most_lines
        self._crowded: set[tuple[str, int]] = set()

    def fit(self, chains: Iterable[ChainWatch], wanted: Iterable[int]) -> list[str]:
        """Narrow the chains, in their order, to the lines that are left beside `wanted`; what is new to tell.

        Of a chain there is all that a strategy needs or nothing: the widest need that there are lines for.
        """
        lines, crowded, troubles = frozenset(wanted), set[tuple[str, int]](), []
        for chain in chains:
            troubles += chain.take_troubles()
            asked, before = len(lines | _ids(chain)), chain.strikes_out
            while chain.window and len(lines | _ids(chain)) > self._most:
                chain.narrow()
            lines |= _ids(chain)
            if chain.strikes_out == before:
                continue
            symbol, reach = chain.underlying.symbol, chain.strikes_out
            crowded.add((symbol, reach))
            how = f"quoted {reach} strikes out instead of {before}" if reach else "not quoted"
            told = f"options of {symbol} are {how}: with them {asked} lines are streamed, the broker gives {self._most}"
            troubles += [] if (symbol, reach) in self._crowded else [f"{told} (IB_DATA_LINES)"]
        self._crowded = crowded
        return troubles


def _ids(chain: ChainWatch) -> frozenset[int]:
    return frozenset(option.con_id for option in chain.window)
