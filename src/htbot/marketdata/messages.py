"""What the broker's session tells about the market and about itself, in the order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from htbot.domain.bars import Bar


@dataclass(frozen=True, slots=True)
class TimeMessage:
    """currentTime: the broker's clock in whole seconds; in a stepped world the marker that closes one instant."""

    market_time: datetime


@dataclass(frozen=True, slots=True)
class BarMessage:
    """One update of a kept-up-to-date bar stream; a later start means that the bar before it is closed."""

    bar: Bar


@dataclass(frozen=True, slots=True)
class QuoteMessage:
    """These contracts have just ticked."""

    con_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class LineMessage:
    """The broker has nothing, or nothing more, for a streamed contract; `text` is its reason, code first."""

    con_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ConnectionMessage:
    """The session's socket is gone, or the broker told of its own connectivity (`code` 1100, 1101, 1102, 2110)."""

    connected: bool
    code: int | None = None
    text: str = ""
    data_lost: bool = False


MarketMessage = TimeMessage | BarMessage | QuoteMessage | LineMessage | ConnectionMessage
