"""The field groups of contracts that many messages share (TWS_PROTOCOL sections 3 and 4)."""

from __future__ import annotations

from htbot.paper.wire.tables import Field, Item, Repeat, When
from htbot.paper.wire.values import DECIMAL, INT

CONTRACT_12: tuple[Item, ...] = (
    Field("conId", INT),
    Field("symbol"),
    Field("secType"),
    Field("lastTradeDateOrContractMonth"),
    Field("strike", DECIMAL, default=0),
    Field("right"),
    Field("multiplier"),
    Field("exchange"),
    Field("primaryExchange"),
    Field("currency"),
    Field("localSymbol"),
    Field("tradingClass"),
)

CONTRACT_11: tuple[Item, ...] = tuple(
    item for item in CONTRACT_12 if isinstance(item, Field) and item.name != "primaryExchange"
)

COMBO_LEGS = When(
    lambda values: values["secType"] == "BAG",
    (Repeat("comboLegs", (Field("conId", INT), Field("ratio", INT), Field("action"), Field("exchange"))),),
)

DELTA_NEUTRAL: tuple[Item, ...] = (
    Field("deltaNeutral", INT, default=0),
    When(
        lambda values: bool(values.get("deltaNeutral")),
        (Field("deltaNeutralContractId", INT), Field("deltaNeutralDelta"), Field("deltaNeutralPrice")),
    ),
)
