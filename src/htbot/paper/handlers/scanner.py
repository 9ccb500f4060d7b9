"""Market scanners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from htbot.paper.errors import HISTORICAL, RequestError, no_history
from htbot.paper.feeds.scanner import ScannerStream, ScanQuery, parameters_xml
from htbot.paper.feeds.streams import Kind, check_free, close_stream, of_kind, open_stream
from htbot.paper.handlers.ports import Context, Handler
from htbot.paper.prices import Prices
from htbot.paper.session import Session
from htbot.paper.wire import messages

_NO_SCANNER_ID = 365
_MAX_SCANNERS = 10


def parameters(context: Context, _values: dict[str, Any]) -> None:
    """The scanners there are, as XML."""
    context.session.send(messages.SCANNER_PARAMETERS, {"xml": parameters_xml()})


def subscribe(context: Context, values: dict[str, Any]) -> None:
    """Rank now and whenever the order changes."""
    gateway, session = context.gateway, context.session
    request_id = values["reqId"]
    check_free(session, Kind.SCANNER, request_id)
    query = ScanQuery.of(values)
    loading = sum(1 for kind, _ in session.loading if kind == Kind.SCANNER)
    if loading + sum(1 for _ in of_kind([session], Kind.SCANNER)) >= _MAX_SCANNERS:
        raise no_history(f"Only {_MAX_SCANNERS} simultaneous API scanner subscriptions are allowed")
    stream = ScannerStream(request_id, query)
    session.loading[Kind.SCANNER, request_id] = stream
    session.tell_in_parts(_told(session, gateway.prices, stream))


def _told(session: Session, prices: Prices, stream: ScannerStream) -> Iterator[None]:
    """Look at one instrument a step, so that its day is made, then rank them all."""
    key = (Kind.SCANNER, stream.req_id)
    for _ in stream.query.looks(prices):
        yield
        if session.loading.get(key) is not stream:
            return
    del session.loading[key]
    stream.publish(session, prices)
    open_stream(session, *key, stream)


def cancel(context: Context, values: dict[str, Any]) -> None:
    """End a scanner; IB confirms with error 162."""
    request_id = values["reqId"]
    if close_stream(context.session, Kind.SCANNER, request_id) is None:
        raise RequestError(_NO_SCANNER_ID, f"No scanner subscription found for ticker id:{request_id}")
    text = f"Historical Market Data Service error message:API scanner subscription cancelled: {request_id}"
    context.session.error(request_id, HISTORICAL, text)


HANDLERS: dict[str, Handler] = {
    "reqScannerParameters": parameters,
    "reqScannerSubscription": subscribe,
    "cancelScannerSubscription": cancel,
}
