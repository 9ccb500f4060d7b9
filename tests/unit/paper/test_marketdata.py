from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from ib_async import Contract
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SPX, SPY, START, HandMarket, option_id
from tests.support.tws_client import RawClient, contract12

from htbot.domain.instruments import Right
from htbot.market.ports import Print
from htbot.paper.feeds.entitlement import Subscriptions
from htbot.paper.feeds.streams import DataRules

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
    assert model[1:] == ["5", "13", "0", "0.2", "-0.25", "1.1", "0", "0.01", "0.015", "-0.5", "4700"]


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


@pytest.mark.parametrize("wrong", ["999", "221,x", "100;101", "-1", "٣"])
def test_generic_ticks_that_ib_does_not_know_are_refused(desk: PaperDesk, wrong: str) -> None:
    assert errors(line(desk.client(), 5, SPY, (0, wrong, 0, 0, ""))) == [(5, 321)]


def test_a_snapshot_has_no_generic_ticks(desk: PaperDesk) -> None:
    assert errors(line(desk.client(), 5, SPY, (0, "233", 1, 0, ""))) == [(5, 321)]


def generic(messages: list[list[str]]) -> dict[int, str]:
    return {int(fields[3]): fields[4] for fields in messages if fields[0] in {"1", "2", "45", "46"}}


def test_every_generic_tick_of_a_stock_is_shown(desk: PaperDesk) -> None:
    wanted = "100,101,104,105,106,165,221,225,232,233,236,258,292,293,294,295,318,375,411,456,460,576,577,578,586,587"
    shown = generic(line(desk.client(), 5, SPY, (0, f"{wanted},588,595,619", 0, 0, "")))
    present = {
        15,
        16,
        17,
        18,
        19,
        20,
        21,
        27,
        28,
        29,
        30,
        34,
        36,
        37,
        46,
        54,
        55,
        56,
        57,
        59,
        61,
        63,
        64,
        65,
        79,
        87,
        89,
    }
    assert present - shown.keys() == set()
    assert (shown[46], shown[59], shown[56]) == ("3", ",,,", "60")


def test_an_option_shows_its_own_open_interest_on_its_side(desk: PaperDesk) -> None:
    shown = generic(line(desk.client(), 5, LONG, (0, "101", 0, 0, "")))
    assert 27 not in shown


def test_delayed_data_come_under_their_own_tick_types(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(59, 1, 3)
    messages = line(client, 5, SPY)
    assert ["58", "1", "5", "3"] in messages
    assert {66, 67, 68, 75} <= ticks(messages).keys()
    assert not {1, 2, 4, 9} & ticks(messages).keys()
    [index] = [fields for fields in line(client, 6, SPX) if fields[0] == "1" and fields[3] == "68"]
    assert index[4] == "4691", "the level of fifteen minutes ago"


def test_frozen_data_are_real_while_the_market_trades_and_said_to_be_frozen_after(
    desk: PaperDesk, market: HandMarket
) -> None:
    client = desk.client()
    client.ask(59, 1, 2)
    assert ["58", "1", "5", "1"] in line(client, 5, SPY)
    desk.gateway.play(market.sessions.all()[0].at(20, 30))
    desk.gateway.turn_done()
    assert ["58", "1", "5", "2"] in client.take()


@pytest.mark.parametrize(
    ("subscriptions", "wanted", "generics", "codes"),
    [
        ("delayed", 1, "", [10089]),
        ("delayed", 1, "236", [10090]),
        ("delayed", 3, "", [10167]),
        ("none", 1, "", [354]),
        ("none", 3, "", [10168]),
    ],
)
def test_what_is_not_subscribed(
    make_desk: Callable[..., PaperDesk], subscriptions: str, wanted: int, generics: str, codes: list[int]
) -> None:
    client = make_desk(data=DataRules(Subscriptions(subscriptions))).client()
    client.ask(59, 1, wanted)
    messages = line(client, 5, SPY, (0, generics, 0, 0, ""))
    assert [code for _, code in errors(messages)] == codes
    assert bool(of_kind(messages, 1)) == (codes == [10167])
    assert bool(of_kind(messages, 45)) == (codes in ([10090], [10167]))


def test_every_trade_of_a_tape_goes_out_once(desk: PaperDesk, market: HandMarket) -> None:
    market.tape[SPY] = [Print(START + timedelta(seconds=second), 470.0, 5.0 + second) for second in (1, 1, 2, 30, 31)]
    client = desk.client()
    line(client, 5, SPY, (0, "233", 0, 0, ""))
    messages = client.ask(49, 1)
    last = [fields for fields in of_kind(messages, 1) if fields[3] == "4"]
    assert [(fields[4], fields[5]) for fields in last] == [("470", "6"), ("470", "6"), ("470", "7"), ("470", "35")]
    volumes = [fields for fields in of_kind(messages, 46) if fields[3] == "48"]
    assert volumes[0][4].split(";")[:4] == ["470", "6", str(int(START.timestamp() * 1000) + 1000), "52"]
    assert len([fields for fields in of_kind(client.ask(49, 1), 1) if fields[3] == "4"]) == 1


def test_a_halt_is_told(desk: PaperDesk, market: HandMarket) -> None:
    client = desk.client()
    assert ["45", "6", "5", "49", "0"] in line(client, 5, SPY)
    market.halts.add(SPY)
    assert ["45", "6", "5", "49", "1"] in client.ask(49, 1)


def test_greeks_of_bid_and_ask_for_a_client_in_real_time(desk: PaperDesk) -> None:
    messages = line(desk.client(stepped=False), 5, LONG)
    assert [fields[2] for fields in of_kind(messages, 21)] == ["13", "10", "11"]


def test_the_mark_price_on_request(desk: PaperDesk) -> None:
    assert ticks(line(desk.client(), 5, SPY, (0, "221", 0, 0, "")))[37] == "470"


def test_lines_are_limited_to_a_hundred_for_all_clients(desk: PaperDesk) -> None:
    one, two = desk.client(1), desk.client(2)
    for request_id in range(100):
        line(one, request_id, SPY)
    assert errors(line(one, 100, SPY)) == [(100, 101)]
    assert errors(line(two, 98, SPY)) == []
    assert errors(line(two, 99, LONG)) == [(99, 101)]
    one.leave()
    assert errors(line(two, 99, LONG)) == []


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
        ((52, 2, 4, SPY, "", "", "", "", "", "", "ReportSnapshot", 0, ""), 10358),
        ((52, 2, 4, 99, "", "", "", "", "", "", "ReportSnapshot", 0, ""), 200),
        ((84, 4, "BRFG", "BRFG$1", ""), 10276),
        ((100, 4), 10276),
        ((102, 4, SPY), 10276),
        ((54, 3, 4, *contract12(SPY), 1.0, 470, 0, ""), 321),
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
        ((104, 4), ["107", "4", ""]),
    ],
)
def test_empty_lists(desk: PaperDesk, request_fields: tuple[object, ...], answer: list[str]) -> None:
    assert desk.client().ask(*request_fields) == [answer]
