"""Sizes of bars, durations and kinds of historical data as requests write them (TWS_PROTOCOL sections 3 and 8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from htbot.domain.instruments import SecType
from htbot.domain.sessions import NEW_YORK, SessionTable
from htbot.market.ports import Show
from htbot.paper.errors import RequestError, invalid, no_history

_DURATION = re.compile(r"(\d{1,6}) ?([SDWMY])", re.IGNORECASE)
DAY_S = 86_400
_HOUR_S = 3600
_HALF_HOUR_S = 1800
_SIZES: dict[str, int] = {
    "1 secs": 1, "5 secs": 5, "10 secs": 10, "15 secs": 15, "30 secs": 30, "1 min": 60, "2 mins": 120, "3 mins": 180,
    "5 mins": 300, "10 mins": 600, "15 mins": 900, "20 mins": 1200, "30 mins": 1800, "1 hour": _HOUR_S,
    "2 hours": 2 * _HOUR_S, "3 hours": 3 * _HOUR_S, "4 hours": 4 * _HOUR_S, "8 hours": 8 * _HOUR_S,
}  # fmt: skip
_OTHER_SPELLINGS = {"1 sec": "1 secs", "1 mins": "1 min", "1 hours": "1 hour", "1d": "1 day", "1w": "1 week",
                    "1m": "1 month"}  # fmt: skip
_PERIODS = {"1 day": "day", "1 week": "week", "1 month": "month"}
_LONGEST = {"S": (86_400, "86400 seconds must be made in days"), "D": (365, "365 days must be made in years"),
            "W": (52, "52 weeks must be made in years"), "M": (12, "12 months must be made in years"),
            "Y": (100, "100 years are not possible")}  # fmt: skip
_UNIT = {"S": timedelta(seconds=1), "D": timedelta(days=1), "W": timedelta(weeks=1), "M": timedelta(days=31),
         "Y": timedelta(days=366)}  # fmt: skip
_SMALL = {1: timedelta(seconds=2000)}
_SMALL_LONGEST = timedelta(weeks=1)
_MINUTES_S = 300
_MINUTES_LONGEST = timedelta(days=31)
SMALL_S = 30


@dataclass(frozen=True, slots=True)
class BarSize:
    """Length of a bar: seconds inside a session, or a calendar period made of sessions.

    Bars of an hour and more begin on New York's full hours, as at IB: a stock's first one has half an hour.
    """

    seconds: int
    period: str = ""

    @staticmethod
    def parse(text: str) -> BarSize:
        """Read IB's `5 mins`, `1 hour`, `1 day`.

        Raises:
            RequestError: 321 for no bar size of IB.
        """
        size = text.strip().lower()
        size = _OTHER_SPELLINGS.get(size, size)
        if size in _SIZES:
            return BarSize(_SIZES[size])
        if size in _PERIODS:
            return BarSize(DAY_S, _PERIODS[size])
        legal = ", ".join([*_SIZES, *_PERIODS])
        raise invalid(f"Historical data bar size setting is invalid: '{text[:30]}'. Legal ones are: {legal}")

    @property
    def pieces_s(self) -> int:
        """Length of the bars of which this one is made."""
        return _HALF_HOUR_S if not self.period and self.seconds >= _HOUR_S else self.seconds

    @property
    def is_whole(self) -> bool:
        """True when the world's own bars are the answer."""
        return self.pieces_s == self.seconds and self.period in {"", "day"}

    def start_of(self, at: datetime) -> datetime:
        """The instant from which a bar that holds `at` may have pieces."""
        local = at.astimezone(NEW_YORK)
        if not self.period and self.seconds >= _HOUR_S:
            hours = self.seconds // _HOUR_S
            return local.replace(hour=local.hour // hours * hours, minute=0, second=0, microsecond=0)
        if not self.period:
            return at
        day = local.date()
        if self.period == "week":
            day -= timedelta(days=day.weekday())
        elif self.period == "month":
            day = day.replace(day=1)
        return datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)


@dataclass(frozen=True, slots=True)
class Duration:
    """How far back a request goes: `n` seconds, sessions, weeks, months or years."""

    count: int
    unit: str

    @staticmethod
    def parse(text: str) -> Duration:
        """Read `3600 S`, `2 D`, `1 W`, `6 M`, `1 Y`.

        Raises:
            RequestError: 321 for text that is no duration, or one that must be said in larger units.
        """
        match = _DURATION.fullmatch(text.strip())
        if match is None or int(match[1]) == 0:
            raise invalid(f"Historical data request duration is invalid: '{text[:30]}': use 'n S', D, W, M or Y")
        count, unit = int(match[1]), match[2].upper()
        longest, reason = _LONGEST[unit]
        if count > longest:
            raise invalid(f"Historical data requests for durations longer than {reason}.")
        return Duration(count, unit)

    def check(self, size: BarSize) -> None:
        """Refuse (321) a span that is too long for small bars: 2,000 seconds of 1 second, a week below a minute.

        Below five minutes it is a month: more would be hundreds of thousands of bars in one message, while which
        every other client waits.
        """
        if size.period or size.seconds >= _MINUTES_S:
            return
        longest = _SMALL.get(size.seconds, _SMALL_LONGEST) if size.seconds <= SMALL_S else _MINUTES_LONGEST
        if self.count * _UNIT[self.unit] > longest:
            raise invalid("Time length exceed max.")

    def before(self, end: datetime, sessions: SessionTable) -> datetime:
        """The instant at which a range that ends at `end` begins.

        `n D` are n sessions; weeks, months and years begin on the day after the same day back, so that a week is five.
        """
        if self.unit == "S":
            return end - timedelta(seconds=self.count)
        if self.unit == "D":
            begun = [session for session in sessions.all() if session.opens < end]
            return begun[-self.count :][0].opens if begun else end
        local = end.astimezone(NEW_YORK)
        months = self.count * (12 if self.unit == "Y" else 1)
        first = local.date() - timedelta(weeks=self.count) if self.unit == "W" else _earlier(local.date(), months)
        following = first + timedelta(days=1)
        return datetime(following.year, following.month, following.day, tzinfo=NEW_YORK).astimezone(end.tzinfo)


def _earlier(day: date, months: int) -> date:
    index = max(12, day.year * 12 + day.month - 1 - months)
    first = date(index // 12, index % 12 + 1, 1)
    following = date((index + 1) // 12, (index + 1) % 12 + 1, 1)
    last_day = (following - first).days
    return first.replace(day=min(day.day, last_day))


@dataclass(frozen=True, slots=True)
class ShowRule:
    """One `whatToShow`: the world's series behind it, the types that have it, whether it has volume and can go on."""

    series: tuple[Show, ...]
    kinds: frozenset[SecType] = frozenset()
    traded: bool = False
    live: bool = True


_STOCK = frozenset({SecType.STOCK})
_UNDERLYINGS = frozenset({SecType.STOCK, SecType.INDEX})
_CRYPTO = frozenset({SecType.CRYPTO})
_TRADED = frozenset(
    {SecType.STOCK, SecType.INDEX, SecType.OPTION, SecType.FUTURE, SecType.CONTINUOUS_FUTURE, SecType.CRYPTO}
)
_QUOTED = frozenset(set(SecType) - {SecType.INDEX, SecType.BAG})
_AGGREGATED, SCHEDULE, ADJUSTED = "AGGTRADES", "SCHEDULE", "ADJUSTED_LAST"
SHOWS: dict[str, ShowRule] = {
    "TRADES": ShowRule((Show.TRADES,), _TRADED, traded=True),
    "MIDPOINT": ShowRule((Show.MIDPOINT,), _QUOTED),
    "BID": ShowRule((Show.BID,), _QUOTED),
    "ASK": ShowRule((Show.ASK,), _QUOTED),
    "BID_ASK": ShowRule((Show.BID, Show.ASK), _QUOTED, live=False),
    ADJUSTED: ShowRule((Show.TRADES,), _STOCK, traded=True, live=False),
    "HISTORICAL_VOLATILITY": ShowRule((Show.HISTORICAL_VOLATILITY,), _UNDERLYINGS, live=False),
    "OPTION_IMPLIED_VOLATILITY": ShowRule((Show.OPTION_IMPLIED_VOLATILITY,), _UNDERLYINGS, live=False),
    _AGGREGATED: ShowRule((Show.TRADES,), _CRYPTO, traded=True),
    SCHEDULE: ShowRule((), frozenset(SecType), live=False),
    **dict.fromkeys(("FEE_RATE", "YIELD_BID", "YIELD_ASK", "YIELD_BID_ASK", "YIELD_LAST"), ShowRule((), live=False)),
}
_WRONG_SHOW_FOR_CRYPTO = 10299


def show_of(text: str) -> str:
    """The `whatToShow` of a request in capitals.

    Raises:
        RequestError: 321 for a word that IB does not know.
    """
    show = text.strip().upper()
    if show not in SHOWS:
        raise invalid(f"Historical data query whatToShow is invalid: '{text[:30]}'. Legal ones are: {', '.join(SHOWS)}")
    return show


def check_kind(show: str, kind: SecType, name: str) -> None:
    """Refuse a series that a type of contract does not have: 162, for trades of crypto 10299."""
    if show == "TRADES" and kind is SecType.CRYPTO:
        text = "Expected what to show is AGGTRADES, please use that instead of TRADES."
        raise RequestError(_WRONG_SHOW_FOR_CRYPTO, text)
    if kind not in SHOWS[show].kinds:
        raise no_history(f"No historical market data for {name} {show}")
