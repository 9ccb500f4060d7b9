"""Algorithms that IB runs over an order: accepted by name and parameter, worked as the plain order under them.

Names and parameters: https://interactivebrokers.github.io/tws-api/ibalgos.html. The gateway echoes them and does not
slice, delay or hide anything: the order fills as one of its type would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from htbot.domain.instruments import SecType
from htbot.matching.terms import OrderKind
from htbot.paper.contracts import Tradable
from htbot.paper.errors import RequestError

_WINDOW = ("startTime", "endTime")
_COMMON = frozenset({"conditionalPrice", "monetaryValue", "allowPastEndTime", *_WINDOW})
_PARAMETERS: dict[str, frozenset[str]] = {
    name: _COMMON | frozenset(own)
    for name, own in {
        "Adaptive": ("adaptivePriority",),
        "ArrivalPx": ("maxPctVol", "riskAversion", "forceCompletion"),
        "BalanceImpactRisk": ("maxPctVol", "riskAversion", "forceCompletion"),
        "ClosePx": ("maxPctVol", "riskAversion", "forceCompletion"),
        "DarkIce": ("displaySize",),
        "MinImpact": ("maxPctVol",),
        "PctVol": ("pctVol", "noTakeLiq"),
        "PctVolPx": ("pctVol", "deltaPctVol", "minPctVol4Px", "maxPctVol4Px", "noTakeLiq"),
        "PctVolSz": ("startPctVol", "endPctVol", "noTakeLiq"),
        "PctVolTm": ("startPctVol", "endPctVol", "noTakeLiq"),
        "Twap": ("strategyType",),
        "Vwap": ("maxPctVol", "noTakeLiq", "speedUp"),
        "AD": (
            "componentSize", "timeBetweenOrders", "randomizeTime20", "randomizeSize55", "giveUp", "catchUp",
            "waitForFill", "activeTimeStart", "activeTimeEnd",
        ),
    }.items()
}  # fmt: skip
_PRIORITIES = {"Urgent", "Normal", "Patient"}
_KINDS = {OrderKind.MARKET, OrderKind.LIMIT, OrderKind.RELATIVE}
_SEC_TYPES = {SecType.STOCK, SecType.OPTION, SecType.FUTURE, SecType.FOREX}


def check_algo(values: Mapping[str, Any], kind: OrderKind, tradable: Tradable) -> str:
    """The algorithm's name, empty for none.

    Raises:
        RequestError: 439 unknown, 442 not for this order, 443 unknown parameter, 441 impossible value.
    """
    name = str(values["algoStrategy"])
    if not name:
        return ""
    allowed = _PARAMETERS.get(name)
    if allowed is None:
        raise RequestError(439, f"Order processing failed. Algorithm definition not found: {name[:40]}")
    if kind not in _KINDS or tradable.is_combination or tradable.details[0].contract.sec_type not in _SEC_TYPES:
        raise RequestError(442, f"Specified algorithm is not allowed for this order: {name}")
    parameters = {row["tag"]: row["value"] for row in values.get("algoParams") or ()}
    for parameter in parameters:
        if parameter not in allowed:
            raise RequestError(443, f"Order processing failed. Unknown algo attribute: {parameter[:40]}")
    if name == "Adaptive" and parameters.get("adaptivePriority", "Normal") not in _PRIORITIES:
        text = f"Algo attributes validation failed: adaptivePriority is one of {', '.join(sorted(_PRIORITIES))}"
        raise RequestError(441, text)
    return name
