"""Bytes that no client should send: they cost their sender its socket at most."""

from __future__ import annotations

from random import Random

import pytest
from ib_async import LimitOrder, Stock
from tests.support.paper_desk import PaperDesk, errors, market_times
from tests.support.paper_world import SPX, SPY, START, HandMarket, option_id
from tests.support.tws_client import RawClient, contract12, framed, hello, order_message, spread

from htbot.domain.instruments import Right
from htbot.paper.gateway import GatewayConfig
from htbot.paper.wire.requests import BY_ID

BAG = spread((option_id(4700, Right.PUT), "SELL"), (option_id(4675, Right.PUT), "BUY"))
FRAMES = 3000


@pytest.fixture
def desk(tmp_path: object) -> PaperDesk:
    return PaperDesk(tmp_path, HandMarket(), GatewayConfig(speed="max"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "data",
    [
        b"63\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"API\0\xff\xff\xff\xff",
        b"API\0\0\0\0\x04junk",
        hello(100, 156),
        hello(179, 200),
    ],
)
def test_a_wrong_beginning_closes_that_socket_alone(desk: PaperDesk, data: bytes) -> None:
    good = desk.client(1)
    bad = RawClient(desk.gateway, desk.pace, 2)
    bad.protocol.data_received(data)
    assert bad.transport.closed
    assert not good.transport.closed
    assert len(market_times(good.ask(49, 1))) == 1


def test_requests_before_the_start_close_the_socket(desk: PaperDesk) -> None:
    client = RawClient(desk.gateway, desk.pace)
    client.protocol.data_received(hello())
    client.send(61, 1)
    assert client.transport.closed


def test_a_frame_over_the_limit_closes_the_socket(desk: PaperDesk) -> None:
    client = desk.client()
    client.protocol.data_received(b"\x01\x00\x00\x00")
    assert client.transport.closed


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ((9999, 1), (-1, 320)),
        (("x",), (-1, 320)),
        (("",), (-1, 320)),
        (("٣", 1), (-1, 320)),
        ((9, 8, "five"), (-1, 320)),
        ((1, 11, 5, "conid"), (5, 320)),
        ((3, 1, *contract12(SPY, sec_type="STK"), "", "", "BUY", "NaN"), (1, 320)),
        ((3, 1, *contract12(sec_type="BAG"), "", "", "BUY", 1, "MKT", *[""] * 16, "99999"), (1, 320)),
    ],
)
def test_unreadable_requests_are_error_320(
    desk: PaperDesk, fields: tuple[object, ...], answer: tuple[int, int]
) -> None:
    client = desk.client()
    assert errors(client.ask(*fields)) == [answer]
    assert not client.transport.closed


@pytest.mark.parametrize("number", sorted(BY_ID))
def test_empty_requests_are_answered_or_ignored(desk: PaperDesk, number: int) -> None:
    client = desk.client(stepped=False)
    client.ask(number)
    assert not client.transport.closed
    assert market_times(client.ask(49, 1)) == [START]


def seeds() -> list[list[str]]:
    stock = contract12(SPY, "SPY", "STK")
    return [
        [str(field) for field in fields]
        for fields in (
            order_message(1, Stock("SPY", "SMART", "USD"), LimitOrder("BUY", 10, 400)),
            order_message(2, BAG, LimitOrder("BUY", 1, -9, tif="GTD", goodTillDate="20240102 15:00:00 US/Eastern")),
            [4, 1, 1, ""],
            [1, 11, 5, *stock, 0, "", 0, 0, ""],
            [20, 6, *contract12(SPX, "SPX", "IND", "CBOE"), 0, "", "5 mins", "1 D", 1, "TRADES", 1, 1, ""],
            [9, 8, 7, *stock, 0, "", "", ""],
            [7, 3, 8, 0, "", "", "", "", "", ""],
            [62, 1, 9, "All", "NetLiquidation,$LEDGER:ALL"],
            [78, 10, "SPX", "", "IND", SPX],
            [94, 11, "", "", SPY],
        )
    ]


NASTY = [
    "",
    "-1",
    "0",
    "9" * 30,
    "1e308",
    "-0.0",
    "nan",
    "Infinite",
    "2147483647",
    "A" * 3000,
    "\u0663",
    "BAG",
    "SELL",
    "\ud7ff",
]


def mutated(random: Random, fields: list[str]) -> bytes:
    """A request with some fields replaced, dropped, doubled or swapped, and now and then some bytes broken."""
    fields = list(fields)
    for _ in range(random.randrange(1, 5)):
        place = random.randrange(len(fields))
        kind = random.randrange(4)
        if kind == 0:
            fields[place] = random.choice(NASTY)
        elif kind == 1 and len(fields) > 1:
            del fields[place]
        elif kind == 2:
            fields.insert(place, fields[place])
        else:
            other = random.randrange(len(fields))
            fields[place], fields[other] = fields[other], fields[place]
    data = bytearray(framed(*fields))
    if random.random() < 0.1 and len(data) > 4:
        data[random.randrange(4, len(data))] = random.randrange(256)
    return bytes(data)


def test_mutated_requests_never_hurt_anybody_else(desk: PaperDesk) -> None:
    random = Random(20240102)
    witness = desk.client(1)
    attacker = desk.client(2, stepped=False)
    requests = seeds()
    for count in range(FRAMES):
        if attacker.transport.closed:
            attacker.leave()
            attacker = desk.client(2, stepped=False)
        attacker.protocol.data_received(mutated(random, random.choice(requests)))
        if count % 100 == 0:
            attacker.take()
            assert len(market_times(witness.ask(49, 1))) == 1
    assert not witness.transport.closed
    account = desk.gateway.ledger.accounts[desk.gateway.accounts[0]]
    positions = desk.gateway.ledger.of(account.account)
    cost = sum(position.cost for position in positions)
    realized = sum(position.realized for position in positions)
    assert account.cash_usd == account.starting + realized - cost
