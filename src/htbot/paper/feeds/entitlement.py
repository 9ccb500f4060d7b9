"""What market data the login is entitled to, and how a line is served (TWS_PROTOCOL section 7).

Types of market data as reqMarketDataType numbers them: 1 real time, 2 frozen (the last values after the close),
3 delayed, 4 delayed and frozen. Unlike IB, this gateway delays on request also where real-time data are subscribed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from htbot.paper.errors import RequestError, no_history

REAL_TIME, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4
DELAY = timedelta(minutes=15)
_NOT_SUBSCRIBED, _DELAYED_AVAILABLE, _PART_MISSING, _DELAYED_SHOWN, _NOT_ENABLED = 354, 10089, 10090, 10167, 10168
_NO_TICK_BY_TICK = 10189


class Subscriptions(StrEnum):
    """What the login has subscribed to."""

    REALTIME = "realtime"
    DELAYED = "delayed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Serving:
    """How one line is served; `note` is told to the client first, `prices` False leaves out what needs a subscription.

    `frozen` = the client asked for the last values after the close.
    """

    delayed: bool = False
    frozen: bool = False
    prices: bool = True
    note: tuple[int, str] | None = None

    def kind(self, *, trading: bool) -> int:
        """The type of market data to tell the client."""
        if self.frozen and not trading:
            return DELAYED_FROZEN if self.delayed else FROZEN
        return DELAYED if self.delayed else REAL_TIME


def serving(subscriptions: Subscriptions, wanted: int, *, independent: bool) -> Serving:
    """How a line is served to a client that asked for market data type `wanted`.

    Args:
        subscriptions: what the login has.
        wanted: type of the last reqMarketDataType, 1 to 4.
        independent: the request has generic ticks that need no subscription.

    Raises:
        RequestError: 354, 10089 or 10168 when nothing can be shown.
    """
    late, frozen = wanted in {DELAYED, DELAYED_FROZEN}, wanted in {FROZEN, DELAYED_FROZEN}
    if subscriptions is Subscriptions.REALTIME:
        return Serving(late, frozen)
    missing = "Requested market data is not subscribed."
    if subscriptions is Subscriptions.NONE:
        if late:
            raise RequestError(_NOT_ENABLED, f"{missing} Delayed market data is not enabled.")
        raise RequestError(_NOT_SUBSCRIBED, f"{missing} Delayed market data is not available.")
    if late:
        return Serving(late, frozen, note=(_DELAYED_SHOWN, f"{missing} Displaying delayed market data."))
    if independent:
        text = "Part of requested market data is not subscribed. Subscription-independent ticks are still active."
        return Serving(prices=False, note=(_PART_MISSING, f"{text} Delayed market data is available."))
    text = "Requested market data requires additional subscription for API. Delayed market data is available."
    raise RequestError(_DELAYED_AVAILABLE, text)


def check_history(subscriptions: Subscriptions, name: str) -> None:
    """Refuse historical data (162) to a login without any market data."""
    if subscriptions is Subscriptions.NONE:
        raise no_history(f"No market data permissions for {name}")


def check_live(subscriptions: Subscriptions, code: int, text: str) -> None:
    """Refuse what exists in real time only: 5-second bars (420), depth (354), tick-by-tick (10189)."""
    if subscriptions is not Subscriptions.REALTIME:
        raise RequestError(code, text)


def check_tick_by_tick(subscriptions: Subscriptions, name: str) -> None:
    """Refuse tick-by-tick data (10189) to a login without real-time data."""
    check_live(subscriptions, _NO_TICK_BY_TICK, f"Failed to request tick-by-tick data: no permissions for {name}")
