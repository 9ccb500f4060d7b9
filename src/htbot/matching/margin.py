"""Margin of an account that holds stocks and listed options, by Regulation T and the exchanges' spread rules.

Stocks: 50 % initial, 25 % maintenance of a long position (12 CFR 220.12, FINRA rule 4210(c)), 50 % and 30 % of a short
one. Options: a spread ties up its worst loss at expiry, a covered call nothing beyond its shares, a long option nothing
beyond what it cost. An option that is short without cover is 'naked': the gateway refuses to open one; where one arises
anyhow it needs 20 % of the underlying plus the option's value (FINRA rule 4210(f)(2)).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from htbot.domain.instruments import Right, SecType

_LONG_STOCK = (Decimal("0.50"), Decimal("0.25"))
_SHORT_STOCK = (Decimal("0.50"), Decimal("0.30"))
_NAKED = Decimal("0.20")

PriceOf = Callable[[int], Decimal]


@dataclass(frozen=True, slots=True)
class Holding:
    """A position as margin sees it; `quantity` is signed, `underlying_id` the contract id of an option's underlying."""

    con_id: int
    symbol: str
    sec_type: SecType
    quantity: Decimal
    multiplier: int = 1
    underlying_id: int = 0
    expiry: date = date.max
    strike: Decimal = Decimal(0)
    right: Right | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """Margin in USD."""

    initial: Decimal = Decimal(0)
    maintenance: Decimal = Decimal(0)

    def __add__(self, other: Requirement) -> Requirement:
        return Requirement(self.initial + other.initial, self.maintenance + other.maintenance)


@dataclass(frozen=True, slots=True)
class _Cover:
    """The options of one symbol sorted by what covers what."""

    groups: dict[date, list[Holding]]
    naked: list[Holding]


def requirement(holdings: Iterable[Holding], price_of: PriceOf) -> Requirement:
    """Margin of a whole account; `price_of` gives the mark of a contract id."""
    by_symbol = defaultdict(list)
    for holding in holdings:
        if holding.quantity:
            by_symbol[holding.symbol].append(holding)
    total = Requirement()
    for members in by_symbol.values():
        stocks = [holding for holding in members if holding.sec_type is SecType.STOCK]
        for stock in stocks:
            total += _stock_requirement(stock, price_of(stock.con_id))
        cover = _cover(members)
        for group in cover.groups.values():
            worst = worst_loss(group)
            total += Requirement(worst, worst)
        for short in cover.naked:
            total += _naked_requirement(short, price_of)
    return total


def naked_shorts(holdings: Iterable[Holding]) -> list[Holding]:
    """The option positions (or parts of them) that are short without cover."""
    by_symbol = defaultdict(list)
    for holding in holdings:
        if holding.quantity:
            by_symbol[holding.symbol].append(holding)
    return [short for members in by_symbol.values() for short in _cover(members).naked]


def worst_loss(options: Sequence[Holding]) -> Decimal:
    """The largest loss at expiry of options that expire together, premiums left out; never below zero."""
    spots = [Decimal(0), *(option.strike for option in options)]
    slope = sum((option.quantity * option.multiplier for option in options if option.right is Right.CALL), Decimal(0))
    worst = min(sum((_payoff(option, spot) for option in options), Decimal(0)) for spot in spots)
    if slope < 0:
        beyond = 2 * max(spots)
        worst = min(worst, sum((_payoff(option, beyond) for option in options), Decimal(0)))
    return max(Decimal(0), -worst)


def _payoff(option: Holding, spot: Decimal) -> Decimal:
    intrinsic = spot - option.strike if option.right is Right.CALL else option.strike - spot
    return max(Decimal(0), intrinsic) * option.quantity * option.multiplier


def _stock_requirement(stock: Holding, price: Decimal) -> Requirement:
    initial, maintenance = _LONG_STOCK if stock.quantity > 0 else _SHORT_STOCK
    value = abs(price * stock.quantity)
    return Requirement(initial * value, maintenance * value)


def _naked_requirement(short: Holding, price_of: PriceOf) -> Requirement:
    units = abs(short.quantity) * short.multiplier
    amount = units * (_NAKED * price_of(short.underlying_id) + price_of(short.con_id))
    return Requirement(amount, amount)


def _cover(members: Sequence[Holding]) -> _Cover:
    """Pair shorts with longs of the same right that live at least as long, calls with shares first."""
    shares = sum((holding.quantity for holding in members if holding.sec_type is SecType.STOCK), Decimal(0))
    options = sorted(
        (holding for holding in members if holding.sec_type is SecType.OPTION),
        key=lambda option: (option.expiry, option.strike, option.con_id),
    )
    groups: dict[date, list[Holding]] = defaultdict(list)
    naked: list[Holding] = []
    spare = {id(option): option.quantity for option in options if option.quantity > 0}
    for short in (option for option in options if option.quantity < 0):
        open_units = -short.quantity
        if short.right is Right.CALL:
            covered = min(open_units, max(Decimal(0), shares) // short.multiplier)
            shares -= covered * short.multiplier
            open_units -= covered
        uncovered = open_units
        for long in options:
            if long.right is not short.right or long.expiry < short.expiry:
                continue
            taken = min(uncovered, spare.get(id(long), Decimal(0)))
            if taken:
                spare[id(long)] -= taken
                uncovered -= taken
                groups[short.expiry].append(replace(long, quantity=taken))
        if open_units > uncovered:
            groups[short.expiry].append(replace(short, quantity=uncovered - open_units))
        if uncovered:
            naked.append(replace(short, quantity=-uncovered))
    return _Cover(groups, naked)
