"""Modelled option quotes: Black-76 on the smile of RULINGS 24, a two-sided market around it, greeks.

Time to expiry is trading time: seconds of regular sessions left / (252 x 23,400). A volatility from session closes
spread over calendar time would give the hours of a 0DTE option a fifth of their variance. The forward is the spot
carried at `RATE` over the calendar days to expiry, so an option of the day has no carry. At expiry: intrinsic value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from math import exp

from htbot.domain.quotes import Greeks, Quote
from htbot.domain.recorded import OptionSeries
from htbot.domain.sessions import NEW_YORK
from htbot.paper.market.con_ids import CLASS
from htbot.paper.market.contracts import option_rule
from htbot.paper.market.tape import Prices
from htbot.paper.market.timeline import SESSION_S, YEAR_S, instant
from htbot.pricing.black import sensitivities
from htbot.pricing.realised import SESSIONS_PER_YEAR, modelled_level
from htbot.pricing.smile import SmileSlice
from htbot.pricing.ticks import nearest_tick, tick_at

RATE = 0.04
_VOLATILITY_SESSIONS = 20
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


def two_sided(trading_class: str, value: float, years: float) -> tuple[float | None, float]:
    """Bid and ask on the tick grid around a model value, no bid below half a tick; neither falls as the value rises."""
    rule = option_rule(trading_class)
    half = 0.5 * width_rule(trading_class).width(value, years)
    rounded = nearest_tick(rule)
    bid = rounded(max(value - half, 0.0))
    ask = max(rounded(value + half), rounded(bid + tick_at(rule, bid)))
    return (bid if bid > 0.0 else None), ask


def size_of(con_id: int, at_s: int, top: int) -> float:
    """A size of 1 to `top`, the same for the same contract and minute."""
    return float(1 + (con_id * 2_654_435_761 + (at_s // 60) * 40_503 >> 9) % top)


class OptionModel:
    """Slices of the smile at any instant, cached for the last one asked for.

    Args:
        prices: spots and closes of the underlyings.
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._timeline = prices.timeline
        self._levels: dict[tuple[str, int], float] = {}
        self._expires: dict[tuple[str, date], int] = {}
        self._at_s = -1
        self._slices: dict[tuple[str, date], SmileSlice | None] = {}

    def expires_s(self, series: OptionSeries) -> int:
        """The instant from which an option is its settlement value."""
        key = (series.trading_class, series.expiry)
        if key not in self._expires:
            at_open = series.trading_class == "SPX"
            self._expires[key] = self._timeline.expires_s(series.expiry, at_open=at_open)
        return self._expires[key]

    def slice(self, series: OptionSeries, at_s: int) -> SmileSlice | None:
        """The smile of the option's expiry; None without a spot."""
        if at_s != self._at_s:
            self._at_s = at_s
            self._slices = {}
        key = (series.trading_class, series.expiry)
        if key not in self._slices:
            self._slices[key] = self._make(series, at_s)
        return self._slices[key]

    def level(self, symbol: str, at_s: int) -> float:
        """Volatility of the session that runs at an instant, from the closes before it."""
        position = self._timeline.running(at_s)
        if (symbol, position) not in self._levels:
            closes = self._prices.closes(symbol, position, _VOLATILITY_SESSIONS + 1)
            self._levels[symbol, position] = modelled_level(closes, sessions=_VOLATILITY_SESSIONS)
        return self._levels[symbol, position]

    def _make(self, series: OptionSeries, at_s: int) -> SmileSlice | None:
        symbol = CLASS[series.trading_class].underlying
        expires_s = self.expires_s(series)
        found = self._prices.spot(symbol, min(at_s, expires_s))
        if found is None:
            return None
        nights = max((series.expiry - instant(at_s).astimezone(NEW_YORK).date()).days, 0)
        growth = exp(RATE * nights / 365)
        years = self._timeline.trading_years(at_s, expires_s)
        return SmileSlice(found[0] * growth, 1.0 / growth, years, self.level(symbol, at_s))


def modelled_quote(con_id: int, series: OptionSeries, smile: SmileSlice, as_of: datetime) -> Quote:
    """The model's two-sided market of an option; at expiry both sides are the intrinsic value, without size."""
    value = smile.price(series.right, float(series.strike))
    if smile.years <= 0.0:
        return Quote(con_id, as_of, bid=value, ask=value, modelled=True)
    bid, ask = two_sided(series.trading_class, value, smile.years)
    at_s = int(as_of.timestamp())
    bid_size = 0.0 if bid is None else size_of(con_id, at_s, 90)
    return Quote(con_id, as_of, bid, ask, bid_size, size_of(con_id + 1, at_s, 90), modelled=True)


def model_greeks(series: OptionSeries, smile: SmileSlice, spot: float, volatility: float | None = None) -> Greeks:
    """Greeks as IB shows them: delta and gamma in spot, vega per unit of volatility, theta per session."""
    strike = float(series.strike)
    shown = smile.volatility(strike) if volatility is None else volatility
    raw = sensitivities(series.right, smile.forward, strike, shown, smile.years, smile.discount)
    carry = smile.forward / spot
    return Greeks(
        implied_volatility=shown,
        delta=raw.delta * carry,
        gamma=raw.gamma * carry * carry,
        vega=raw.vega,
        theta=raw.theta / SESSIONS_PER_YEAR,
        price=smile.price(series.right, strike),
        underlying_price=spot,
    )
