from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ib_async import LimitOrder, MarketOrder, Stock
from tests.support.paper_desk import Messages, PaperDesk
from tests.support.paper_world import SPY, HandMarket
from tests.support.tws_client import RawClient, contract12

from htbot.paper.faults.reading import words_to_fields
from htbot.paper.faults.script import read_script
from htbot.paper.faults.stage import ControlBoard, GatewayStage
from htbot.paper.gateway import GatewayConfig

STOCK = Stock("SPY", "SMART", "USD")


class FaultyDesk(PaperDesk):
    """A stepped gateway whose faults are armed by a line, as on the command line."""

    def open(self) -> None:
        super().open()
        self.shut: list[float] = []
        self.gateway.faults.begin(GatewayStage(self.gateway, self.pace, self.shut.append))
        self.board = ControlBoard(self.gateway, self.pace)

    def fault(self, line: str) -> dict[str, Any]:
        name, *words = line.split()
        return self.board.add(name, words_to_fields(words))

    def follow(self, path: Path) -> None:
        self.gateway.faults.follow(read_script(path))


class Trader:
    """A stepped client that buys and sells SPY."""

    def __init__(self, client: RawClient) -> None:
        self.client = client
        self.take = client.take
        self.ask = client.ask

    def buy(self, order_id: int, quantity: float = 10, ref: str = "") -> Messages:
        """A market order; what comes at once."""
        return self.client.place(order_id, STOCK, MarketOrder("BUY", quantity, orderRef=ref))

    def rest(self, order_id: int, quantity: float = 10, limit: float = 400.0, ref: str = "") -> Messages:
        """A limit order far from the market; what comes at once."""
        return self.client.place(order_id, STOCK, LimitOrder("BUY", quantity, limit, orderRef=ref))

    def cancel(self, order_id: int) -> Messages:
        return self.client.ask(4, 1, order_id, "")

    def watch(self, request_id: int = 5) -> Messages:
        return self.client.ask(1, 11, request_id, *contract12(SPY), 0, "", 0, 0, "")

    def step(self, times: int = 1) -> Messages:
        """Answer the marker so many times; everything that came."""
        return [message for _ in range(times) for message in self.client.ask(49, 1)]

    def open_orders(self) -> Messages:
        return self.client.ask(5, 1)

    def executions(self) -> Messages:
        return self.client.ask(7, 3, 9, 0, "", "", "", "", "", "")


@pytest.fixture
def faulty(tmp_path: Path, market: HandMarket) -> FaultyDesk:
    return FaultyDesk(tmp_path / "state", market, GatewayConfig(speed="max"))


@pytest.fixture
def trader(faulty: FaultyDesk) -> Trader:
    return Trader(faulty.client(1))
