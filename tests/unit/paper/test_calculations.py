from __future__ import annotations

import pytest
from tests.support.paper_desk import PaperDesk, of_kind
from tests.support.paper_world import option_id
from tests.support.tws_client import RawClient, contract12

from htbot.domain.instruments import Right

PUT = option_id(4700, Right.PUT)


def custom(client: RawClient, number: int, first: float, under: float) -> list[str]:
    [message] = of_kind(client.ask(number, 3, 4, *contract12(PUT), first, under, 0, ""), 21)
    assert message[1:4] == ["4", "53", "0"]
    return message[4:]


def test_the_volatility_of_a_price_gives_the_price_again(desk: PaperDesk) -> None:
    client = desk.client()
    volatility, delta, price, *_ = custom(client, 54, 12.5, 4700.0)
    assert price == "12.5"
    assert -0.6 < float(delta) < -0.4
    assert float(custom(client, 55, float(volatility), 4700.0)[2]) == pytest.approx(12.5, abs=1e-3)


def test_the_models_own_price_has_the_models_volatility(desk: PaperDesk) -> None:
    assert float(custom(desk.client(), 54, 1.1, 4700.0)[0]) == pytest.approx(0.2)


def test_what_cannot_be_computed_is_said_to_be_unknown(desk: PaperDesk) -> None:
    unknown = ["-1", "-2", "-1", "-1", "-2", "-2", "-2", "-1"]
    client = desk.client()
    assert custom(client, 54, 0.0, 4700.0) == unknown
    assert custom(client, 55, 0.2, 0.0) == unknown
    assert client.ask(56, 1, 4) == client.ask(57, 1, 4) == []
