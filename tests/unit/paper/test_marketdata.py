from __future__ import annotations

import pytest
from ib_async import Contract
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SPX, SPY, HandMarket, option_id
from tests.support.tws_client import RawClient, contract12

from htbot.domain.instruments import Right

LONG, SHORT = option_id(4675, Right.PUT), option_id(4700, Right.PUT)
TAIL = (0, "", 0, 0, "")


def line(client: RawClient, request_id: int, con_id: int, tail: tuple[object, ...] = TAIL) -> list[list[str]]:
    return client.ask(1, 11, request_id, *contract12(con_id, exchange="SMART"), *tail)


def ticks(messages: list[list[str]]) -> dict[int, str]:
    return {int(fields[3]): fields[4] for fields in messages if fields[0] in {"1", "2"} and fields[1] == "6"}


def test_a_stock_line_begins_with_everything(desk: PaperDesk) -> None:
    messages = line(desk.client(), 5, SPY)
    assert messages[0] == ["81", "5", "0.01", "a60001", "3"]
    assert messages[1] == ["58", "1", "5", "1"]
    assert ticks(messages) == {1: "469.99", 2: "470.01", 4: "470", 6: "470", 7: "470", 9: "470", 14: "470", 8: "100"}


def test_an_index_has_a_last_price_and_no_sides(desk: PaperDesk) -> None:
    assert ticks(line(desk.client(), 5, SPX)) == {4: "4700", 6: "4700", 7: "4700", 9: "4700", 14: "4700"}


def test_an_option_has_model_greeks(desk: PaperDesk) -> None:
    [model] = of_kind(line(desk.client(), 5, LONG), 21)
    assert model[1:] == ["5", "13", "0", "0.2", "-0.25", "1.1", "0", "0.01", "1.5", "-0.5", "4700"]


def test_a_missing_side_is_minus_one_with_size_zero(desk: PaperDesk, market: HandMarket) -> None:
    market.quotes[LONG] = (None, 0.05)
    messages = line(desk.client(), 5, LONG)
    assert ["1", "6", "5", "1", "-1", "0", "1"] in messages


def test_a_combination_is_quoted_from_its_legs(desk: PaperDesk, market: HandMarket) -> None:
    market.quotes[SHORT], market.quotes[LONG] = (8.1, 8.2), (3.3, 3.4)
    client = desk.client()
    legs = [2, SHORT, 1, "SELL", "SMART", LONG, 1, "BUY", "SMART"]
    messages = client.ask(1, 11, 5, *contract12(symbol="SPX", sec_type="BAG"), *legs, *TAIL)
    assert ticks(messages) == {1: "-4.9", 2: "-4.7"}
    market.quotes[LONG] = (None, 3.4)
    assert ticks(client.ask(49, 1)) == {0: "0"}, "-1 would be a price"
    market.quotes[LONG] = (3.3, 3.4)
    assert ticks(client.ask(49, 1)) == {1: "-4.9"}


def test_a_snapshot_ends_and_leaves_no_line(desk: PaperDesk) -> None:
    client = desk.client()
    assert line(client, 5, SPY, (0, "", 1, 0, ""))[-1] == ["57", "1", "5"]
    assert errors(client.ask(2, 2, 5)) == [(5, 300)]


def test_ids_of_lines(desk: PaperDesk) -> None:
    client = desk.client()
    line(client, 5, SPY)
    assert errors(line(client, 5, SPX)) == [(5, 322)]
    client.ask(2, 2, 5)
    assert errors(line(client, 5, SPX)) == []


def test_the_mark_price_on_request(desk: PaperDesk) -> None:
    assert ticks(line(desk.client(), 5, SPY, (0, "221", 0, 0, "")))[37] == "470"


def test_lines_are_limited_to_a_hundred_for_all_clients(desk: PaperDesk) -> None:
    one, two = desk.client(1), desk.client(2)
    for request_id in range(60):
        line(one, request_id, SPY)
    for request_id in range(40):
        line(two, request_id, SPY)
    assert errors(line(two, 99, SPY)) == [(99, 101)]
    one.leave()
    assert errors(line(two, 99, SPY)) == []


@pytest.mark.parametrize(
    ("contract", "code"),
    [
        (Contract(conId=99), 200),
        (Contract(symbol="SPX", secType="OPT"), 200),
        (Contract(symbol="SPX", secType="OPT", right="X"), 321),
        (Contract(symbol="SPX", secType="OPT", lastTradeDateOrContractMonth="soon"), 321),
    ],
)
def test_contracts_that_are_none(desk: PaperDesk, contract: Contract, code: int) -> None:
    fields = contract12(
        contract.conId,
        contract.symbol,
        contract.secType,
        expiry=contract.lastTradeDateOrContractMonth,
        right=contract.right,
    )
    assert errors(desk.client().ask(1, 11, 5, *fields, *TAIL)) == [(5, code)]


@pytest.mark.parametrize(
    ("request_fields", "code"),
    [
        ((52, 2, 4, SPY), 430),
        ((22, 4, 10), 10089),
        ((54, 3, 4, *contract12(LONG), 1.0, 4700), 10089),
        ((86, 4, SPY), 10276),
        ((18, 1, 1), 321),
        ((9, 8, 4, *contract12(symbol="SPX", sec_type="BAG"), 0, "", "", ""), 321),
        ((91, 77), 321),
        ((15, 1, 1), 327),
        ((59, 1, 9), 321),
    ],
)
def test_what_is_not_there_is_said_with_ibs_code(
    desk: PaperDesk, request_fields: tuple[object, ...], code: int
) -> None:
    assert [found for _id, found in errors(desk.client().ask(*request_fields))] == [code]


@pytest.mark.parametrize(
    ("request_fields", "answer"),
    [
        ((79, 4), ["77", "4", "0"]),
        ((80,), ["78", "1", "*", ""]),
        ((82,), ["80", "0"]),
        ((83, 4, "x"), ["82", "4", "0"]),
        ((85,), ["85", "0"]),
        ((104, 4), ["107", "4", ""]),
    ],
)
def test_empty_lists(desk: PaperDesk, request_fields: tuple[object, ...], answer: list[str]) -> None:
    assert desk.client().ask(*request_fields) == [answer]
