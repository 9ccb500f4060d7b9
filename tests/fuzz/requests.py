"""Requests made from the field tables, whole ones and broken ones."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.support.tws_client import framed

from htbot.paper.wire import requests
from htbot.paper.wire.tables import Field, Item, Repeat, Table
from htbot.paper.wire.values import BOOL, DECIMAL, FLOAT, INT, MAYBE_DECIMAL, MAYBE_FLOAT, MAYBE_INT

SPY, SPX = 756733, 416904
# A second client may not end the session of the first: the start is not repeated here, the rest is fair.
TABLES = tuple(table for table in requests.TABLES if table.name != "startApi")

WORDS: dict[str, Sequence[str]] = {
    "reqId": [str(number) for number in range(1, 40)],
    "orderId": [str(number) for number in range(1, 40)],
    "parentId": ["0", "0", "0", "1", "2"],
    "conId": ["0", str(SPY), str(SPX), "12087792"],
    "symbol": ["SPY", "SPX", "QQQ", "EUR", "ES", ""],
    "secType": ["STK", "STK", "IND", "OPT", "BAG", "CASH", "FUT", "CRYPTO", ""],
    "lastTradeDateOrContractMonth": ["", "20260304", "202603", "20260320"],
    "strike": ["0", "600", "6800.0"],
    "right": ["", "C", "P", "CALL"],
    "multiplier": ["", "100"],
    "exchange": ["SMART", "CBOE", "IDEALPRO", ""],
    "primaryExchange": ["", "ARCA"],
    "currency": ["USD", "EUR", ""],
    "tradingClass": ["", "SPXW", "SPY"],
    "action": ["BUY", "SELL", "SSHORT"],
    "totalQuantity": ["1", "10", "100", "0.5"],
    "orderType": ["MKT", "LMT", "STP", "STP LMT", "TRAIL", "MIT", "LIT", "MOC", "LOC", "REL", "MIDPRICE", "PEG BENCH"],
    "lmtPrice": ["1", "600", "610.05", "-1.5"],
    "auxPrice": ["", "600", "1"],
    "tif": ["DAY", "GTC", "IOC", "FOK", "GTD", "OPG"],
    "ocaGroup": ["", "", "group"],
    "transmit": ["1", "1", "0"],
    "whatIf": ["0", "0", "1"],
    "account": ["", "", "", "", "DU1234567"],
    "goodTillDate": ["", "20260305 15:00:00 US/Eastern"],
    "genericTicks": ["", "100,101,104,106,165,221,233,236", "mdoff,292"],
    "whatToShow": ["TRADES", "MIDPOINT", "BID", "BID_ASK", "SCHEDULE", "ADJUSTED_LAST"],
    "barSize": ["1 min", "5 mins", "1 day", "30 secs"],
    "duration": ["1 D", "3600 S", "2 W", "1 M", "1 Y"],
    "endDateTime": ["", "20260304 10:00:00 US/Eastern", "20260304-15:00:00"],
    "startDateTime": ["", "20260304 09:45:00 US/Eastern"],
    "formatDate": ["1", "2"],
    "tickType": ["Last", "AllLast", "BidAsk", "MidPoint"],
    "numberOfTicks": ["0", "10", "1000"],
    "timePeriod": ["1 day", "1 week"],
    "group": ["All", "$LEDGER"],
    "tags": ["NetLiquidation,BuyingPower", "$LEDGER:ALL"],
    "pattern": ["SP", "A", ""],
    "scanCode": ["TOP_PERC_GAIN", "MOST_ACTIVE"],
    "underlyingSymbol": ["SPX", "SPY"],
    "underlyingSecType": ["IND", "STK"],
    "underlyingConId": [str(SPX), str(SPY), "0"],
    "contractInfo": ["none", "756733@SMART"],
    "groupId": ["1", "2", "9"],
    "type": ["1", "2", "3", "4"],
    "xml": ["<ListOfGroups></ListOfGroups>", "<broken"],
}
_BY_READER: dict[Any, Sequence[str]] = {
    INT: ["0"] * 9 + ["5"],
    MAYBE_INT: [""] * 19 + ["1"],
    DECIMAL: ["0"] * 9 + ["1.5"],
    MAYBE_DECIMAL: [""] * 19 + ["1.7976931348623157E308"] * 19 + ["2.5"],
    FLOAT: ["0.2", "600"],
    MAYBE_FLOAT: ["", "1.7976931348623157E308", "5"],
    BOOL: ["0"] * 4 + ["1"],
}
_STOCK = {"conId": "0", "secType": "STK", "lastTradeDateOrContractMonth": "", "strike": "0", "right": ""}
_STOCK |= {"multiplier": "", "exchange": "SMART", "primaryExchange": "", "currency": "USD", "localSymbol": ""}
_STOCK |= {"tradingClass": "", "secIdType": "", "includeExpired": "0"}
PROFILES: tuple[dict[str, str], ...] = (
    {},
    {**_STOCK, "symbol": "SPY"},
    {**_STOCK, "symbol": "QQQ"},
    {**_STOCK, "symbol": "SPX", "secType": "IND", "exchange": "CBOE"},
    {**_STOCK, "symbol": "SPY", "secType": "OPT", "lastTradeDateOrContractMonth": "20260304", "right": "C"},
    {**_STOCK, "symbol": "EUR", "secType": "CASH", "exchange": "IDEALPRO"},
    {**_STOCK, "symbol": "ES", "secType": "FUT", "exchange": "CME", "lastTradeDateOrContractMonth": "202603"},
    {**_STOCK, "symbol": "SPX", "secType": "BAG"},
)
_WHOLE = {INT, MAYBE_INT}
NASTY = (
    "", "-1", "0", "9" * 30, "1e308", "-0.0", "nan", "Infinite", "-Infinity", "2147483647", "2147483648", "1e-400",
    "A" * 3000, "\u0663", "\u00bd", "BAG", "SELL", "\ud7ff", "20249999 99:99:99", "99999", "=;=;", "'; DROP", "<x/>",
    "1 Y", "1 secs", "%s%n", "True",
)  # fmt: skip


def whole(table: Table, version: int, dice: Random) -> list[str]:
    """A request that can be read: id and fields."""
    texts = [str(table.message_id)]
    _fill(table.layout(version), dice, dice.choice(PROFILES), texts, {})
    return texts


def _words(field: Field) -> Sequence[str]:
    """Texts that the field can be read from."""
    named = WORDS.get(field.name, ())
    if field.reader in _WHOLE:
        named = tuple(text for text in named if text.isdigit())
    return named or _BY_READER.get(field.reader) or ("",)


def _fill(
    items: Sequence[Item], dice: Random, profile: dict[str, str], texts: list[str], values: dict[str, Any]
) -> None:
    for item in items:
        if isinstance(item, Field):
            text = profile.get(item.name, dice.choice(_words(item)))
            texts.append(text)
            values[item.name] = item.reader(text)
        elif isinstance(item, Repeat):
            count = dice.randrange(3)
            texts.append(str(count))
            values[item.name] = [True] * count
            for _ in range(count):
                _fill(item.items, dice, {}, texts, {})
        elif item.test(values):
            _fill(item.items, dice, profile, texts, values)


def mutated(fields: list[str], dice: Random) -> list[str]:
    """The same with some fields replaced, dropped, doubled or swapped."""
    fields = list(fields)
    for _ in range(dice.randrange(1, 4)):
        place, kind = dice.randrange(len(fields)), dice.randrange(5)
        if kind <= 1:
            fields[place] = dice.choice(NASTY)
        elif kind == 2 and len(fields) > 1:
            del fields[place]
        elif kind == 3:
            fields.insert(place, fields[place])
        else:
            other = dice.randrange(len(fields))
            fields[place], fields[other] = fields[other], fields[place]
    return fields


def frame(version: int, dice: Random) -> bytes:
    """One frame: a whole request, a mutated one, now and then one with broken bytes."""
    fields = whole(dice.choice(TABLES), version, dice)
    if dice.random() < 0.6:
        fields = mutated(fields, dice)
    if fields[:1] == ["71"]:
        fields[0] = "49"
    data = bytearray(framed(*fields))
    if dice.random() < 0.1 and len(data) > 4:
        data[dice.randrange(4, len(data))] = dice.randrange(256)
    return bytes(data)


def garbage(dice: Random) -> bytes:
    """Bytes that are no stream of frames; they may end a connection, nothing else."""
    kind = dice.randrange(5)
    if kind == 0:
        return dice.randbytes(dice.randrange(1, 400))
    if kind == 1:
        return struct.pack(">I", 0x01000000 + dice.randrange(1 << 24))
    if kind == 2:
        return struct.pack(">I", dice.randrange(1, 200)) + dice.randbytes(dice.randrange(100))
    if kind == 3:
        return struct.pack(">I", 0) * dice.randrange(1, 50)
    return struct.pack(">I", 300) + bytes(300)
