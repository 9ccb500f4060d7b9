"""A long history is made in pieces; together they are what it is in one."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from htbot.domain.sessions import NEW_YORK, SessionTable
from htbot.market.synthetic import SyntheticMarket
from htbot.paper.contracts import ContractDesk, query_from
from htbot.paper.feeds.charts import Series, fetch, spans
from htbot.paper.feeds.durations import BarSize

NOW = datetime(2024, 7, 5, 12, 7, tzinfo=NEW_YORK)
_EMPTY = ("lastTradeDateOrContractMonth", "right", "multiplier", "primaryExchange", "tradingClass", "localSymbol")


@pytest.fixture(scope="module")
def world(calendar: SessionTable) -> SyntheticMarket:
    return SyntheticMarket(calendar, date(2024, 7, 6))


@pytest.mark.parametrize("size", ["5 mins", "1 hour", "4 hours", "1 day", "1 week"])
@pytest.mark.parametrize("name", ["SPY STK SMART", "EUR CASH IDEALPRO", "BTC CRYPTO PAXOS"])
def test_a_history_in_pieces_is_the_whole(world: SyntheticMarket, name: str, size: str) -> None:
    symbol, kind, exchange = name.split()
    values = {"symbol": symbol, "secType": kind, "exchange": exchange, "currency": "USD", "conId": 0, "strike": 0.0}
    tradable = ContractDesk(world).tradable({**dict.fromkeys(_EMPTY, ""), **values, "comboLegs": []}, NOW)
    series, limits = (
        Series(tradable, "MIDPOINT", BarSize.parse(size), outside_rth=True),
        (NOW - timedelta(days=12), NOW),
    )
    pieces = list(spans(world, series, limits))
    assert len(pieces) > 1 or (kind != "STK" and size in {"1 week", "4 hours"})
    assert [bar for piece in pieces for bar in fetch(world, series, piece)] == fetch(world, series, limits)


@pytest.mark.parametrize(
    "asked",
    [
        {"symbol": "spy"},
        {"symbol": "SPX", "lastTradeDateOrContractMonth": "2024-07"},
        {"symbol": "SPX", "tradingClass": "SPXW", "right": "C"},
        {"symbol": "SPXW", "lastTradeDateOrContractMonth": "202408"},
    ],
)
def test_a_chain_in_pieces_is_the_whole(world: SyntheticMarket, asked: dict[str, str]) -> None:
    values = {"secType": "OPT", "exchange": "SMART", "currency": "USD", "conId": 0, "strike": 0.0}
    values = {**dict.fromkeys(_EMPTY, ""), **values, **asked}
    found = list(ContractDesk(world).search(values, NOW))
    assert len(found) > 100
    assert found == world.details(query_from(values), NOW)
