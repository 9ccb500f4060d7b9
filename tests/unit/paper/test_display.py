"""Display groups: programs hand each other a contract."""

from __future__ import annotations

from tests.support.paper_desk import PaperDesk


def test_a_change_reaches_every_subscriber_of_the_group(desk: PaperDesk) -> None:
    one, two = desk.client(1), desk.client(2)
    assert one.ask(67, 1, 5) == [["67", "1", "5", "1|2|3|4|5|6|7"]]
    assert one.ask(68, 1, 6, 4) == [["68", "1", "6", "none"]]
    two.ask(68, 1, 9, 4)
    two.ask(68, 1, 10, 3)
    assert one.ask(69, 1, 6, "756733@SMART") == [["68", "1", "6", "756733@SMART"]]
    assert two.take() == [["68", "1", "9", "756733@SMART"]]
    two.ask(70, 1, 9)
    one.ask(69, 1, 6, "none")
    assert two.take() == []
    assert desk.client(3).ask(68, 1, 1, 4) == [["68", "1", "1", "none"]]


def test_what_is_wrong_is_told(desk: PaperDesk) -> None:
    client = desk.client(1)
    client.ask(68, 1, 6, 4)
    assert client.ask(68, 1, 6, 4)[0][2:4] == ["6", "322"]
    assert client.ask(68, 1, 7, 9)[0][2:4] == ["7", "321"]
    assert client.ask(69, 1, 8, "none")[0][2:4] == ["8", "321"]
    assert client.ask(69, 1, 6, "SPY")[0][2:4] == ["6", "321"]


def test_a_program_is_not_registered_for_linking(desk: PaperDesk) -> None:
    client = desk.client(1)
    assert client.ask(65, 1, "name", "1")[0][:3] == ["66", "1", "0"]
    assert client.ask(72, 1, "name", "1", "key")[0][:3] == ["70", "1", "0"]
