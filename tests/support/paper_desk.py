"""A stepped gateway on a hand-made market, and how to read what it says."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.support.paper_world import HandMarket
from tests.support.tws_client import RawClient

from htbot.paper.clock import SteppedTime
from htbot.paper.gateway import Gateway, GatewayConfig
from htbot.paper.store import Store

Messages = list[list[str]]


class PaperDesk:
    """A stepped gateway on a hand-made market, with clients on demand."""

    def __init__(self, folder: Path, market: HandMarket, config: GatewayConfig) -> None:
        self.folder, self.market, self.config = folder, market, config
        self.open()

    def open(self) -> None:
        self.gateway = Gateway(self.market, Store(self.folder / "gateway.sqlite"), self.config)
        self.pace = SteppedTime(self.gateway)

    def kill_and_open(self) -> None:
        """What a kill -9 leaves is what was committed: nothing is closed, the file is opened again."""
        self.open()

    def client(self, client_id: int = 1, *, stepped: bool = True, high: int = 178) -> RawClient:
        client = RawClient(self.gateway, self.pace, client_id, stepped=stepped)
        client.first = client.start(high)
        return client


def of_kind(messages: Messages, number: int) -> Messages:
    """Messages with an id."""
    return [fields for fields in messages if fields[0] == str(number)]


def market_times(messages: Messages) -> list[datetime]:
    """The instants of currentTime messages."""
    return [datetime.fromtimestamp(int(fields[2]), UTC) for fields in of_kind(messages, 49)]


def statuses(messages: Messages) -> list[str]:
    """The status of each orderStatus."""
    return [fields[2] for fields in of_kind(messages, 3)]


def errors(messages: Messages) -> list[tuple[int, int]]:
    """Id and code of each error, notes about farms left out."""
    return [(int(fields[2]), int(fields[3])) for fields in of_kind(messages, 4) if not 2100 <= int(fields[3]) < 2200]
