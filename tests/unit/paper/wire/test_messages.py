from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from ib_async.decoder import Decoder

from htbot.paper.wire import messages
from htbot.paper.wire.tables import Item, Repeat, Table, When, encode

LONG = {messages.OPEN_ORDER.message_id, messages.COMPLETED_ORDER.message_id}
TABLES = {
    name: table
    for name, table in vars(messages).items()
    if isinstance(table, Table) and table.message_id not in LONG
}  # fmt: skip


class Calls:
    """An ib_async wrapper that writes down what the decoder calls."""

    defaultTimezone = None  # noqa: N815 - the library's name

    def __init__(self) -> None:
        self.names: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_args: self.names.append(name)


def filled(items: tuple[Item, ...]) -> dict[str, Any]:
    """A value for each field that has none of its own; every list has two groups."""
    values: dict[str, Any] = {}
    for item in items:
        if isinstance(item, Repeat):
            values[item.name] = [filled(item.items)] * 2
        elif not isinstance(item, When):
            values[item.name] = 1 if item.default is None else item.default
    return values


@pytest.mark.parametrize("version", [157, 163, 164, 176, 178])
@pytest.mark.parametrize("name", TABLES)
def test_ib_async_reads_every_message(name: str, version: int, caplog: pytest.LogCaptureFixture) -> None:
    table = TABLES[name]
    payload = encode(table, filled(table.layout(version)), version)[4:]
    calls = Calls()
    Decoder(calls, version).interpret(payload.decode().split("\0")[:-1])
    assert calls.names
    assert not caplog.records


@pytest.mark.parametrize(("version", "text"), [(157, b"2"), (162, b"2"), (163, b"2.4"), (178, b"2.4")])
def test_sizes_have_fractions_from_163_on(version: int, text: bytes) -> None:
    tick = encode(messages.TICK_SIZE, {"reqId": 1, "tickType": 0, "size": Decimal("2.4")}, version)
    assert tick.split(b"\0")[-2] == text
    bar = {"date": "d", "volume": 2.4, "count": 9}
    bars = encode(messages.HISTORICAL_DATA, {"reqId": 1, "bars": [bar]}, version)
    assert bars.split(b"\0")[-4] == text
