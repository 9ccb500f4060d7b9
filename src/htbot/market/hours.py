"""When each kind of contract trades.

Stocks have the regular session and extended hours from 04:00 to 20:00 New York (four hours after an early close);
indices and options the regular session. Futures trade from 17:00 Chicago of the evening before until 16:00 (CME
Globex), regular from 08:30; forex from 17:15 New York of the evening before until 17:00; crypto at all hours. A world
plays the exchange's sessions only, so on a day without one futures and forex are closed too: modelled.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from htbot.domain.instruments import SecType
from htbot.domain.sessions import NEW_YORK, Session
from htbot.market.ports import TradingHours

EASTERN, CENTRAL = "US/Eastern", "US/Central"
_AFTER_HOURS = timedelta(hours=4)
ROUND_THE_CLOCK = frozenset({SecType.FUTURE, SecType.CONTINUOUS_FUTURE, SecType.FOREX, SecType.CRYPTO})


def zone_of(kind: SecType) -> str:
    """The time zone in which IB tells the hours of a kind."""
    return CENTRAL if kind in {SecType.FUTURE, SecType.CONTINUOUS_FUTURE} else EASTERN


def trading_hours(kind: SecType, day: date, session: Session | None) -> TradingHours:
    """Hours of a kind on a New York date whose regular session is `session`."""
    zone = zone_of(kind)
    if kind is SecType.CRYPTO:
        whole = ((_new_york(day, time()), _new_york(day + timedelta(days=1), time())),)
        return TradingHours(zone, whole, whole)
    if session is None:
        return TradingHours(zone)
    regular = ((session.opens, session.closes),)
    if kind is SecType.STOCK:
        return TradingHours(zone, ((session.at(4, 0), session.closes + _AFTER_HOURS),), regular)
    evening, end = day - timedelta(days=1), session.at(17, 0)
    if kind is SecType.FOREX:
        span = ((_new_york(evening, time(17, 15)), end),)
        return TradingHours(zone, span, span)
    if kind in ROUND_THE_CLOCK:
        return TradingHours(zone, ((_new_york(evening, time(18)), end),), ((session.opens, end),))
    return TradingHours(zone, regular, regular)


def inside(spans: tuple[tuple[datetime, datetime], ...], at: datetime) -> bool:
    """True from the beginning of a span up to, not including, its end."""
    return any(begins <= at < ends for begins, ends in spans)


def _new_york(day: date, at: time) -> datetime:
    return datetime.combine(day, at, tzinfo=NEW_YORK).astimezone(UTC)
