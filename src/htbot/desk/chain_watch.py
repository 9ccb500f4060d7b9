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
        self._choices: tuple[tuple[int, tuple[ListedOption, ...]], ...] = ()
        self._listed: dict[date, list[ListedOption]] = {}

    async def follow(self, session: ChainSession, need: ChainNeed | None, spot: float | None, now: datetime) -> None:
        """Choose what is quoted from here on."""
        wanted = need is not None and need.active(now)
        self.missing = wanted and spot is None
        self._choices, self.window = (), ()
        if need is not None and wanted and spot is not None:
            options = await self.listed(session, now.astimezone(NEW_YORK).date())
            self._choices = tuple((one.strikes_out, window(options, spot, one)) for one in need.steps())
            self.window = self._choices[0][1]

    @property
    def strikes_out(self) -> int:
        """How far out it is quoted; 0 while it is not."""
        return self._choices[0][0] if self._choices else 0

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


class LineBudget:
    """The market data lines that the broker gives, shared out among chains."""

    def __init__(self, most_lines: int) -> None:
        self._most = most_lines
        self._crowded: set[tuple[str, int]] = set()

    def fit(self, chains: Iterable[ChainWatch], wanted: Iterable[int]) -> list[str]:
        """Narrow the chains, in their order, to the lines that are left beside `wanted`; what is new to tell.

        Of a chain there is all that a strategy needs or nothing: the widest need that there are lines for.
        """
        lines, crowded, troubles = frozenset(wanted), set[tuple[str, int]](), list[str]()
        for chain in chains:
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
