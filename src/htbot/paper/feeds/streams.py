"""Subscriptions of a client by kind and request id, and the limits that all clients share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from htbot.paper.errors import DUPLICATE_TICKER, RequestError
from htbot.paper.feeds.entitlement import Subscriptions
from htbot.paper.prices import Prices
from htbot.paper.session import Session

_LINES_PER_STEP = 100
_DEPTHS_PER_STEP = 3


class Kind(StrEnum):
    """Kinds of subscriptions besides market data lines."""

    CHART = "chart"
    BARS = "real-time bars"
    TICKS = "tick-by-tick"
    DEPTH = "depth"
    SCANNER = "scanner"


class Stream(Protocol):
    """A subscription that looks at the market at each instant."""

    def publish(self, session: Session, prices: Prices) -> None:
        """Queue what is new."""
        ...


@dataclass(frozen=True, slots=True)
class DataRules:
    """Limits of the login: subscriptions, market data lines for all clients together, policing of history requests.

    `pacing`: on = bars of 30 seconds and less, which IB polices hardest; strict = all that IB's page names.
    """

    subscriptions: Subscriptions = Subscriptions.REALTIME
    lines: int = 100
    pacing: Literal["on", "strict", "off"] = "off"

    @property
    def deep_streams(self) -> int:
        """Depth and tick-by-tick subscriptions that are allowed at once: three for each hundred lines."""
        return max(1, self.lines // _LINES_PER_STEP) * _DEPTHS_PER_STEP


def open_stream(session: Session, kind: Kind, req_id: int, stream: Stream) -> None:
    """Keep a subscription."""
    session.streams[kind, req_id] = stream


def check_free(session: Session, kind: Kind, req_id: int) -> None:
    """Refuse (322) an id that has a subscription of this kind, or one that is being made."""
    if (kind, req_id) in session.streams or (kind, req_id) in session.loading:
        raise duplicate(req_id)


def duplicate(req_id: int) -> RequestError:
    """Error 322 for an id that is in use."""
    cause = f"Duplicate ticker id {req_id}"
    return RequestError(DUPLICATE_TICKER, f"Error processing request.-'bY' : cause - {cause}")


def close_stream(session: Session, kind: Kind, req_id: int) -> Stream | None:
    """End a subscription, also one whose first answer is being made; None when there is none."""
    stream: Stream | None = session.loading.pop((kind, req_id), None) or session.streams.pop((kind, req_id), None)
    return stream


def of_kind(sessions: Iterable[Session], kind: Kind) -> Iterator[Stream]:
    """All subscriptions of a kind."""
    for session in sessions:
        yield from (stream for (found, _), stream in session.streams.items() if found == kind)
