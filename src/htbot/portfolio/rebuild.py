"""The books made again from fills, from zero, and held against what is stored (positions, trades, results of days).

Fills are the only thing believed. Amounts are compared to the sixth decimal, as the record keeps them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.domain.positions import Position
from htbot.domain.trades import RECORDED, Trade, TradeState, less, recorded, sum_of
from htbot.portfolio.pnl import TradeResult, trade_result
from htbot.portfolio.positions import fold, latest

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class TradeBook:
    """A stored trade and the leg executions of its entry and of its exits."""

    trade: Trade
    entry: tuple[Fill, ...]
    exits: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class DayBook:
    """The stored result of one account on one session day."""

    account: str
    day: date
    gross_usd: Decimal | None
    commissions_usd: Decimal | None
    net_usd: Decimal | None
    trades: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A stored value that the fills do not give; amounts as text to the cent or finer, None = there is none."""

    table: str
    key: str
    field: str
    stored: str | None
    rebuilt: str | None


def rebuild(
    fills: Sequence[Fill], positions: Sequence[Position], trades: Sequence[TradeBook], days: Sequence[DayBook]
) -> list[Difference]:
    """Everything that is stored otherwise than the fills give it."""
    results: dict[str, TradeResult] = {}
    found = check_positions(fills, positions)
    for book in trades:
        try:
            results[book.trade.id] = trade_result(book.trade.legs, book.entry, book.exits)
        except StopTrading as error:
            found.append(Difference("trades", book.trade.id, "fills", None, str(error)))
        else:
            found += check_trade(book, results[book.trade.id])
    return [*found, *check_days([book.trade for book in trades], results, days)]


def check_positions(fills: Iterable[Fill], stored: Iterable[Position]) -> list[Difference]:
    """Stored positions against the fold of all fills; contracts that were closed are kept with quantity 0."""
    folded = fold(fills)
    kept = {(position.account, position.con_id): position for position in stored}
    found = []
    for key in sorted(folded.keys() | kept.keys()):
        name = f"{key[0]} {key[1]}"
        ours, made = kept.get(key), folded.get(key)
        if ours is None or made is None:
            found.append(Difference("positions", name, "row", _there(ours), _there(made)))
            continue
        fields = ("multiplier", "quantity", "average_price", "realized_usd", "commissions_usd")
        found += _compare("positions", name, {field: (getattr(ours, field), getattr(made, field)) for field in fields})
    return found


def check_trade(book: TradeBook, result: TradeResult) -> list[Difference]:
    """A stored trade against the result of its fills."""
    trade = book.trade
    values: dict[str, tuple[object, object]] = {"credit": (trade.credit, result.credit)}
    closed = result.closed > 0
    values["debit"] = (trade.debit, result.debit if closed else None)
    values["gross_pnl_usd"] = (trade.gross_pnl_usd, result.gross_usd if closed else None)
    if result.opened:
        values["quantity"] = (trade.quantity, result.opened)
        values["closed"] = (trade.closed, result.closed)
        values["commissions_usd"] = (trade.commissions_usd, result.commissions_usd)
    if trade.state is TradeState.CLOSED and closed:
        last = max(fill.executed_at for fill in latest(book.exits))
        values["closed_at"] = (trade.closed_at, max(last, trade.opened_at))
    state = _state(trade.state, result)
    values["state"] = (trade.state.value, state.value)
    return _compare("trades", trade.id, values)


def _state(stored: TradeState, result: TradeResult) -> TradeState:
    """What the fills allow: a closed trade has given back all that it opened, a void one has opened nothing."""
    if stored is TradeState.CLOSED and (result.opened == 0 or result.closed < result.opened):
        return TradeState.OPEN if result.opened else TradeState.VOID
    if stored is TradeState.VOID and result.opened:
        return TradeState.CLOSED if result.closed == result.opened else TradeState.OPEN
    if stored is TradeState.OPENING and result.opened:
        return TradeState.OPEN
    return stored


def check_days(
    trades: Sequence[Trade], results: Mapping[str, TradeResult], stored: Iterable[DayBook]
) -> list[Difference]:
    """Stored results of days against the sums over the trades that were closed on them."""
    kept = {(day.account, day.day): day for day in stored}
    closed: dict[tuple[str, date], list[TradeResult]] = {}
    for trade in trades:
        if _closed(trade, results):
            closed.setdefault((trade.account, trade.counted_on), []).append(results[trade.id])
    found = []
    for key in sorted(kept.keys() | closed.keys()):
        name = f"{key[0]} {key[1].isoformat()}"
        if key not in kept or key not in closed:
            found.append(Difference("pnl_daily", name, "row", _there(kept.get(key)), _there(key in closed or None)))
        else:
            found += _compare("pnl_daily", name, _day_values(kept[key], closed[key]))
    return found


def _closed(trade: Trade, results: Mapping[str, TradeResult]) -> bool:
    result = results.get(trade.id)
    return trade.state is TradeState.CLOSED and result is not None and 0 < result.opened == result.closed


def _day_values(stored: DayBook, closed: Sequence[TradeResult]) -> dict[str, tuple[object, object]]:
    gross, fees = (
        sum_of(recorded(getattr(result, name)) for result in closed) for name in ("gross_usd", "commissions_usd")
    )
    return {
        "trades": (stored.trades, len(closed)),
        "gross_usd": (stored.gross_usd, gross),
        "commissions_usd": (stored.commissions_usd, fees),
        "net_usd": (stored.net_usd, less(gross, fees)),
    }


def _compare(table: str, key: str, values: Mapping[str, tuple[object, object]]) -> list[Difference]:
    return [
        Difference(table, key, field, _text(stored), _text(rebuilt))
        for field, (stored, rebuilt) in values.items()
        if _text(stored) != _text(rebuilt)
    ]


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, Decimal):
        return str(value)
    exact = value.quantize(RECORDED)
    cents = exact.quantize(_CENT)
    return format(cents if cents == exact else exact.normalize(), "f")


def _there(value: object) -> str | None:
    return None if value is None else "there"
