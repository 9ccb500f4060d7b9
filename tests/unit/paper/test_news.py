from __future__ import annotations

from tests.support.paper_desk import PaperDesk


def test_the_free_providers_are_listed(desk: PaperDesk) -> None:
    [message] = desk.client().ask(85)
    assert message[:2] == ["85", "3"]
    assert message[2::2] == ["BRFG", "BRFUPDN", "DJNL"]


def test_bulletins_and_their_end_are_not_answered(desk: PaperDesk) -> None:
    client = desk.client()
    assert client.ask(12, 1, 1) == client.ask(13, 1) == []
