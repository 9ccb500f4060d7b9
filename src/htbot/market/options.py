"""Modelled option quotes: Black-76 on the smile of RULINGS 24, a two-sided market around it, greeks.

Time to expiry is trading time: seconds of regular sessions left / (252 x 23,400). A volatility from session closes
spread over calendar time would give the hours of a 0DTE option a fifth of their variance. The forward is the spot
carried at `RATE` over the calendar days to expiry, so an option of the day has no carry. At expiry: intrinsic value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from math import exp, sqrt

from htbot.domain.quotes import Greeks, Quote
from htbot.domain.recorded import OptionSeries
from htbot.domain.sessions import NEW_YORK
from htbot.market.con_ids import UNDERLYING_OF
from htbot.market.details import option_rule
from htbot.market.listing import MONTHLY
from htbot.market.recorded import Carry, RecordedChains
from htbot.market.tape import Prices
from htbot.market.timeline import SESSION_S, YEAR_S, instant
from htbot.market.touch import size_of
from htbot.pricing.black import sensitivities
from htbot.pricing.realised import SESSIONS_PER_YEAR, modelled_level
from htbot.pricing.smile import SmileSlice, fit_smile
from htbot.pricing.ticks import TickGrid, tick_grid

RATE = 0.04
_VOLATILITY_SESSIONS = 20
_KEPT_FITS = 4096
_DAY_YEARS = SESSION_S / YEAR_S


@dataclass(frozen=True, slots=True)
class WidthRule:
    """Distance of bid and ask: `base` + `share` of the value, at most `cap`, wider with time to expiry."""

    base: float
    share: float
    cap: float

    def width(self, value: float, years: float) -> float:
        """Width around a value; it grows by at most a tenth of the value, so both sides keep the order of strikes."""
        return min(self.base + self.share * value, self.cap) * (1.0 + min(10.0 * max(years - _DAY_YEARS, 0.0), 1.0))


_INDEX_WIDTH = WidthRule(base=0.05, share=0.010, cap=0.60)
_ETF_WIDTH = WidthRule(base=0.01, share=0.005, cap=0.05)
_STOCK_WIDTH = WidthRule(base=0.03, share=0.020, cap=0.60)


def width_rule(trading_class: str) -> WidthRule:
    """Width rule of a class."""
    if trading_class in {"SPXW", "SPX"}:
        return _INDEX_WIDTH
    return _ETF_WIDTH if trading_class in {"SPY", "QQQ", "IWM"} else _STOCK_WIDTH


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """An option with everything that its price needs, looked up once."""

    con_id: int
    series: OptionSeries
    underlying: str
    expiry_key: tuple[str, date]
    strike: float
    grid: TickGrid
    widths: WidthRule

    @property
    def settles_at_open(self) -> bool:
        """True for the monthlies of indices: SPX and the like."""
        return self.series.trading_class in MONTHLY


def option_terms(con_id: int, series: OptionSeries) -> OptionTerms:
    """Terms of an option."""
    name = series.trading_class
    return OptionTerms(
        con_id=con_id,
        series=series,
        underlying=UNDERLYING_OF[name],
        expiry_key=(name, series.expiry),
        strike=float(series.strike),
        grid=tick_grid(option_rule(name)),
        widths=width_rule(name),
    )


def two_sided(terms: OptionTerms, value: float, years: float) -> tuple[float | None, float]:
    """Bid and ask on the tick grid around a model value, no bid below half a tick; neither falls as the value rises."""
    half = 0.5 * terms.widths.width(value, years)
    grid = terms.grid
    bid = grid.nearest(max(value - half, 0.0))
    ask = max(grid.nearest(value + half), grid.above(bid))
    return (bid if bid > 0.0 else None), ask


class OptionModel:
    """Slices of the smile at any instant, cached for the last one asked for.

    Where quotes of an expiry are recorded, forward, level and shape come from them, once a minute, and stand for that
    minute as the quotes do.

    Args:
        prices: spots and closes of the underlyings.
        chains: recorded quotes, None in a world without any.
    """

    def __init__(self, prices: Prices, chains: RecordedChains | None = None) -> None:
        self._prices = prices
        self._chains = chains
        self._fits: dict[tuple[tuple[str, date], int], SmileSlice | None] = {}
        self._timeline = prices.timeline
        self._levels: dict[tuple[str, int], float] = {}
        self._expires: dict[tuple[str, date], int] = {}
        self._at_s = -1
        self._slices: dict[tuple[str, date], SmileSlice | None] = {}

    def expires_s(self, terms: OptionTerms) -> int:
        """The instant from which an option is its settlement value."""
        key = terms.expiry_key
        if key not in self._expires:
            self._expires[key] = self._timeline.expires_s(key[1], at_open=terms.settles_at_open)
        return self._expires[key]

    def settlement(self, terms: OptionTerms) -> float | None:
        """The underlying's value that an option settles to; None where its last session has no prices."""
        day = self._timeline.last_on(terms.series.expiry)
        return self._prices.settlement(terms.underlying, day, at_open=terms.settles_at_open) if day else None

    def slice(self, terms: OptionTerms, at_s: int) -> SmileSlice | None:
        """The smile of the option's expiry; None without a spot."""
        if at_s != self._at_s:
            self._at_s = at_s
            self._slices = {}
        key = terms.expiry_key
        if key not in self._slices:
            self._slices[key] = self._make(terms, at_s)
        return self._slices[key]

    def level(self, symbol: str, at_s: int) -> float:
        """Volatility of the session that runs at an instant, from the closes before it."""
        position = self._timeline.running(at_s)
        if (symbol, position) not in self._levels:
            closes = self._prices.closes(symbol, position, _VOLATILITY_SESSIONS + 1)
            self._levels[symbol, position] = modelled_level(closes, sessions=_VOLATILITY_SESSIONS)
        return self._levels[symbol, position]

    def _make(self, terms: OptionTerms, at_s: int) -> SmileSlice | None:
        if at_s >= self.expires_s(terms):
            settled = self.settlement(terms)
            return None if settled is None else SmileSlice(settled, 1.0, 0.0, 0.0)
        if self._chains is None or not self._chains.has(terms.expiry_key):
            return self._stated(terms, at_s)
        closes_s = self._timeline.closes_s[self._timeline.running(at_s)]
        minute_s = min(at_s, closes_s) // 60 * 60
        key = (terms.expiry_key, minute_s)
        if key not in self._fits:
            if len(self._fits) > _KEPT_FITS:
                self._fits.clear()
            self._fits[key] = self._fitted(self._chains, terms, minute_s)
        return self._fits[key] or self._stated(terms, at_s)

    def _stated(self, terms: OptionTerms, at_s: int) -> SmileSlice | None:
        found = self._prices.spot(terms.underlying, at_s)
        if found is None:
            return None
        nights = max((terms.series.expiry - instant(at_s).astimezone(NEW_YORK).date()).days, 0)
        growth = exp(RATE * nights / 365)
        years = self._timeline.trading_years(at_s, self.expires_s(terms))
        return SmileSlice(found[0] * growth, 1.0 / growth, years, self.level(terms.underlying, at_s))

    def _fitted(self, chains: RecordedChains, terms: OptionTerms, at_s: int) -> SmileSlice | None:
        stated = self._stated(terms, at_s)
        if stated is None or stated.scale <= 0.0:
            return None
        position = self._timeline.running(at_s)
        hours = (self._timeline.opens_s[position], self._timeline.closes_s[position])
        seen = chains.observe(
            terms.expiry_key, at_s, hours, Carry(stated.forward, stated.discount, terms.grid.above(0.0))
        )
        if seen is None:
            return None
        deviation, shape = fit_smile(seen.points, stated.scale)
        return SmileSlice(seen.forward, stated.discount, stated.years, deviation / sqrt(stated.years), shape)


def modelled_quote(
    terms: OptionTerms, smile: SmileSlice, as_of: datetime, beat: int, last: float | None = None
) -> Quote:
    """The model's two-sided market of an option; at expiry both sides are the intrinsic value, without size.

    `beat` names the moment for the sizes, `last` is the price of the last trade.
    """
    value = smile.price(terms.series.right, terms.strike)
    con_id = terms.con_id
    if smile.years <= 0.0:
        return Quote(con_id, as_of, bid=value, ask=value, modelled=True)
    bid, ask = two_sided(terms, value, smile.years)
    bid_size = 0.0 if bid is None else size_of(con_id, beat, 90)
    return Quote(con_id, as_of, bid, ask, bid_size, size_of(con_id + 1, beat, 90), last, True)


def model_greeks(terms: OptionTerms, smile: SmileSlice, spot: float, volatility: float | None = None) -> Greeks:
    """Greeks as IB shows them: delta and gamma in spot, vega per unit of volatility, theta per session."""
    shown = smile.volatility(terms.strike) if volatility is None else volatility
    right = terms.series.right
    raw = sensitivities(right, smile.forward, terms.strike, shown, smile.years, smile.discount)
    carry = smile.forward / spot
    return Greeks(
        implied_volatility=shown,
        delta=raw.delta * carry,
        gamma=raw.gamma * carry * carry,
        vega=raw.vega,
        theta=raw.theta / SESSIONS_PER_YEAR,
        price=smile.price(right, terms.strike),
        underlying_price=spot,
    )
