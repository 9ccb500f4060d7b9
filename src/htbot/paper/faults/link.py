"""The link between the gateway and IB, and what a loss of it does (TWS_PROTOCOL section 7: 1100 to 1102, 2103 to 2110).

While it is down the books stand as the gateway last knew them; what it asks IB for waits. Afterwards the instants that
were missed are played one by one at the prices of their times: the exchange never noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from htbot.paper.errors import FARM_NOTES, RequestError
from htbot.paper.faults.kinds import Outage
from htbot.paper.faults.marks import Cut, Later, Marks

if TYPE_CHECKING:
    from htbot.paper.gateway import Gateway
    from htbot.paper.session import Session

LINK_LOST = (1100, "Connectivity between IB and Trader Workstation has been lost.")
_RESTORED = "Connectivity between IB and Trader Workstation has been restored - data"
_SERVER_AWAY = (
    2110,
    "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
)
_MOST_HELD = 1000
_BROKEN_CODES = {2104: 2103, 2106: 2105, 2158: 2157}
_BROKEN_NOTES = tuple((_BROKEN_CODES[code], text.replace(" is OK:", " is broken:")) for code, text in FARM_NOTES)
_DOWN_NOTES = (_SERVER_AWAY, *_BROKEN_NOTES)

_ORDER_REQUESTS = frozenset({"placeOrder", "cancelOrder", "reqGlobalCancel", "exerciseOptions"})
NEEDS_IB = _ORDER_REQUESTS | {
    "reqMktData",
    "reqContractDetails",
    "reqMktDepth",
    "reqHistoricalData",
    "reqScannerSubscription",
    "reqScannerParameters",
    "reqRealTimeBars",
    "reqFundamentalData",
    "reqCalcImpliedVolatility",
    "reqCalcOptionPrice",
    "reqSecDefOptParams",
    "reqMatchingSymbols",
    "reqMktDepthExchanges",
    "reqSmartComponents",
    "reqNewsArticle",
    "reqNewsProviders",
    "reqHistoricalNews",
    "reqHeadTimeStamp",
    "reqHistogramData",
    "reqMarketRule",
    "reqHistoricalTicks",
    "reqTickByTickData",
    "reqWshMetaData",
    "reqWshEventData",
}
"""Requests that wait for IB; all others the gateway answers from what it knows."""


class Link:
    """Whether the gateway has IB, and what waits for it."""

    def __init__(self, gateway: Gateway, marks: Marks) -> None:
        self._gateway = gateway
        self._marks = marks
        self._held: list[tuple[Session, list[str]]] = []

    @property
    def waiting(self) -> int:
        """Requests for data that wait."""
        return len(self._held)

    def notes(self) -> tuple[tuple[int, str], ...]:
        """What a client is told of the farms when it joins."""
        return FARM_NOTES if self._marks.outage is None else _DOWN_NOTES

    def lose(self, fault: Outage) -> None:
        """The link goes down, or stays down for longer."""
        now = self._gateway.now
        outage = self._marks.outage
        until = now + timedelta(seconds=fault.for_s)
        if outage is not None:
            outage.until = max(outage.until, until)
            return
        self._marks.outage = Cut(now, until, fault.data, fault.orders, fault.fills)
        self._tell((LINK_LOST, *_DOWN_NOTES))

    def hold(self, session: Session, name: str, values: Mapping[str, Any], texts: list[str]) -> bool:
        """Whether a request waits for the link. An order waits even if its client leaves.

        Raises:
            RequestError: 1100 where the outage refuses orders, or too much waits already.
        """
        outage = self._marks.outage
        if outage is None or name not in NEEDS_IB:
            return False
        if max(len(self._held), len(self._marks.later)) >= _MOST_HELD:
            raise RequestError(*LINK_LOST)
        if name not in _ORDER_REQUESTS or values.get("whatIf"):
            self._held.append((session, texts))
            return True
        if outage.orders == "refused":
            raise RequestError(*LINK_LOST)
        self._marks.later.append(deliver(outage.until, session, values, texts))
        return True

    def regain(self, catch_up: Callable[[datetime], None]) -> None:
        """The link is back: clients are told, then what happened at the exchange meanwhile becomes known."""
        outage = self._marks.outage
        if outage is None:
            return
        self._marks.outage = None
        lost = outage.data == "lost"
        self._tell(((1101, f"{_RESTORED} lost."),) if lost else ((1102, f"{_RESTORED} maintained."),))
        self._tell(FARM_NOTES)
        gateway, now = self._gateway, self._gateway.now
        if lost:
            for session in gateway.sessions.values():
                session.forget_data()
        gateway.reports.telling = outage.fills == "told"
        gateway.move_to(outage.since)
        catch_up(now)
        gateway.reports.telling = True

    def held(self) -> list[tuple[Session, list[str]]]:
        """The requests that waited, from clients that are still there; they wait no longer."""
        held, self._held = self._held, []
        return [row for row in held if self._gateway.sessions.get(row[0].client_id) is row[0]]

    def _tell(self, notes: tuple[tuple[int, str], ...]) -> None:
        for session in self._gateway.sessions.values():
            for code, text in notes:
                session.error(-1, code, text)


def deliver(at: datetime, session: Session, values: Mapping[str, Any], texts: list[str]) -> Later:
    """A request about an order that is handled later."""
    about = {
        "client_id": session.client_id,
        "version": session.version,
        "order_id": values.get("orderId"),
        "texts": texts,
    }
    return Later(at, "deliver", about)
