"""The desk's view of the market: bars folded, quotes as of a market time, and the snapshot that decisions read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol

from htbot.desk.chain_watch import ChainWatch, LineBudget
from htbot.desk.lines import Lines
from htbot.desk.series import SessionsOf, WatchedSeries
from htbot.domain.bars import Bar
from htbot.domain.errors import StopTrading
from htbot.domain.instruments import UNDERLYINGS, Contract, Underlying
from htbot.domain.quotes import Quote
from htbot.marketdata.bars import BarFold
from htbot.marketdata.chain_window import ChainNeed
from htbot.marketdata.sieve import QuoteSieve
from htbot.marketdata.snapshot import AccountState, ListedOption, OpenBar, Snapshot

SMART = "SMART"
NO_OTHERS: Mapping[str, ChainNeed | None] = {}
# Host seconds after which a line without any price is taken for one that has none.
LINES_WITHIN_S = 10.0
# Host seconds that lines wait for the list of the configured chain each time it is asked for: as long as the pause
# between two looks. For lists of others they do not wait.
OWN_LIST_WITHIN_S = 1.0
_log = logging.getLogger(__name__)


class MarketSession(Protocol):
    """What the watch needs of the broker's session."""

    async def qualify(self, underlying: Underlying) -> Contract:
        """The broker's contract of an underlying."""
        ...

    async def listed_options(self, underlying: Underlying, expiry: date) -> list[ListedOption]:
        """The options listed for one expiry."""
        ...

    async def stream_bars(self, contract: Contract, minutes: int, days: int) -> list[Bar]:
        """History, kept up to date through the sink."""
        ...

    def subscribe(self, contract_id: int, exchange: str, *, borrowing: bool = False) -> None:
        """Stream one contract; with `borrowing` also how many shares of it can be borrowed."""
        ...

    def shortable(self, contract_id: int) -> float | None:
        """Shares of a streamed stock that can be borrowed."""
        ...

    def unsubscribe(self, contract_id: int) -> None:
        """Stop streaming one contract."""
        ...

    def renew(self, contract_id: int) -> None:
        """Ask for a streamed contract anew."""
        ...

    @property
    def subscribed(self) -> frozenset[int]:
        """What is streamed now."""
        ...

    def quote(self, contract_id: int, as_of: datetime) -> Quote | None:
        """The quote of a streamed contract."""
        ...


@dataclass(frozen=True, slots=True)
class WatchPlan:
    """What enabled strategies declare: an underlying, a bar length, how much history, how far out the chain.

    `sessions_of` says how much history the series of watched strategies are asked for, `most_lines` how many quotes the
    broker streams at one time.
    """

    underlying: Underlying
    bar_minutes: int
    history_days: int
    strikes_out: int
    sessions_of: SessionsOf
    most_lines: int = 100


class MarketWatch:
    """The configured underlying, and those of instances beside it.

    `exact` is a stepped world: everything of a market time is in before its marker.
    """

    def __init__(self, plan: WatchPlan, *, exact: bool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.plan = plan
        self._exact = exact
        self._bars = BarFold(exact=exact)
        own = (plan.underlying.symbol, plan.bar_minutes)
        self.series = WatchedSeries(
            own, plan.sessions_of, own_sessions=plan.history_days, exact=exact, monotonic=monotonic
        )
        self._contract: Contract | None = None
        self._chain = ChainWatch(plan.underlying, patience_s=None if exact else OWN_LIST_WITHIN_S)
        self._others: dict[str, ChainWatch] = {}
        self._budget = LineBudget(plan.most_lines)
        self.lines = Lines(exact=exact, monotonic=monotonic)
        self._monotonic = monotonic
        self._taken: dict[int, tuple[float, datetime]] = {}
        self._own_lines: frozenset[int] = frozenset()
        self.sieve = QuoteSieve()
        self.watching_since: datetime | None = None

    @property
    def contract(self) -> Contract:
        """The underlying's contract at the broker."""
        if self._contract is None:
            raise StopTrading(f"{self.plan.underlying.symbol} was used before the broker resolved it")
        return self._contract

    async def start(self, session: MarketSession, now: datetime, held: Iterable[int] = ()) -> list[Bar]:
        """Resolve, load history, stream; returns the closed bars of the history. Also after each reconnect.

        What is held is streamed first: it is guarded again while the history is still on its way.
        """
        self.lines.restart()
        self.series.restart()
        for chain in (self._chain, *self._others.values()):
            chain.restart()
        self._others.clear()
        self._taken.clear()
        for con_id in sorted(held):
            session.subscribe(con_id, SMART)
        self._contract = await session.qualify(self.plan.underlying)
        self.lines.feed = self.contract.con_id
        session.subscribe(self.contract.con_id, self.contract.exchange)
        history = await session.stream_bars(self.contract, self.plan.bar_minutes, self.plan.history_days)
        self.watching_since = now
        return self._bars.load(history, now)

    def forget_extremes(self, now: datetime) -> None:
        """Watching begins anew: after a halt or a gap in the data (RULINGS 2)."""
        self.watching_since = now
        self._bars.forget_extremes()
        self.series.forget_extremes(now)

    # --- folding ---------------------------------------------------------------------------------------------------

    def on_bar(self, bar: Bar) -> None:
        """One message of a bar stream: the underlying's own, or one that watched strategies declare."""
        if (bar.symbol, bar.minutes) == (self.plan.underlying.symbol, self.plan.bar_minutes):
            self._bars.update(bar)
        else:
            self.series.on_bar(bar)

    def on_ticks(self, con_ids: Iterable[int], now: datetime) -> None:
        """These lines have ticked."""
        self.lines.on_ticks(con_ids, now)

    def settle(self, now: datetime) -> list[Bar]:
        """Bars that have closed and were not stored yet."""
        return self._bars.settle(now) + self.series.settle(now)

    # --- lines -----------------------------------------------------------------------------------------------------

    async def follow(
        self,
        session: MarketSession,
        need: ChainNeed | None,
        held: Mapping[int, str],
        now: datetime,
        others: Mapping[str, ChainNeed | None] = NO_OTHERS,
    ) -> list[str]:
        """Stream the chains around the spots while they are needed, the held legs always, nothing else.

        `held` has the symbol of each leg: its feed lives as long as that underlying ticks, chain or no chain.
        `others` are the underlyings of instances on options, by symbol; one is quoted as soon as its bars are streamed.
        Returns what a person should know: chains that there are no lines for.
        """
        shares = self.series.shares(self.contract).values()
        wanted = {self.contract.con_id: self.contract.exchange, **dict.fromkeys((*held, *shares), SMART)}
        own = frozenset(wanted)
        await self._chain.follow(session, need, self.spot(session, now), now)
        chains = {self.contract.con_id: self._chain}
        self._name_others(others)
        for symbol, chain in self._others.items():
            stream = self.series.stream(symbol)
            if stream is not None:
                wanted[stream.contract.con_id] = stream.contract.exchange
                chains[stream.contract.con_id] = chain
                await chain.follow(session, others[symbol], self._spot(session, stream.contract, now), now)
        troubles = self._budget.fit(chains.values(), wanted.keys())
        pulses = {option.con_id: con_id for con_id, chain in chains.items() for option in chain.window}
        wanted |= dict.fromkeys(pulses, SMART)
        pulses |= {con_id: con_id for con_id in chains} | self._pulses_of(held)
        self.lines.beat_with(pulses, wanted.keys())
        self._own_lines = own | {option.con_id for option in self._chain.window}
        for con_id in session.subscribed - wanted.keys():
            session.unsubscribe(con_id)
            self.lines.forget(con_id)
            self._taken.pop(con_id, None)
        for con_id in sorted(shares):
            session.subscribe(con_id, SMART, borrowing=True)
        for con_id in sorted(wanted.keys() - session.subscribed):
            session.subscribe(con_id, wanted[con_id])
            self._taken[con_id] = self._monotonic(), now
        return troubles

    def _pulses_of(self, held: Mapping[int, str]) -> dict[int, int]:
        """The streamed underlying of each held leg of an instance on options."""
        streams = {symbol: self.series.stream(symbol) for symbol in self._others}
        found = {con_id: streams.get(symbol) for con_id, symbol in held.items()}
        return {con_id: stream.contract.con_id for con_id, stream in found.items() if stream is not None}

    def _name_others(self, symbols: Iterable[str]) -> None:
        """These underlyings beside the configured one; what is no longer named is given up."""
        before, patience_s = self._others, None if self._exact else 0.0
        self._others = {
            symbol: before.get(symbol) or ChainWatch(UNDERLYINGS[symbol], patience_s=patience_s) for symbol in symbols
        }
        for symbol in before.keys() - self._others.keys():
            before[symbol].restart()

    async def listed(self, session: MarketSession, day: date) -> list[ListedOption]:
        """The options of the configured underlying that are listed for a session's own expiry."""
        return await self._chain.listed(session, day)

    def stream(self, session: MarketSession, options: Iterable[ListedOption], now: datetime) -> None:
        """Stream these too, until the next look at what is needed."""
        for option in options:
            if option.con_id not in session.subscribed:
                session.subscribe(option.con_id, SMART)
                self._taken[option.con_id] = self._monotonic(), now

    def ready(self, session: MarketSession, now: datetime) -> bool:
        """True when every line of the configured chain, of shares and of what is held has told a price.

        A line that never does holds nothing up for longer than a while.
        """
        return not self._chain.missing and self._priced(session, self._own_lines, now)

    def _priced(self, session: MarketSession, con_ids: Iterable[int], now: datetime) -> bool:
        lines = frozenset(con_ids)
        taken = [self._taken[con_id] for con_id in lines & self._taken.keys()]
        if self._exact:  # whatever there is of a line is in before the marker of the next instant
            return all(taken_at < now for _, taken_at in taken)
        if self._monotonic() - max((taken_s for taken_s, _ in taken), default=0.0) > LINES_WITHIN_S:
            return True
        return all(session.quote(con_id, now) is not None for con_id in lines)

    # --- reading ---------------------------------------------------------------------------------------------------

    def spot(self, session: MarketSession, now: datetime) -> float | None:
        """The underlying's last price, its mid when there is none."""
        return self._spot(session, self.contract, now)

    def _spot(self, session: MarketSession, contract: Contract, now: datetime) -> float | None:
        told = session.quote(contract.con_id, now)
        return None if told is None else _price(self.sieve.admit(told))

    def quote(self, session: MarketSession, con_id: int, now: datetime) -> Quote | None:
        """The quote with the market time at which it is known to stand.

        An unchanged line stands as long as its feed and itself live (`Lines`), and the underlying, which ticks all the
        time, is the feed's pulse. A quote that jumps beyond belief is not the one that is told (FAULTS 32).
        """
        quote = self._standing(session, con_id, now)
        return None if quote is None else self.sieve.admit(quote)

    def _standing(self, session: MarketSession, con_id: int, now: datetime) -> Quote | None:
        stands_at = self.lines.stands_at(con_id, now)
        return None if stands_at is None else session.quote(con_id, stands_at)

    def died(self, session: MarketSession, held: Iterable[int], now: datetime) -> list[tuple[int, str]]:
        """Ask quiet lines whether they live, a few each look; what a person should know of those that do not."""
        dead = self.lines.look(session, frozenset(held), now)
        names = {
            option.con_id: f"{chain.underlying.symbol} {option.strike} {option.right.value}"
            for chain in (self._chain, *self._others.values())
            for option in chain.window
        }
        return [(con_id, f"{names.get(con_id, f'contract {con_id}')}: {why}") for con_id, why in dead]

    def quotes(self, session: MarketSession, con_ids: Iterable[int], now: datetime) -> dict[int, Quote]:
        """The quotes there are of these contracts."""
        found = {con_id: self.quote(session, con_id, now) for con_id in con_ids}
        return {con_id: quote for con_id, quote in found.items() if quote is not None}

    def take_last_closed(self) -> OpenBar | None:
        """The bar that closed since the last call, for the grid instant that looks at it first."""
        return self._bars.take_last_closed()

    def snapshot(
        self, session: MarketSession, as_of: datetime, standing: Standing, *, last_closed: OpenBar | None = None
    ) -> Snapshot:
        """Everything a decision at `as_of` may read."""
        options = {option.con_id: option for option in (*self._chain.window, *standing.asked)}
        shares = self.series.shares(self.contract)
        con_ids = sorted({self.contract.con_id, *options, *standing.held, *shares.values()})
        return Snapshot(
            as_of=as_of,
            symbol=self.plan.underlying.symbol,
            underlying_con_id=self.contract.con_id,
            spot=self.spot(session, as_of),
            last_closed=last_closed,
            open_bar=self._bars.open_bar,
            options=tuple(sorted(options.values(), key=lambda option: (option.strike, option.right))),
            quotes=self.quotes(session, con_ids, as_of),
            watching_since=self.watching_since,
            shares=shares,
            shortable={
                symbol: told for symbol, con_id in shares.items() if (told := session.shortable(con_id)) is not None
            },
            **standing.told(ready=bool(standing.asked) or self.ready(session, as_of)),
        )

    def others(self, session: MarketSession, as_of: datetime, standing: Standing) -> list[Snapshot]:
        """The same for the underlyings of instances on options, by symbol. A bar that has closed is told once."""
        found = []
        for symbol, chain in sorted(self._others.items()):
            stream = self.series.stream(symbol)
            if stream is None:
                continue
            con_ids = [stream.contract.con_id, *(option.con_id for option in chain.window)]
            found.append(
                Snapshot(
                    as_of=as_of,
                    symbol=symbol,
                    underlying_con_id=stream.contract.con_id,
                    spot=self._spot(session, stream.contract, as_of),
                    last_closed=stream.fold.take_last_closed(),
                    open_bar=stream.fold.open_bar,
                    options=chain.window,
                    quotes=self.quotes(session, con_ids, as_of),
                    watching_since=stream.since,
                    **standing.told(ready=not chain.missing and self._priced(session, con_ids, as_of)),
                )
            )
        return found

    def ticker(self, session: MarketSession, now: datetime, standing: Standing) -> Snapshot | None:
        """Prices of the underlying and of what is held, to be shown: nothing is decided on them.

        Asking remembers nothing, so that whoever looks changes no belief. None before the broker knows the underlying.
        """
        if self._contract is None:
            return None
        asked = (self._standing(session, con_id, now) for con_id in sorted({self.contract.con_id, *standing.held}))
        quotes = {quote.con_id: self.sieve.look(quote) for quote in asked if quote is not None}
        own = quotes.get(self.contract.con_id)
        return Snapshot(
            as_of=now,
            symbol=self.plan.underlying.symbol,
            underlying_con_id=self.contract.con_id,
            spot=None if own is None else _price(own),
            last_closed=None,
            open_bar=self._bars.open_bar,
            quotes=quotes,
            **standing.told(ready=True),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the desk stands: its accounts, the main one first, contracts held in any of them, options asked for."""

    world_id: str
    connected: bool
    accounts: Mapping[str, AccountState]
    held: frozenset[int] = frozenset()
    asked: tuple[ListedOption, ...] = ()

    def told(self, *, ready: bool) -> dict[str, Any]:
        """What a snapshot says of it; `ready`: there are prices for entries."""
        states = {
            name: replace(one, trading_enabled=one.trading_enabled and ready) for name, one in self.accounts.items()
        }
        (account, main), *others = states.items()
        return {
            "world_id": self.world_id,
            "connected": self.connected,
            "account": account,
            "net_liquidation": main.net_liquidation,
            "buying_power": main.buying_power,
            "figures": main.figures,
            "trading_enabled": main.trading_enabled,
            "others": dict(others),
        }


def _price(quote: Quote) -> float | None:
    """The last price, the mid when there is none."""
    return quote.last if quote.last is not None else quote.mid
