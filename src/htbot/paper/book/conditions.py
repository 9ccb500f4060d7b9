"""Conditions of an order: price, time, margin, execution, volume, percent change, joined by and / or.

An order with conditions is held (PreSubmitted) until they are true once; with `conditionsCancelOrder` it works at once
and is cancelled when they become true (https://interactivebrokers.github.io/tws-api/order_conditions.html).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from htbot.paper.errors import RequestError, invalid
from htbot.paper.wire.times import parse_stamp
from htbot.paper.wire.values import INT, MAYBE_DECIMAL, WireError, read

_INCOMPLETE = 147
_MOST = 100


class Facts(Protocol):
    """What conditions ask the world; None = not known, which makes no condition true."""

    @property
    def at(self) -> datetime:
        """Market time, aware UTC."""
        ...

    def price(self, con_id: int, method: int, *, rising: bool) -> Decimal | None:
        """Price of a contract by IB's trigger method."""
        ...

    def volume(self, con_id: int) -> Decimal | None:
        """Volume of the running session."""
        ...

    def change_percent(self, con_id: int) -> Decimal | None:
        """Change since the previous close, in percent."""
        ...

    def cushion_percent(self, account: str) -> Decimal | None:
        """Excess liquidity in percent of the net liquidation."""
        ...

    def executed_since(self, account: str, since: datetime, contract: Mapping[str, str]) -> bool:
        """Whether a contract with these fields traded in the account."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose conditions they are."""

    account: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; `limit` is its price, volume, percentage or time, `and_next` how the next one is joined."""

    kind: int
    and_next: bool
    is_more: bool = True
    limit: Decimal = Decimal(0)
    moment: datetime | None = None
    con_id: int = 0
    method: int = 0
    contract: tuple[tuple[str, str], ...] = ()

    def holds(self, facts: Facts, owner: Owner) -> bool:
        """Whether it is true now."""
        return _TESTS[self.kind](self, facts, owner)

    def compares(self, value: Decimal | None) -> bool:
        """Whether a value is on the wanted side of the limit, the limit itself included."""
        if value is None:
            return False
        return value >= self.limit if self.is_more else value <= self.limit


@dataclass(frozen=True, slots=True)
class Conditions:
    """All conditions of an order; without any it is not held."""

    items: tuple[Condition, ...] = ()
    ignore_rth: bool = False
    cancel: bool = False

    @property
    def hold(self) -> bool:
        """Whether the order waits for its conditions."""
        return bool(self.items) and not self.cancel

    def met(self, facts: Facts, owner: Owner) -> bool:
        """Whether they are true together, read from the left as they are joined."""
        if not self.items:
            return False
        result = self.items[0].holds(facts, owner)
        for left, right in zip(self.items, self.items[1:], strict=False):
            true = right.holds(facts, owner)
            result = (result and true) if left.and_next else (result or true)
        return result


def _price(condition: Condition, facts: Facts, _owner: Owner) -> bool:
    return condition.compares(facts.price(condition.con_id, condition.method, rising=condition.is_more))


def _time(condition: Condition, facts: Facts, _owner: Owner) -> bool:
    moment = condition.moment
    return moment is not None and (facts.at >= moment if condition.is_more else facts.at <= moment)


def _margin(condition: Condition, facts: Facts, owner: Owner) -> bool:
    return condition.compares(facts.cushion_percent(owner.account))


def _execution(condition: Condition, facts: Facts, owner: Owner) -> bool:
    return facts.executed_since(owner.account, owner.since, dict(condition.contract))


def _volume(condition: Condition, facts: Facts, _owner: Owner) -> bool:
    return condition.compares(facts.volume(condition.con_id))


def _change(condition: Condition, facts: Facts, _owner: Owner) -> bool:
    return condition.compares(facts.change_percent(condition.con_id))


PRICE, TIME, MARGIN, EXECUTION, VOLUME, CHANGE = 1, 3, 4, 5, 6, 7
_TESTS: dict[int, Callable[[Condition, Facts, Owner], bool]] = {
    PRICE: _price,
    TIME: _time,
    MARGIN: _margin,
    EXECUTION: _execution,
    VOLUME: _volume,
    CHANGE: _change,
}
# what the texts of a condition on the wire are, after how it is joined to the next
_NAMES: dict[int, tuple[str, ...]] = {
    PRICE: ("is_more", "limit", "con_id", "exchange", "method"),
    TIME: ("is_more", "moment"),
    MARGIN: ("is_more", "limit"),
    EXECUTION: ("secType", "exchange", "symbol"),
    VOLUME: ("is_more", "limit", "con_id", "exchange"),
    CHANGE: ("is_more", "limit", "con_id", "exchange"),
}


def conditions_from(values: Mapping[str, Any], known: Callable[[int], bool]) -> Conditions:
    """The conditions of an order message; `known` tells whether a contract id exists.

    Raises:
        RequestError: 147 for a contract that is none, 321 for anything else that is wrong.
    """
    rows: Sequence[Mapping[str, Any]] = values.get("conditions") or ()
    if len(rows) > _MOST:
        raise invalid(f"{len(rows)} conditions: an order has at most {_MOST}")
    items = tuple(_condition(row, known) for row in rows)
    if not items:
        return Conditions()
    return Conditions(items, bool(values.get("conditionsIgnoreRth")), bool(values.get("conditionsCancelOrder")))


def _condition(row: Mapping[str, Any], known: Callable[[int], bool]) -> Condition:
    kind = row["condType"]
    names = _NAMES.get(kind)
    if names is None:
        raise invalid(f"Invalid order condition type {kind}")
    texts = {name: str(row[f"value{index}"]) for index, name in enumerate(names, start=1)}
    and_next = str(row["value0"]).lower() != "o"
    is_more = texts.get("is_more", "1") in {"1", "true"}
    if kind == EXECUTION:
        contract = tuple((name, texts[name].upper()) for name in names)
        return Condition(kind, and_next, contract=contract)
    try:
        if kind == TIME:
            return Condition(kind, and_next, is_more, moment=parse_stamp(texts["moment"]))
        con_id, method = (read(name, INT, texts.get(name, "")) for name in ("con_id", "method"))
        limit = read("limit", MAYBE_DECIMAL, texts["limit"])
    except WireError as error:
        raise invalid(f"Invalid value in an order condition of type {kind}") from error
    if limit is None:
        raise invalid(f"An order condition of type {kind} needs its value")
    if "con_id" in texts and not known(con_id):
        raise RequestError(_INCOMPLETE, "The conditional contract info is incomplete.")
    return Condition(kind, and_next, is_more, limit, con_id=con_id, method=method)
