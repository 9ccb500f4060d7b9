"""Bytes that no client should send: they cost their sender its socket at most."""

from __future__ import annotations

from random import Random

import pytest
from tests.fuzz.requests import frame
from tests.support.paper_desk import PaperDesk, errors, market_times
from tests.support.paper_world import SPY, START, HandMarket
from tests.support.tws_client import RawClient, contract12, hello

from htbot.paper.gateway import GatewayConfig
from htbot.paper.wire.requests import BY_ID

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


def test_mutated_requests_never_hurt_anybody_else(desk: PaperDesk) -> None:
    random = Random(20240102)
    witness = desk.client(1)
    attacker = desk.client(2, stepped=False)
    for count in range(FRAMES):
        if attacker.transport.closed:
            attacker.leave()
            attacker = desk.client(2, stepped=False)
        attacker.protocol.data_received(frame(178, random))
        if count % 100 == 0:
            attacker.take()
            assert len(market_times(witness.ask(49, 1))) == 1
    assert not witness.transport.closed
    account = desk.gateway.ledger.accounts[desk.gateway.accounts[0]]
    positions = desk.gateway.ledger.of(account.account)
    cost = sum(position.cost for position in positions)
    realized = sum(position.realized for position in positions)
    assert account.cash_usd == account.starting + realized - cost
