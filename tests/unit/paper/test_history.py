from __future__ import annotations

import pytest
from tests.support.paper_desk import PaperDesk, errors, of_kind
from tests.support.paper_world import SESSIONS, SPX, SPY, START, HandMarket, option_id
from tests.support.tws_client import RawClient, contract12

from htbot.domain.instruments import Right
from htbot.market.ports import Print


def bars(client: RawClient, size: str, duration: str, end: str = "", **options: object) -> list[list[str]]:
    kind = contract12(options.get("con_id", SPY), exchange="SMART")
    request = [20, 9, *kind, 0, end, size, duration, 1, options.get("show", "TRADES"), options.get("format", 1), 0, ""]
    [message] = of_kind(client.ask(*request), 17)
    rows = message[5:]
    return [rows[index : index + 8] for index in range(0, len(rows), 8)]


@pytest.mark.parametrize(("version", "first"), [(173, "20240102  09:30:00"), (174, "20240102 09:30:00 US/Eastern")])
def test_times_carry_a_zone_from_174_on(desk: PaperDesk, version: int, first: str) -> None:
    assert bars(desk.client(high=version), "30 mins", "1 D")[0][0] == first


def test_epoch_seconds_on_request(desk: PaperDesk) -> None:
    rows = bars(desk.client(), "30 mins", "1 D", format=2)
    assert [int(row[0]) for row in rows] == [int(SESSIONS.all()[0].opens.timestamp()), int(START.timestamp())]


def test_the_open_bar_is_the_last_and_nothing_is_from_the_future(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(49, 1)
    rows = bars(client, "1 min", "1 D", end="20240105 16:00:00 US/Eastern")
    assert len(rows) == 31
    assert rows[-1][:5] == ["20240102 10:00:00 US/Eastern", "4700", "4700.3", "4700", "4700.3"]


def test_days_are_made_of_half_hours(desk: PaperDesk) -> None:
    [day] = bars(desk.client(), "1 day", "5 D")
    assert day[:6] == ["20240102", "4682", "4700", "4682", "4700", "1800"]


def test_an_index_has_no_volume_and_a_midpoint_none_at_all(desk: PaperDesk) -> None:
    client = desk.client()
    assert bars(client, "30 mins", "1 D", con_id=SPX)[0][5:] == ["0", "0", "0"]
    assert bars(client, "30 mins", "1 D", show="MIDPOINT")[0][5:] == ["-1", "-1", "-1"]


def test_a_schedule_lists_sessions(desk: PaperDesk) -> None:
    client = desk.client()
    request = [20, 9, *contract12(SPY, exchange="SMART"), 0, "", "1 day", "5 D", 1, "SCHEDULE", 1, 0, ""]
    [message] = of_kind(client.ask(*request), 106)
    assert message[4:] == ["US/Eastern", "1", "20240102-09:30:00", "20240102-16:00:00", "20240102"]


def test_a_schedule_of_all_times_ends_with_the_world(desk: PaperDesk) -> None:
    request = [20, 9, *contract12(SPY), 0, "99991231-00:00:00", "1 day", "100 Y", 1, "SCHEDULE", 1, 0, ""]
    [message] = of_kind(desk.client().ask(*request), 106)
    assert message[5] == "2"


@pytest.mark.parametrize(
    ("end", "keep", "code"),
    [
        ("20240102 09:00:00 US/Eastern", 0, 162),
        ("20240102 10:00:00 US/Eastern", 1, 321),
        ("yesterday", 0, 10314),
        ("20240102 10:00:00 Mars/Base", 0, 10314),
        ("00010101 10:00:00", 0, 162),
        ("19700101-00:00:00", 0, 162),
    ],
)
def test_what_has_no_answer(desk: PaperDesk, end: str, keep: int, code: int) -> None:
    request = [20, 9, *contract12(SPY, exchange="SMART"), 0, end, "5 mins", "1800 S", 1, "TRADES", 1, keep, ""]
    assert errors(desk.client().ask(*request)) == [(9, code)]


def test_a_chart_that_is_kept_up_can_be_ended_once(desk: PaperDesk) -> None:
    client = desk.client()
    client.ask(20, 9, *contract12(SPY, exchange="SMART"), 0, "", "1 min", "1 D", 1, "TRADES", 2, 1, "")
    first, second = client.ask(49, 1), client.ask(49, 1)
    opened = int(START.timestamp())
    assert of_kind(first, 90) == [["90", "9", "30", str(opened), "4700", "4700.3", "4700.3", "4700", "4700.15", "30"]]
    assert [(row[3], row[5]) for row in of_kind(second, 90)] == [(str(opened), "4700.6"), (str(opened + 60), "4700.6")]
    assert [row[3] for row in of_kind(client.ask(49, 1), 90)] == [str(opened + 60)]
    assert errors(client.ask(25, 1, 9)) == [(9, 162)], "as IB confirms it"
    assert of_kind(client.ask(49, 1), 90) == []
    assert errors(client.ask(25, 1, 9)) == [(9, 366)]


def test_the_first_data_of_the_world(desk: PaperDesk) -> None:
    [message] = of_kind(desk.client().ask(87, 4, *contract12(SPY, exchange="SMART"), 0, 1, "TRADES", 1), 88)
    assert message[2] == "20240102 09:30:00 US/Eastern"


def histogram(client: RawClient, con_id: int, period: str) -> list[list[str]]:
    return client.ask(88, 4, *contract12(con_id), 0, 1, period)


def test_a_histogram_is_volume_by_price(desk: PaperDesk) -> None:
    [message] = of_kind(histogram(desk.client(), SPY, "1 day"), 89)
    assert message[:3] == ["89", "4", "30"]
    assert message[3:7] == ["4682.3", "60", "4682.9", "60"], "a minute of a share a second, at its average price"


def test_the_histogram_of_an_option_is_made_of_its_trades(desk: PaperDesk, market: HandMarket) -> None:
    option = option_id(4700, Right.PUT)
    market.tape[option] = [Print(START, 1.1, 3.0), Print(START, 1.2, 2.0), Print(START, 1.1, 4.0)]
    [message] = of_kind(histogram(desk.client(), option, "1 week"), 89)
    assert message[2:] == ["2", "1.1", "7", "1.2", "2"]


@pytest.mark.parametrize(
    ("con_id", "period", "code"), [(SPX, "1 day", 162), (SPY, "1 fortnight", 321), (99, "1 day", 200)]
)
def test_histograms_that_there_are_none_of(desk: PaperDesk, con_id: int, period: str, code: int) -> None:
    answer = histogram(desk.client(), con_id, period)
    assert errors(answer) == [(4, code)]


def test_the_schedule_of_all_hours(desk: PaperDesk) -> None:
    request = [20, 9, *contract12(SPY), 0, "", "1 day", "1 D", 0, "SCHEDULE", 1, 0, ""]
    [message] = of_kind(desk.client().ask(*request), 106)
    assert message[6:] == ["20240102-04:00:00", "20240102-20:00:00", "20240102"]
