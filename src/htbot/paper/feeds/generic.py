"""Generic ticks: what a line shows on top of quotes when reqMktData names a number (TWS_PROTOCOL section 4).

Numbers and tick types are those of IB's public list of tick types. What this world does not have (news, fundamental
ratios, initial offerings, bond factors) is a legal wish that shows nothing. Option volumes and open interest of an
underlying, lendable shares and the trade rate are modelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from htbot.domain.instruments import Right, SecType
from htbot.market.borrowing import modelled, shares_to_borrow
from htbot.market.ports import Candle, ContractDetails, Print, Show
from htbot.paper.contracts import Tradable
from htbot.paper.errors import RequestError
from htbot.paper.prices import Prices
from htbot.paper.wire import messages
from htbot.paper.wire.tables import Table

RT_VOLUME, RT_TRADE_VOLUME = 233, 375
_RT_VOLUME_TICK, _RT_TRADE_VOLUME_TICK = 48, 77
_INVALID = 321
_ETF = "ETF"
_DAY_S = 86_400

Tick = tuple[Table, int, object]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a generic tick may look at."""

    prices: Prices
    details: ContractDetails

    @property
    def con_id(self) -> int:
        """The contract's id."""
        return self.details.contract.con_id

    @property
    def kind(self) -> SecType:
        """The contract's type."""
        return self.details.contract.sec_type

    @property
    def at(self) -> datetime:
        """The instant."""
        return self.prices.at

    def candles(self, seconds: int, span: timedelta, show: Show = Show.TRADES) -> list[Candle]:
        """Bars of the time before now."""
        return self.prices.market.candles(self.con_id, seconds, self.at - span, self.at, show)

    def modelled(self, what: str, low: int, high: int) -> int:
        """A number between two bounds that stays the same for a New York date."""
        return modelled(what, self.con_id, self.at, (low, high))

    def passed(self) -> float:
        """The part of the regular session that is over, 0 to 1."""
        session = self.prices.market.sessions.at(self.at)
        if session is None or self.at <= session.opens:
            return 0.0
        return min(1.0, (self.at - session.opens) / (session.closes - session.opens))


def _has_options(facts: Facts) -> bool:
    return facts.kind in {SecType.STOCK, SecType.INDEX}


def _option_volume(facts: Facts) -> Iterator[Tick]:
    if _has_options(facts):
        for tick_type, side in ((29, "calls"), (30, "puts")):
            yield messages.TICK_SIZE, tick_type, int(facts.modelled(side, 20_000, 90_000) * facts.passed())


def _open_interest(facts: Facts) -> Iterator[Tick]:
    if _has_options(facts):
        for tick_type, side in ((27, "open calls"), (28, "open puts")):
            yield messages.TICK_SIZE, tick_type, facts.modelled(side, 200_000, 900_000)
    elif facts.kind is SecType.OPTION:
        interest = facts.prices.statistics(facts.con_id).open_interest
        if interest is not None:
            yield messages.TICK_SIZE, 27 if facts.details.contract.right is Right.CALL else 28, interest


def _volatility(tick_type: int, show: Show) -> Callable[[Facts], Iterator[Tick]]:
    def values(facts: Facts) -> Iterator[Tick]:
        if _has_options(facts):
            for day in facts.candles(_DAY_S, timedelta(days=10), show)[-1:]:
                yield messages.TICK_GENERIC, tick_type, day.close

    return values


def _average_option_volume(facts: Facts) -> Iterator[Tick]:
    if _has_options(facts):
        yield messages.TICK_SIZE, 87, facts.modelled("average", 80_000, 120_000)


def _statistics(facts: Facts) -> Iterator[Tick]:
    """Low and high of 13, 26 and 52 weeks and the average volume of 90 days, as far back as the world goes."""
    days = facts.candles(_DAY_S, timedelta(weeks=52))
    for low_type, high_type, weeks in ((15, 16, 13), (17, 18, 26), (19, 20, 52)):
        span = [day for day in days if day.start > facts.at - timedelta(weeks=weeks)]
        if span:
            yield messages.TICK_PRICE, low_type, min(day.low for day in span)
            yield messages.TICK_PRICE, high_type, max(day.high for day in span)
    volumes = [day.volume for day in days if day.start > facts.at - timedelta(days=90)]
    if volumes and facts.kind is SecType.STOCK:
        yield messages.TICK_SIZE, 21, round(sum(volumes) / len(volumes))


def _mark(tick_type: int) -> Callable[[Facts], Iterator[Tick]]:
    def values(facts: Facts) -> Iterator[Tick]:
        mark = facts.prices.mark(facts.con_id)
        if mark is not None:
            yield messages.TICK_PRICE, tick_type, float(mark)

    return values


def _auction(facts: Facts) -> Iterator[Tick]:
    """No auction is simulated: nothing is paired, nothing out of balance, the price is the mark."""
    if facts.kind is SecType.STOCK:
        yield messages.TICK_SIZE, 34, 0
        mark = facts.prices.mark(facts.con_id)
        if mark is not None:
            yield messages.TICK_PRICE, 35, float(mark)
        yield messages.TICK_SIZE, 36, 0
        yield messages.TICK_SIZE, 61, 0


def _shortable(facts: Facts) -> Iterator[Tick]:
    """Above 2.5 = at least 1,000 shares can be borrowed."""
    if facts.kind is SecType.STOCK:
        yield messages.TICK_GENERIC, 46, 3.0
        yield messages.TICK_SIZE, 89, shares_to_borrow(facts.con_id, facts.at)


def _last_minute(facts: Facts) -> Candle | None:
    candles = facts.candles(60, timedelta(minutes=2))
    whole = [bar for bar in candles if bar.start + timedelta(minutes=1) <= facts.at]
    return whole[-1] if whole else None


def _trade_count(facts: Facts) -> Iterator[Tick]:
    candles = facts.candles(_DAY_S, timedelta(hours=16))
    if candles and facts.kind is not SecType.INDEX:
        yield messages.TICK_GENERIC, 54, candles[-1].count


def _rate(tick_type: int, of: Callable[[Candle], float]) -> Callable[[Facts], Iterator[Tick]]:
    def values(facts: Facts) -> Iterator[Tick]:
        bar = _last_minute(facts)
        if bar is not None and facts.kind is not SecType.INDEX:
            yield messages.TICK_GENERIC, tick_type, of(bar)

    return values


def _last_regular_trade(facts: Facts) -> Iterator[Tick]:
    quote = facts.prices.quote(facts.con_id)
    if quote is not None and quote.last is not None:
        yield messages.TICK_PRICE, 57, quote.last


def _dividends(facts: Facts) -> Iterator[Tick]:
    """Past twelve months, next twelve months, next date, next amount: nobody pays any here."""
    if facts.kind is SecType.STOCK:
        yield messages.TICK_STRING, 59, ",,,"


def _asset_value(
    types: Mapping[int, Callable[[Facts], float | None]],
) -> Callable[[Facts], Iterator[Tick]]:
    """Net asset values of a fund stand at its own prices."""

    def values(facts: Facts) -> Iterator[Tick]:
        if facts.details.stock_type == _ETF:
            for tick_type, of in types.items():
                value = of(facts)
                if value is not None:
                    yield messages.TICK_PRICE, tick_type, value

    return values


def _side(name: str) -> Callable[[Facts], float | None]:
    def value(facts: Facts) -> float | None:
        quote = facts.prices.quote(facts.con_id)
        found: float | None = getattr(quote, name, None)
        return found

    return value


def _day(name: str) -> Callable[[Facts], float | None]:
    def value(facts: Facts) -> float | None:
        found: float | None = getattr(facts.prices.statistics(facts.con_id), name)
        return found

    return value


def _future_interest(facts: Facts) -> Iterator[Tick]:
    if facts.kind is SecType.FUTURE:
        stated = facts.prices.statistics(facts.con_id).open_interest
        yield messages.TICK_SIZE, 86, facts.modelled("open", 100_000, 2_000_000) if stated is None else stated


def _short_volumes(facts: Facts) -> Iterator[Tick]:
    if facts.kind is not SecType.INDEX:
        for tick_type, minutes in ((63, 3), (64, 5), (65, 10)):
            bars = facts.candles(60, timedelta(minutes=minutes))
            yield messages.TICK_SIZE, tick_type, round(sum(bar.volume for bar in bars))


def _nothing(_facts: Facts) -> Iterator[Tick]:
    yield from ()


@dataclass(frozen=True, slots=True)
class Generic:
    """One number: its name in IB's list, its ticks, and how often they are looked at (0 = at every instant)."""

    name: str
    ticks: Callable[[Facts], Iterable[Tick]] = _nothing
    period_s: int = 60
    independent: bool = False


GENERIC: dict[int, Generic] = {
    100: Generic("Option Volume", _option_volume),
    101: Generic("Option Open Interest", _open_interest),
    104: Generic("Historical Volatility", _volatility(23, Show.HISTORICAL_VOLATILITY), independent=True),
    105: Generic("Average Opt Volume", _average_option_volume),
    106: Generic("impvolat", _volatility(24, Show.OPTION_IMPLIED_VOLATILITY), independent=True),
    162: Generic("Index Future Premium"),
    165: Generic("Misc. Stats", _statistics, independent=True),
    220: Generic("Creditman Mark Price", _mark(78), period_s=0),
    221: Generic("Mark Price", _mark(37), period_s=0),
    225: Generic("Auction", _auction),
    232: Generic("Pl Price", _mark(37), period_s=0),
    RT_VOLUME: Generic("RTVolume"),
    236: Generic("Shortable", _shortable, independent=True),
    258: Generic("Fundamentals", independent=True),
    292: Generic("Wide_news"),
    293: Generic("TradeCount", _trade_count, period_s=5),
    294: Generic("TradeRate", _rate(55, lambda bar: bar.count), period_s=5),
    295: Generic("VolumeRate", _rate(56, lambda bar: round(bar.volume)), period_s=5),
    318: Generic("LastRTHTrade", _last_regular_trade, period_s=0),
    370: Generic("ParticipationMonitor"),
    RT_TRADE_VOLUME: Generic("RTTrdVolume"),
    388: Generic("Rates"),
    411: Generic("rthistvol", _volatility(58, Show.HISTORICAL_VOLATILITY)),
    456: Generic("IBDividends", _dividends, independent=True),
    460: Generic("Bond Factor Multiplier"),
    499: Generic("Fee and Rebate Rate"),
    506: Generic("midpoint"),
    576: Generic("ETF Nav Bid and Ask", _asset_value({94: _side("bid"), 95: _side("ask")}), period_s=5),
    577: Generic("ETF Nav Last", _asset_value({96: _side("last")}), period_s=5),
    578: Generic("ETF Nav Close", _asset_value({92: _day("previous_close"), 93: _day("previous_close")})),
    586: Generic("IPO Prices"),
    587: Generic("Pre-open Prices"),
    588: Generic("Futures Open Interest", _future_interest),
    595: Generic("Short-Term Volume", _short_volumes, period_s=5),
    614: Generic("ETF Nav High and Low", _asset_value({98: _day("high"), 99: _day("low")}), period_s=5),
    619: Generic("Slow Mark Price", _mark(79), period_s=5),
    623: Generic("ETF Nav Frozen Last", _asset_value({97: _side("last")}), period_s=5),
}
_NEWS_OFF = "mdoff"


@dataclass(slots=True)
class GenericTicks:
    """The generic ticks of one line."""

    numbers: tuple[int, ...] = ()
    periods: dict[int, int] = field(default_factory=dict)

    @staticmethod
    def parse(text: str, sec_type: str) -> GenericTicks:
        """The numbers in a request, `100,101,292:BRFG`.

        Raises:
            RequestError: 321 for a number that is none of IB's.
        """
        numbers = []
        for part in (word.strip() for word in text.split(",")):
            head = part.split(":")[0]
            if part in {"", _NEWS_OFF}:
                continue
            if not head.isascii() or not head.isdigit() or int(head[:6]) not in GENERIC:
                legal = ",".join(f"{number}({generic.name})" for number, generic in GENERIC.items())
                cause = f"Incorrect generic tick list of {text[:80]}.  Legal ones for ({sec_type}) are: {legal}"
                raise RequestError(_INVALID, f"Error validating request.-'bN' : cause - {cause}")
            numbers.append(int(head))
        return GenericTicks(tuple(dict.fromkeys(numbers)))

    def __bool__(self) -> bool:
        return bool(self.numbers)

    @property
    def independent(self) -> GenericTicks:
        """Those that need no market data subscription."""
        return GenericTicks(tuple(number for number in self.numbers if GENERIC[number].independent))

    def values(self, prices: Prices, tradable: Tradable) -> Iterator[Tick]:
        """What is due to be looked at; a combination has no generic ticks."""
        if tradable.is_combination:
            return
        facts = Facts(prices, tradable.details[0])
        at_s = int(prices.at.timestamp())
        for number in self.numbers:
            generic = GENERIC[number]
            if generic.period_s:
                period = at_s // generic.period_s
                if self.periods.get(number) == period:
                    continue
                self.periods[number] = period
            yield from generic.ticks(facts)

    def trade(self, prices: Prices, con_id: int, trade: Print, volume: float) -> Iterator[tuple[int, str]]:
        """The texts that accompany a trade: price, size, milliseconds, volume of the day, average price, single."""
        wanted = {RT_VOLUME, RT_TRADE_VOLUME}.intersection(self.numbers)
        if not wanted:
            return
        average = prices.average_price(con_id)
        milliseconds = round(trade.at.timestamp() * 1000)
        size, total = f"{trade.size:g}", f"{volume:.10g}"
        text = f"{trade.price:.10g};{size};{milliseconds};{total};{average or trade.price:.8f};true"
        if RT_VOLUME in wanted:
            yield _RT_VOLUME_TICK, text
        if RT_TRADE_VOLUME in wanted and not trade.unreported:
            yield _RT_TRADE_VOLUME_TICK, text
