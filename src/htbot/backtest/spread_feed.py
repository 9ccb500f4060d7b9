"""What a desk is told of the market, without the wire: bars as they are made, lines, the chain around the spot.

It reads the same folds as the desk (`BarFold`, `QuoteSieve`, `window`); what the wire does to a quote is done here too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.accounts import AccountFigures
from htbot.domain.bars import Bar
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import UNDERLYINGS, SecType
from htbot.domain.quotes import Quote
from htbot.domain.sessions import Session
from htbot.domain.signals import Leg
from htbot.market.last import shown_trades
from htbot.market.ports import Candle, ContractQuery, Market, Print, Show
from htbot.marketdata.bars import BarFold
from htbot.marketdata.chain_window import ChainNeed, window
from htbot.marketdata.sieve import QuoteSieve
from htbot.marketdata.snapshot import ListedOption, Snapshot
from htbot.portfolio.marks import Marks, mark_spread
from htbot.strategies.base import Needs

_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Money:
    """What the broker would tell of the account at an instant."""

    account: str
    net_liquidation: Decimal
    buying_power: Decimal
    figures: AccountFigures


@dataclass(frozen=True, slots=True)
class _Trades:
    """The market's trades up to an instant."""

    market: Market
    at: datetime

    def prints(self, con_id: int, since: datetime) -> Sequence[Print]:
        return self.market.prints(con_id, since, self.at)

    def has_tape(self, con_id: int) -> bool:
        return self.market.has_tape(con_id)


class SpreadFeed:
    """One underlying with its options of the day; time moves by `move` alone, and only forwards."""

    def __init__(self, market: Market, needs: Needs) -> None:
        self._market = market
        self._needs = needs
        self._underlying = UNDERLYINGS[needs.symbol]
        self._con_id = self._underlying_id()
        self._fold = BarFold(exact=True)
        self._sieve = QuoteSieve()
        self._shown: Candle | None = None
        self._line_since: datetime | None = None
        self._line_last: float | None = None
        self._listed: tuple[date, list[ListedOption]] | None = None
        self._window: tuple[ListedOption, ...] = ()
        self._window_at: tuple[date, int] | None = None
        self._watching_since: datetime | None = None
        self.now = market.start

    def begin(self, now: datetime, history_from: datetime | None) -> list[Bar]:
        """Start watching; returns the closed bars of the history.

        Raises:
            ConfigurationError: there are no bars of the underlying.
        """
        since = history_from or self._market.sessions.all()[0].opens
        candles = self._candles(since, now)
        if not candles:
            raise ConfigurationError(f"there are no bars of {self._needs.symbol} up to {now.isoformat()}")
        self._shown, self._watching_since = candles[-1], now
        return self._fold.load([self._bar(candle) for candle in candles], now)

    def move(self, now: datetime) -> list[Bar]:
        """Go to an instant; returns the bars that have closed since the last one."""
        self.now = now
        self._look_at_line()
        if self._shown is not None:
            for candle in self._candles(self._shown.start, now):
                if candle.start >= self._shown.start and candle != self._shown:
                    self._fold.update(self._bar(candle))
                    self._shown = candle
        return self._fold.settle(now)

    def follow(self, session: Session, need: ChainNeed) -> None:
        """Choose the part of the chain that is quoted from here on, as a desk takes its lines."""
        spot = self.spot()
        if spot is None or not need.active(self.now):
            self._window = ()
            return
        options = self._listing(session.day)
        place = bisect_left(options, Decimal(str(spot)), key=lambda option: option.strike)
        if not self._window or (session.day, place) != self._window_at:  # the same strikes lie on either side of it
            self._window, self._window_at = window(options, spot, need), (session.day, place)

    def options(self, day: date) -> list[ListedOption]:
        """Every option that is listed for a session, by strike."""
        return self._listing(day)

    # --- reading ---------------------------------------------------------------------------------------------------

    def spot(self) -> float | None:
        """The underlying's last price, its mid when there is none."""
        quote = self.quote(self._con_id)
        if quote is None:
            return None
        return quote.last if quote.last is not None else quote.mid

    def quote(self, con_id: int) -> Quote | None:
        """The quote as a desk has it; one that jumps beyond belief is held back."""
        found = self._market.quote(con_id, self.now)
        if found is None:
            return None
        told = _told(found, self.now)
        if con_id == self._con_id:
            told = replace(told, last=self._line_last)
        return self._sieve.admit(told)

    def marks(self, legs: tuple[Leg, ...]) -> Marks:
        """What these legs cost now."""
        return mark_spread(legs, self._quotes(leg.con_id for leg in legs), self.now)

    def snapshot(self, money: Money, held: Iterable[int], *, enabled: bool) -> Snapshot:
        """Everything a decision of this grid instant may read."""
        con_ids = sorted({self._con_id, *(option.con_id for option in self._window), *held})
        return Snapshot(
            as_of=self.now,
            world_id=self._market.world_id,
            account=money.account,
            symbol=self._needs.symbol,
            underlying_con_id=self._con_id,
            spot=self.spot(),
            last_closed=self._fold.take_last_closed(),
            open_bar=self._fold.open_bar,
            options=self._window,
            quotes=self._quotes(con_ids),
            net_liquidation=money.net_liquidation,
            buying_power=money.buying_power,
            trading_enabled=enabled,
            watching_since=self._watching_since,
            figures=money.figures,
        )

    def _quotes(self, con_ids: Iterable[int]) -> dict[int, Quote]:
        found = {con_id: self.quote(con_id) for con_id in con_ids}
        return {con_id: quote for con_id, quote in found.items() if quote is not None}

    # --- asking the market -----------------------------------------------------------------------------------------

    def _underlying_id(self) -> int:
        query = ContractQuery(symbol=self._underlying.symbol, sec_type=self._underlying.sec_type.value)
        found = self._market.details(query, self._market.start)
        if not found:
            raise ConfigurationError(f"there are no prices of {self._underlying.symbol}")
        return found[0].contract.con_id

    def _candles(self, since: datetime, until: datetime) -> list[Candle]:
        return self._market.candles(self._con_id, self._needs.bar_minutes * _MINUTE_S, since, until, Show.TRADES)

    def _bar(self, candle: Candle) -> Bar:
        volume = 0.0 if self._underlying.sec_type is SecType.INDEX else max(candle.volume, 0.0)
        prices = (candle.open, candle.high, candle.low, candle.close)
        return Bar(self._needs.symbol, candle.start, self._needs.bar_minutes, *prices, volume)

    def _listing(self, day: date) -> list[ListedOption]:
        if self._listed is None or self._listed[0] != day:
            query = ContractQuery(
                symbol=self._underlying.symbol,
                sec_type=SecType.OPTION.value,
                expiry=f"{day:%Y%m%d}",
                exchange="SMART",
                currency="USD",
                trading_class=self._underlying.option_class,
            )
            contracts = [row.contract for row in self._market.details(query, self.now)]
            options = [
                ListedOption(one.con_id, day, one.strike, one.right, one.trading_class)
                for one in contracts
                if one.strike is not None and one.right is not None and one.expiry == day
            ]
            self._listed = day, sorted(options, key=lambda option: (option.strike, option.right))
        return self._listed[1]

    def _look_at_line(self) -> None:
        """The underlying's last price as its line tells it: of trades, else of the quote."""
        quote = self._market.quote(self._con_id, self.now)
        if quote is not None:
            trades = shown_trades(_Trades(self._market, self.now), quote, self._line_since, self._line_last)
            if trades:
                self._line_last = trades[-1].price
            elif quote.last is not None:
                self._line_last = quote.last
        self._line_since = self.now


def _told(quote: Quote, now: datetime) -> Quote:
    """A quote after the wire: a side without a size is none, what stands is as of now, its origin is not told."""
    return Quote(
        con_id=quote.con_id,
        as_of=now,
        bid=_side(quote.bid, quote.bid_size),
        ask=_side(quote.ask, quote.ask_size),
        bid_size=quote.bid_size,
        ask_size=quote.ask_size,
        last=quote.last,
    )


def _side(price: float | None, size: float) -> float | None:
    return None if price is None or price < 0 or not size > 0 else price
