"""What a broker streams of one contract, without the wire: its bars as they are made, its last price, its quotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from htbot.domain.bars import Bar
from htbot.domain.errors import ConfigurationError
from htbot.domain.instruments import Instrument, SecType
from htbot.domain.quotes import Quote
from htbot.market.last import shown_trades
from htbot.market.ports import Candle, ContractQuery, Market, Print, Show
from htbot.marketdata.bars import BarFold

_MINUTE_S = 60


def contract_id(market: Market, instrument: Instrument) -> int:
    """The id of an index, stock or fund.

    Raises:
        ConfigurationError: the market has none.
    """
    found = market.details(ContractQuery(symbol=instrument.symbol, sec_type=instrument.sec_type.value), market.start)
    if not found:
        raise ConfigurationError(f"there are no prices of {instrument.symbol}")
    return found[0].contract.con_id


class BarStream:
    """Bars of one length: a history, kept up to date at every instant that is played."""

    def __init__(self, market: Market, instrument: Instrument, minutes: int) -> None:
        self._market = market
        self._symbol, self._minutes = instrument.symbol, minutes
        self._has_volume = instrument.sec_type is not SecType.INDEX
        self._con_id = contract_id(market, instrument)
        self._shown: Candle | None = None
        self.fold = BarFold(exact=True)

    def begin(self, since: datetime, now: datetime) -> list[Bar]:
        """Start at `now` with the history since an instant; returns its closed bars.

        Raises:
            ConfigurationError: there is none.
        """
        candles = self._candles(since, now)
        if not candles:
            raise ConfigurationError(f"there are no bars of {self._symbol} up to {now.isoformat()}")
        self._shown = candles[-1]
        return self.fold.load([self._bar(candle) for candle in candles], now)

    def move(self, now: datetime) -> list[Bar]:
        """Go to an instant; returns the bars that have closed since, each at the first instant from its end on."""
        if self._shown is not None:
            for candle in self._candles(self._shown.start, now):
                if candle.start >= self._shown.start and candle != self._shown:
                    self.fold.update(self._bar(candle))
                    self._shown = candle
        return self.fold.settle(now)

    def _candles(self, since: datetime, until: datetime) -> list[Candle]:
        return self._market.candles(self._con_id, self._minutes * _MINUTE_S, since, until, Show.TRADES)

    def _bar(self, candle: Candle) -> Bar:
        volume = max(candle.volume, 0.0) if self._has_volume else 0.0
        prices = (candle.open, candle.high, candle.low, candle.close)
        return Bar(self._symbol, candle.start, self._minutes, *prices, volume)


@dataclass(frozen=True, slots=True)
class _Trades:
    """The market's trades up to an instant."""

    market: Market
    at: datetime

    def prints(self, con_id: int, since: datetime) -> Sequence[Print]:
        return self.market.prints(con_id, since, self.at)

    def has_tape(self, con_id: int) -> bool:
        return self.market.has_tape(con_id)


class PriceLine:
    """A market data line, and the last price that it has told: of trades, else of the quote."""

    def __init__(self, market: Market, con_id: int) -> None:
        self._market = market
        self._con_id = con_id
        self._since: datetime | None = None
        self.last: float | None = None

    def move(self, now: datetime) -> None:
        """Look at an instant."""
        quote = self._market.quote(self._con_id, now)
        if quote is not None:
            trades = shown_trades(_Trades(self._market, now), quote, self._since, self.last)
            if trades:
                self.last = trades[-1].price
            elif quote.last is not None:
                self.last = quote.last
        self._since = now


def told(quote: Quote, now: datetime) -> Quote:
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
