from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SPX, SPY, HandMarket
from tests.support.tws_client import RawClient

from htbot.paper.feeds.streams import Kind


def scan(client: RawClient, code: str = "MOST_ACTIVE", **more: object) -> list[list[str]]:
    filters = [more.get("above", ""), more.get("below", ""), *[""] * 11, 0, "", "", more.get("type", "")]
    place, kind = more.get("place", "STK.US.MAJOR"), more.get("kind", "STK")
    rows = more.get("rows", -1)
    return client.ask(22, 7, rows, kind, place, code, *filters, more.get("options", ""), "")


def test_the_parameters_are_xml_with_the_usual_parts(desk: PaperDesk) -> None:
    [message] = of_kind(desk.client().ask(24, 1), 19)
    assert message[2].startswith('<?xml version="1.0" encoding="UTF-8"?>')
    tree = ET.fromstring(message[2])
    codes = {node.text for node in tree.findall(".//scanCode")}
    assert {"TOP_PERC_GAIN", "TOP_PERC_LOSE", "MOST_ACTIVE", "HOT_BY_VOLUME"} <= codes
    assert {node.text for node in tree.findall(".//locationCode")} >= {"STK.US", "STK.US.MAJOR", "FUT.GLOBEX"}
    assert {node.text for node in tree.findall(".//Instrument/type")} >= {"STK"}
    assert {node.findtext("code") for node in tree.findall(".//AbstractField")} >= {"priceAbove", "changePercAbove"}


def test_a_scan_ranks_the_stocks_of_the_world(desk: PaperDesk) -> None:
    [message] = scan(desk.client())
    assert message[:9] == ["20", "3", "7", "1", "0", str(SPY), "SPY", "STK", ""]


def test_indices_are_an_instrument_of_their_own(desk: PaperDesk) -> None:
    [message] = scan(desk.client(), kind="IND.US", place="IND.US")
    assert message[5] == str(SPX)


@pytest.mark.parametrize(
    "bounds",
    [
        {"above": 471},
        {"below": 469},
        {"options": "priceAbove=471;"},
        {"options": "changePercAbove=1;"},
        {"kind": "STOCK.EU", "place": "STK.EU"},
    ],
)
def test_nothing_fits_is_error_165(desk: PaperDesk, bounds: dict[str, object]) -> None:
    note, rows = scan(desk.client(), **bounds)
    assert note[:4] == ["4", "2", "7", "165"]
    assert rows == ["20", "3", "7", "0"]


def test_a_list_is_sent_again_when_it_has_changed(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    scan(client, above=469.5)
    assert of_kind(client.ask(49, 1), 20) == [], "the same list is not sent twice"
    market.last[SPY] = 400.0
    assert errors(client.ask(49, 1)) == [(7, 165)]
    market.last[SPY] = 471.0
    assert len(of_kind(client.ask(49, 1), 20)) == 1


def test_scanners_are_ended_with_a_note(desk: PaperDesk) -> None:
    client = desk.client()
    scan(client)
    assert errors(scan(client)) == [(7, 322)]
    assert errors(client.ask(23, 1, 7)) == [(7, 162)]
    assert errors(client.ask(23, 1, 7)) == [(7, 365)]


def test_an_unknown_code_is_refused(desk: PaperDesk) -> None:
    assert errors(scan(desk.client(), code="BEST_EVER")) == [(7, 162)]
    assert errors(scan(desk.client(2), options="priceAbove=much;")) == [(7, 162)]


def test_a_scan_that_is_being_made_can_be_cancelled(desk: PaperDesk) -> None:
    client = desk.client()
    session = desk.gateway.sessions[client.client_id]
    session.loading[Kind.SCANNER, 7] = object()
    assert errors(scan(client)) == [(7, 322)]
    assert errors(client.ask(23, 1, 7)) == [(7, 162)]
    assert session.loading == {}
    assert of_kind(scan(client), 20) != []
