"""Quotes and greeks of any contract of a world at any instant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import sqrt

from htbot.domain.instruments import Right, SecType
from htbot.domain.quotes import Greeks, Quote
from htbot.domain.recorded import RecordedData
from htbot.domain.sessions import Session
from htbot.market.con_ids import option_series
from htbot.market.contracts import ContractBook
from htbot.market.option_trades import Hours, OptionTrades, recorded_trades
from htbot.market.options import OptionModel, OptionTerms, model_greeks, modelled_quote, option_terms
from htbot.market.ports import Print
from htbot.market.recorded import RecordedChains, Sides, last_trade, sides_at
from htbot.market.tape import Prices
from htbot.market.timeline import epoch_s, instant
from htbot.market.touch import size_of, touch_of
from htbot.pricing.black import implied_deviation
from htbot.pricing.smile import SmileSlice

QUARTER = timedelta(milliseconds=250)
_LOTS = {SecType.FUTURE: 3.0, SecType.FOREX: 500_000.0, SecType.CRYPTO: 0.05}
"""Units of the sizes at the modelled touch; a stock's are in hundreds."""


def sides_of(quote: Quote) -> tuple[float | None, float | None, float, float]:
    """Both prices and both sizes."""
    return quote.bid, quote.ask, quote.bid_size, quote.ask_size


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant with the session that runs or ran last at it; `quarter` counts quarter seconds after `at_s`."""

    at: datetime
    at_s: int
    opens_s: int
    closes_s: int
    quarter: int = 0

    def beat(self, changed_s: int) -> int:
        """What names the moment of a size: the minute of the last change; between whole seconds the quarter second."""
        return self.at_s * 4 + self.quarter if self.quarter and self.at_s < self.closes_s else changed_s // 60

    def capped(self, limit_s: int) -> tuple[datetime, int]:
        """The instant, or the close of the session or another limit when that is earlier."""
        until_s = min(self.at_s, self.closes_s, limit_s)
        return (self.at, until_s) if until_s == self.at_s else (instant(until_s), until_s)


class Quoter:
    """Recorded quotes where there are any, else the model's."""

    def __init__(self, prices: Prices, contracts: ContractBook, data: RecordedData) -> None:
        self._prices = prices
        self._timeline = prices.timeline
        self._contracts = contracts
        self._data = data
        self.model = OptionModel(prices, RecordedChains(data) if data.option_quotes else None)
        self.trades = OptionTrades(self._modelled_at)
        self._terms: dict[int, OptionTerms | None] = {}
        self._moment: Moment | None = None

    def option(self, con_id: int) -> OptionTerms | None:
        """Terms of an option of this world; None for anything else."""
        if con_id not in self._terms:
            series = option_series(con_id) if self._contracts.contract(con_id) is not None else None
            self._terms[con_id] = option_terms(con_id, series) if series else None
        return self._terms[con_id]

    def quote(self, con_id: int, at: datetime) -> Quote | None:
        """The quote in force; None for an unknown contract or before its first price."""
        moment = self._moment_at(at)
        if moment is None:
            return None
        symbol = self._contracts.symbol(con_id)
        if symbol is not None:
            return self._underlying(con_id, symbol, moment)
        terms = self.option(con_id)
        return self._option(terms, moment) if terms is not None else None

    def option_prints(self, terms: OptionTerms, session: Session, until_s: int) -> list[Print]:
        """An option's trades of a session up to an instant; none are modelled where its quotes are recorded."""
        opens_s, closes_s = epoch_s(session.opens), min(epoch_s(session.closes), self.model.expires_s(terms))
        recorded = self._data.option_trades.get(terms.series)
        if recorded is not None:
            return recorded_trades(recorded, opens_s, min(until_s, closes_s))
        if terms.series in self._data.option_quotes:
            return []
        return self.trades.until(terms.con_id, until_s, Hours(opens_s, closes_s))

    def is_recorded(self, symbol: str) -> bool:
        """True when quotes of an underlying are recorded."""
        return symbol in self._data.quotes

    def greeks(self, con_id: int, at: datetime, price: float | None = None) -> Greeks | None:
        """Greeks of an option before its expiry, at the volatility of its recorded mid, of the smile or of a price."""
        moment, terms = self._moment_at(at), self.option(con_id)
        if moment is None or terms is None:
            return None
        spot = self._prices.spot(terms.underlying, moment.at_s)
        smile = self.model.slice(terms, moment.at_s)
        if spot is None or smile is None or smile.years <= 0.0:
            return None
        if price is not None:
            deviation = implied_deviation(terms.series.right, price, smile.forward, terms.strike, smile.discount)
            volatility = deviation / sqrt(smile.years) if deviation else None
            return replace(model_greeks(terms, smile, spot[0], volatility), price=price) if volatility else None
        quote = self._recorded_option(terms, moment)
        shown = None if quote is None else _implied(terms, smile, quote)
        return model_greeks(terms, smile, spot[0], shown)

    def settlement(self, con_id: int) -> Decimal | None:
        """What an option settles to."""
        terms = self.option(con_id)
        value = self.model.settlement(terms) if terms else None
        return None if value is None else money(value)

    def _moment_at(self, at: datetime) -> Moment | None:
        if self._moment is None or self._moment.at != at:
            at_s = epoch_s(at)
            position = self._timeline.running(at_s)
            if position < 0:
                return None
            hours = self._timeline.opens_s[position], self._timeline.closes_s[position]
            self._moment = Moment(at, at_s, *hours, at.microsecond // 250_000)
        return self._moment

    def _underlying(self, con_id: int, symbol: str, moment: Moment) -> Quote | None:
        """An index has a last price only, as at IB; a stock its recorded quote, else a cent or two around its price."""
        found = self._prices.spot(symbol, moment.at_s)
        if found is None:
            return None
        price, changed_s = found
        as_of = instant(changed_s)
        if (
            moment.quarter
            and moment.at_s + 1 < moment.closes_s
            and changed_s == moment.at_s
            and not self._prices.tape.has_ticks(symbol)
        ):
            price, as_of = self._between(symbol, price, moment), moment.at
        details = self._contracts.contract(con_id)
        if details is None or details.contract.sec_type is SecType.INDEX:
            return Quote(con_id, as_of, last=price)
        columns = self._data.quotes.get(symbol)
        sides = sides_at(columns, moment.at_s, moment.opens_s, moment.closes_s) if columns is not None else None
        if sides is not None:
            return _recorded(con_id, sides, max(changed_s, sides.since_s), price)
        kind = details.contract.sec_type
        touch, beat = touch_of(kind, details.min_tick), moment.beat(changed_s)
        lots = _LOTS.get(kind, 100.0)
        sizes = round(size_of(con_id, beat, 20) * lots, 8), round(size_of(con_id + 1, beat, 20) * lots, 8)
        last = None if kind is SecType.FOREX else price
        return Quote(con_id, as_of, touch.below(price), touch.above(price), *sizes, last, modelled=True)

    def _between(self, symbol: str, price: float, moment: Moment) -> float:
        """The price a quarter, half or three quarters of the way to that of the next second."""
        following = self._prices.spot(symbol, moment.at_s + 1)
        return price if following is None else round(price + (following[0] - price) * moment.quarter / 4, 6)

    def _option(self, terms: OptionTerms, moment: Moment) -> Quote | None:
        expires_s = self.model.expires_s(terms)
        quote = self._recorded_option(terms, moment)
        if quote is not None:
            return quote
        smile = self.model.slice(terms, moment.at_s)
        as_of, as_of_s = moment.capped(expires_s)
        beat = moment.beat(as_of_s) if as_of_s == moment.at_s else as_of_s // 60
        if smile is None:
            return None
        hours = Hours(moment.opens_s, min(moment.closes_s, expires_s))
        return modelled_quote(terms, smile, as_of, beat, self.trades.last(terms.con_id, moment.at_s, hours))

    def _modelled_at(self, con_id: int, at_s: int) -> Quote | None:
        terms = self.option(con_id)
        smile = self.model.slice(terms, at_s) if terms else None
        return modelled_quote(terms, smile, instant(at_s), 0) if terms and smile else None

    def _recorded_option(self, terms: OptionTerms, moment: Moment) -> Quote | None:
        columns = self._data.option_quotes.get(terms.series) if self._data.option_quotes else None
        if columns is None or moment.at_s >= self.model.expires_s(terms):
            return None
        sides = sides_at(columns, moment.at_s, moment.opens_s, moment.closes_s)
        if sides is None:
            return None
        trades = self._data.option_trades.get(terms.series)
        last = last_trade(trades, moment.at_s, moment.opens_s) if trades is not None else None
        return _recorded(terms.con_id, sides, sides.since_s, last)


def _recorded(con_id: int, sides: Sides, since_s: int, last: float | None) -> Quote:
    return Quote(con_id, instant(since_s), sides.bid, sides.ask, sides.bid_size, sides.ask_size, last=last)


def _implied(terms: OptionTerms, smile: SmileSlice, quote: Quote) -> float | None:
    """The volatility of an out-of-the-money mid; None where no volatility gives it.

    In the money the width of the market is larger than the time value: there the smile knows better.
    """
    out_of_the_money = (terms.series.right is Right.CALL) == (terms.strike >= smile.forward)
    if quote.mid is None or not out_of_the_money:
        return None
    deviation = implied_deviation(terms.series.right, quote.mid, smile.forward, terms.strike, smile.discount)
    return deviation / sqrt(smile.years) if deviation else None


def money(value: float) -> Decimal:
    """A price as exact decimal, to a hundredth of a cent."""
    return Decimal(str(round(value, 4)))
