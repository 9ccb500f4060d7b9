"""Margin of an account that holds stocks, listed options, futures and crypto, and what a cash account ties up.

Stocks: Regulation T takes 50 % initial of a long or short position (12 CFR 220.12), FINRA rule 4210(c) 25 % maintenance
of a long one and 30 % of a short one, at least USD 5.00 a share (below 5.00: all of it, at least 2.50). By day a
day-trading account opens against maintenance alone (rule 4210(f)(8)(B)).
Options: a spread ties up its worst loss at expiry, a covered call nothing beyond its shares, a long option nothing
beyond what it cost. An option that is short without cover is 'naked' and needs its value and 20 % of the underlying
(15 % of an index) less what it is out of the money, at least 10 % of the underlying or of a put's strike
(4210(f)(2)(E)); straddles and strangles are the sum of their sides, which is more than the rule asks.
Futures: the exchanges' margins change by the week, so it is *modelled*: a share of the contract's value as maintenance
and a tenth more as initial margin (CME's ratio for speculators). Crypto has no loan value at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from htbot.domain.instruments import Right, SecType

_ZERO = Decimal(0)
_REG_T = Decimal("0.50")
_LONG_STOCK = Decimal("0.25")
_SHORT_STOCK = Decimal("0.30")
_SHORT_FLOORS = (Decimal(5), Decimal("2.50"))  # a share: at USD 5.00 and more, and below
_NAKED, _NAKED_INDEX, _NAKED_LEAST = Decimal("0.20"), Decimal("0.15"), Decimal("0.10")
_FUTURE_INITIAL = Decimal("1.10")
_OTHER_FUTURE = Decimal("0.08")
_FUTURES = {
    name: Decimal(share)
    for names, share in (
        (("ES", "MES", "NQ", "MNQ", "YM", "MYM", "RTY", "M2K"), "0.05"),
        (("CL", "MCL", "NG"), "0.10"),
        (("GC", "MGC", "SI", "HG"), "0.06"),
        (("ZT", "ZF", "ZN", "TN", "ZB", "UB"), "0.02"),
        (("6E", "6J", "6B", "6A", "6C", "6S"), "0.03"),
    )
    for name in names
}
CURRENCY_HAIRCUT = Decimal("0.025")
"""Margin of a balance in another currency than the account's, long or short: modelled, forty to one."""

PriceOf = Callable[[int], Decimal]


@dataclass(frozen=True, slots=True)
class Holding:
    """A position as margin sees it; `quantity` is signed, `underlying_id` the contract id of an option's underlying.

    `on_index` tells an option that is European and settles in cash.
    """

    con_id: int
    symbol: str
    sec_type: SecType
    quantity: Decimal
    multiplier: int = 1
    underlying_id: int = 0
    expiry: date = date.max
    strike: Decimal = _ZERO
    right: Right | None = None
    on_index: bool = False

    @property
    def units(self) -> Decimal:
        """Quantity x multiplier, signed."""
        return self.quantity * self.multiplier


@dataclass(frozen=True, slots=True)
class Requirement:
    """Margin in USD: by Regulation T, to keep positions, and to open them within the day."""

    initial: Decimal = _ZERO
    maintenance: Decimal = _ZERO
    intraday: Decimal = _ZERO

    def __add__(self, other: Requirement) -> Requirement:
        return Requirement(
            self.initial + other.initial, self.maintenance + other.maintenance, self.intraday + other.intraday
        )


@dataclass(frozen=True, slots=True)
class _Cover:
    """The options of one symbol sorted by what covers what."""

    groups: dict[date, list[Holding]]
    naked: list[Holding]


def requirement(holdings: Iterable[Holding], price_of: PriceOf) -> Requirement:
    """Margin of a whole margin account; `price_of` gives the mark of a contract id in USD."""
    total = Requirement()
    for members in _by_symbol(holdings):
        for holding in members:
            simple = _SIMPLE.get(holding.sec_type)
            if simple is not None:
                total += simple(holding, price_of(holding.con_id))
        cover = _cover(members)
        for group in cover.groups.values():
            total += _flat(worst_loss(group))
        for short in cover.naked:
            total += _flat(_naked_amount(short, price_of))
    return total


def cash_requirement(holdings: Iterable[Holding]) -> Requirement:
    """What a cash account must keep for its short options: the strike of a put, the worst loss of an index spread.

    Spreads of options that deliver shares give no relief: either leg may be exercised alone.
    """
    total = _ZERO
    for members in _by_symbol(holdings):
        groups, puts, _calls = _cash_cover(members)
        total += sum((worst_loss(group) for group in groups), _ZERO)
        total += sum((put.strike * -put.units for put in puts), _ZERO)
    return _flat(total)


def naked_shorts(holdings: Iterable[Holding]) -> list[Holding]:
    """The option positions (or parts of them) that are short without cover."""
    return [short for members in _by_symbol(holdings) for short in _cover(members).naked]


def beyond_cash(holdings: Iterable[Holding]) -> list[Holding]:
    """What a cash account may not hold: anything short, except covered calls, secured puts and index spreads."""
    found: list[Holding] = []
    for members in _by_symbol(holdings):
        found += [held for held in members if held.quantity < 0 and held.sec_type is not SecType.OPTION]
        found += _cash_cover(members)[2]
    return found


def worst_loss(options: Sequence[Holding]) -> Decimal:
    """The largest loss at expiry of options that expire together, premiums left out; never below zero."""
    spots = [_ZERO, *(option.strike for option in options)]
    slope = sum((option.quantity * option.multiplier for option in options if option.right is Right.CALL), _ZERO)
    worst = min(sum((_payoff(option, spot) for option in options), _ZERO) for spot in spots)
    if slope < 0:
        beyond = 2 * max(spots)
        worst = min(worst, sum((_payoff(option, beyond) for option in options), _ZERO))
    return max(_ZERO, -worst)


def _payoff(option: Holding, spot: Decimal) -> Decimal:
    intrinsic = spot - option.strike if option.right is Right.CALL else option.strike - spot
    return max(_ZERO, intrinsic) * option.quantity * option.multiplier


def _flat(amount: Decimal) -> Requirement:
    return Requirement(amount, amount, amount)


def _by_symbol(holdings: Iterable[Holding]) -> list[list[Holding]]:
    found: dict[str, list[Holding]] = defaultdict(list)
    for holding in holdings:
        if holding.quantity:
            found[holding.symbol].append(holding)
    return list(found.values())


def _stock_requirement(stock: Holding, price: Decimal) -> Requirement:
    value = abs(price * stock.quantity)
    if stock.quantity > 0:
        maintenance = _LONG_STOCK * value
    else:
        share, floor = (_SHORT_STOCK, _SHORT_FLOORS[0]) if price >= _SHORT_FLOORS[0] else (Decimal(1), _SHORT_FLOORS[1])
        maintenance = max(share * value, floor * abs(stock.quantity))
    initial = max(_REG_T * value, maintenance)
    return Requirement(initial, maintenance, maintenance)


def _future_requirement(future: Holding, price: Decimal) -> Requirement:
    maintenance = _FUTURES.get(future.symbol, _OTHER_FUTURE) * abs(price * future.units)
    initial = _FUTURE_INITIAL * maintenance
    return Requirement(initial, maintenance, initial)


def _crypto_requirement(coin: Holding, price: Decimal) -> Requirement:
    return _flat(abs(price * coin.quantity))


_SIMPLE: dict[SecType, Callable[[Holding, Decimal], Requirement]] = {
    SecType.STOCK: _stock_requirement,
    SecType.FUTURE: _future_requirement,
    SecType.CONTINUOUS_FUTURE: _future_requirement,
    SecType.CRYPTO: _crypto_requirement,
}


def _naked_amount(short: Holding, price_of: PriceOf) -> Decimal:
    spot = price_of(short.underlying_id)
    is_call = short.right is Right.CALL
    out_of_the_money = max(_ZERO, short.strike - spot if is_call else spot - short.strike)
    share = (_NAKED_INDEX if short.on_index else _NAKED) * spot - out_of_the_money
    least = _NAKED_LEAST * (spot if is_call else short.strike)
    return -short.units * (price_of(short.con_id) + max(share, least))


def _cash_cover(members: Sequence[Holding]) -> tuple[list[list[Holding]], list[Holding], list[Holding]]:
    """Index spreads, puts to be secured in full, and calls that nothing covers."""
    usable = [held for held in members if held.on_index or held.sec_type is SecType.STOCK or held.quantity < 0]
    cover = _cover(usable)
    puts = [short for short in cover.naked if short.right is Right.PUT]
    return list(cover.groups.values()), puts, [short for short in cover.naked if short.right is Right.CALL]


def _cover(members: Sequence[Holding]) -> _Cover:
    """Pair shorts with longs of the same right that live at least as long, calls with shares first."""
    shares = sum((holding.quantity for holding in members if holding.sec_type is SecType.STOCK), _ZERO)
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
            covered = min(open_units, max(_ZERO, shares) // short.multiplier)
            shares -= covered * short.multiplier
            open_units -= covered
        uncovered = open_units
        for long in options:
            if long.right is not short.right or long.expiry < short.expiry:
                continue
            taken = min(uncovered, spare.get(id(long), _ZERO))
            if taken:
                spare[id(long)] -= taken
                uncovered -= taken
                groups[short.expiry].append(replace(long, quantity=taken))
        if open_units > uncovered:
            groups[short.expiry].append(replace(short, quantity=uncovered - open_units))
        if uncovered:
            naked.append(replace(short, quantity=-uncovered))
    return _Cover(groups, naked)
