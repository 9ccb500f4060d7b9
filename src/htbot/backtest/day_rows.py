"""What happened on a day, as rows that two accounts of it can be held against each other by.

Pure. One day holds every strategy of it: they share an account. `backtest.parity_compare` compares two of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from htbot.domain.bars import Bar
from htbot.domain.fills import Fill
from htbot.domain.orders import OrderIntent
from htbot.domain.sessions import Session
from htbot.domain.signals import Evaluation, Leg, Signal
from htbot.domain.trades import Trade, TradeState

KINDS = ("bar", "evaluation", "signal", "intent", "fill", "trade")
"""What is compared, causes before effects: of two differences at one instant the earlier kind is told."""


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that happened. `key` is the same on both sides, `fields` is what must be equal.

    `of` is what it belongs to: the symbol of a bar, else the strategy, so that what others did can be left out.
    """

    kind: str
    key: str
    at: datetime
    fields: Mapping[str, Any]
    of: str


class KnownBar(NamedTuple):
    """A closed bar with the market time from which decisions could read it."""

    bar: Bar
    known_at: datetime


@dataclass(frozen=True, slots=True)
class DayRows:
    """What one side tells of its days: bars, looks, signals with their refusals, intents, fills, closed trades."""

    bars: Sequence[KnownBar]
    evaluations: Sequence[Evaluation]
    signals: Sequence[tuple[Signal, str | None]]
    intents: Sequence[OrderIntent]
    fills: Sequence[Fill]
    trades: Sequence[Row]

    def rows(self, *sessions: Session) -> Iterator[Row]:
        """Everything of the regular hours of sessions; what tasks note after a close decides nothing."""
        owners = {one.ref: one.strategy for one in self.intents}
        yield from map(_bar, self.bars)
        yield from (
            _evaluation(one) for one in self.evaluations if any(one_of.contains(one.as_of) for one_of in sessions)
        )
        yield from (_signal(*one) for one in self.signals)
        yield from map(_intent, self.intents)
        yield from _fills(self.fills, owners)
        yield from self.trades


def merged(days: Iterable[DayRows]) -> DayRows:
    """What several parts of a day come to: strategies that were played apart, on bars that they may share."""
    parts = list(days)
    bars = dict.fromkeys(bar for part in parts for bar in part.bars)
    return DayRows(
        bars=list(bars),
        evaluations=[one for part in parts for one in part.evaluations],
        signals=[one for part in parts for one in part.signals],
        intents=[one for part in parts for one in part.intents],
        fills=[one for part in parts for one in part.fills],
        trades=[one for part in parts for one in part.trades],
    )


def rows_of_trades(trades: Iterable[Trade]) -> list[Row]:
    """The closed ones of some trades."""
    return [
        trade_row(
            (trade.id, trade.strategy, trade.closed_at),
            (
                trade.credit,
                trade.debit,
                trade.gross_pnl_usd,
                trade.commissions_usd,
                trade.net_pnl_usd,
                trade.max_gain_usd,
            ),
            (
                int(trade.direction),
                trade.quantity,
                trade.opened_at,
                None if trade.exit_reason is None else trade.exit_reason.value,
                trade.config_hash,
            ),
        )
        for trade in trades
        if trade.state is TradeState.CLOSED and trade.closed_at is not None
    ]


def trade_row(which: tuple[str, str, datetime], money: Sequence[object], facts: Sequence[object]) -> Row:
    """A closed trade: id, strategy and end; credit, debit, gross, commissions, net, best gain; and what it was."""
    trade_id, strategy, closed_at = which
    named = dict(zip(("credit", "debit", "gross_pnl", "commissions", "net_pnl", "max_gain"), money, strict=True))
    names = ("direction", "quantity", "opened_at", "exit_reason", "config_hash")
    fields = {"strategy": strategy, "closed_at": closed_at, **named, **dict(zip(names, facts, strict=True))}
    return Row("trade", trade_id, closed_at, fields, strategy)


def _bar(known: KnownBar) -> Row:
    bar, known_at = known
    prices = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "volume": bar.volume}
    place = {"symbol": bar.symbol, "minutes": bar.minutes, "start": bar.start}
    key = f"{bar.symbol} {bar.minutes} min {bar.start.isoformat()}"
    return Row("bar", key, bar.end, {**place, **prices, "known_at": known_at}, bar.symbol)


def _evaluation(one: Evaluation) -> Row:
    measures = {"trend": one.trend, "high": one.high, "low": one.low, "indicators": dict(one.indicators)}
    fields = {"strategy": one.strategy, "symbol": one.symbol, **measures, "why_not": one.why_not}
    return Row("evaluation", f"{one.strategy} {one.as_of.isoformat()}", one.as_of, fields, one.strategy)


def _signal(signal: Signal, refused_by: str | None) -> Row:
    fields = {
        "strategy": signal.strategy,
        "symbol": signal.symbol,
        "ts": signal.as_of,
        "action": signal.action,
        "bar_start": signal.bar_start,
        "direction": int(signal.direction),
        "level": signal.level,
        "price": signal.price,
        "trend": signal.trend,
        "levels": dict(signal.levels),
        "accepted": refused_by is None,
        "reason": refused_by or signal.reason,
    }
    start = "" if signal.bar_start is None else f" {signal.bar_start.isoformat()}"
    key = f"{signal.strategy} {signal.as_of.isoformat()} {signal.action}{start}"
    return Row("signal", key, signal.as_of, fields, signal.strategy)


def _intent(one: OrderIntent) -> Row:
    fields = {
        "ts": one.created_at,
        "ref": one.ref,
        "trade": one.trade_id,
        "purpose": one.purpose.value,
        "action": one.action.value,
        "legs": [f"{leg.ratio:+d} {_name(leg)}" for leg in one.legs],
        "limit": one.limit,
        "worst_limit": one.worst_limit,
        "quantity": one.quantity,
        "style": one.style.value,
        "good_till": one.good_till,
        "exit_reason": None if one.exit_reason is None else one.exit_reason.value,
        "group": one.group,
        **({} if one.level is None else {"level": one.level}),
    }
    return Row("intent", one.ref, one.created_at, fields, one.strategy)


def _fills(fills: Iterable[Fill], owners: Mapping[str, str]) -> Iterator[Row]:
    """Executions in order of time; parts of one leg of one order are told apart by their number."""
    seen: dict[tuple[str, int], int] = {}
    for fill in sorted(fills, key=lambda one: (one.executed_at, one.ref)):
        number = seen[fill.ref, fill.con_id] = seen.get((fill.ref, fill.con_id), 0) + 1
        fields = {
            "at": fill.executed_at,
            "leg": _name(fill),
            "side": fill.side.value,
            "price": fill.price,
            "quantity": fill.quantity,
            "commission": fill.commission,
            "modelled": fill.modelled,
        }
        key = f"{fill.ref} {fields['leg']} {number}"
        yield Row("fill", key, fill.executed_at, fields, owners.get(fill.ref, ""))


def _name(leg: Leg | Fill) -> str:
    """`SPX 2026-11-19 5560 P`, or `SPY`."""
    if leg.expiry is None or leg.right is None:
        return leg.symbol
    return f"{leg.symbol} {leg.expiry} {_strike(leg.strike)} {leg.right.value}"


def _strike(strike: object) -> str:
    text = f"{strike:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
