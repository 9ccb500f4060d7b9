"""Two accounts of one day held against each other: where they part first, and what each side knew there.

Pure. Which two they are is the caller's business: parity compares the record of the real stack with a backtest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from htbot.backtest.spread_request import SpreadResult
from htbot.domain.bars import Bar
from htbot.domain.fills import Fill
from htbot.domain.orders import OrderIntent
from htbot.domain.sessions import Session
from htbot.domain.signals import Evaluation, Signal, SpreadLeg
from htbot.domain.trades import Trade, TradeState

KINDS = ("bar", "evaluation", "signal", "intent", "fill", "trade")
"""What is compared, causes before effects: of two differences at one instant the earlier kind is told."""

_HINTS: Mapping[tuple[str, str], str] = {
    ("evaluation", "indicators"): "the indicators began at another bar, or with other settings: compare history_from",
    ("evaluation", "why_not"): "the same measures led to another answer: compare spent levels, limits and halts",
    ("intent", "limit"): "the legs were quoted otherwise at the decision",
    ("fill", "at"): "the order reached the exchange later, or its limit walked otherwise: compare latency_s",
    ("fill", "price"): "the legs were quoted otherwise, or the limit was another",
    ("fill", "commission"): "another price plan: compare plan",
}
_HINTS_BY_KIND: Mapping[str, str] = {
    "bar": "the two sides read other data: compare data and seed",
    "signal": "the decision differs, its evaluation did not: compare limits and the account",
    "intent": "the same signal led to another order",
    "fill": "compare the fill rules, latency_s and plan",
    "trade": "the same fills were summed up otherwise",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that happened. `key` is the same on both sides, `fields` is what must be equal."""

    kind: str
    key: str
    at: datetime
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DayRows:
    """A day as one side tells it: closed bars, looks, signals with their refusals, intents, fills, closed trades."""

    bars: Sequence[Bar]
    evaluations: Sequence[Evaluation]
    signals: Sequence[tuple[Signal, str | None]]
    intents: Sequence[OrderIntent]
    fills: Sequence[Fill]
    trades: Sequence[Row]

    def rows(self, session: Session) -> Iterator[Row]:
        """Everything of a session's regular hours; what tasks note after the close decides nothing."""
        yield from (_bar(bar) for bar in self.bars)
        yield from (_evaluation(one) for one in self.evaluations if session.contains(one.as_of))
        yield from (_signal(*one) for one in self.signals)
        yield from (_intent(one) for one in self.intents)
        yield from _fills(self.fills)
        yield from self.trades


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference in time; a side that has nothing there is None.

    `bar` and `looked` are the last bar that had closed and the last look, as each side has them.
    """

    at: datetime
    kind: str
    key: str
    differing: tuple[str, ...]
    stack: Mapping[str, Any] | None
    backtest: Mapping[str, Any] | None
    bar: Mapping[str, Mapping[str, Any] | None]
    looked: Mapping[str, Mapping[str, Any] | None]
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many rows of each kind were held against each other, and where they part."""

    compared: Mapping[str, int]
    divergence: Divergence | None

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return self.divergence is None


def rows_of_result(result: SpreadResult) -> DayRows:
    """A backtest's account of its day."""
    return DayRows(
        bars=result.bars,
        evaluations=result.evaluations,
        signals=[(one.signal, one.refused_by) for one in result.signals],
        intents=result.intents,
        fills=result.fills,
        trades=[
            _trade(
                (trade.id, trade.closed_at),
                (trade.credit, trade.debit, trade.gross_pnl, trade.commissions, trade.net_pnl, trade.max_gain),
                (trade.direction, trade.quantity, trade.opened_at, trade.exit_reason, trade.config_hash),
            )
            for trade in result.trades
        ],
    )


def rows_of_trades(trades: Iterable[Trade]) -> list[Row]:
    """The closed ones of a record's trades."""
    return [
        _trade(
            (trade.id, trade.closed_at),
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


def compare(stack: DayRows, backtest: DayRows, session: Session) -> Comparison:
    """Hold two accounts of one session against each other."""
    ours, theirs = _by_key(stack.rows(session)), _by_key(backtest.rows(session))
    keys = sorted({*ours, *theirs}, key=lambda key: _when(key, ours, theirs))
    counts = {kind: sum(key[0] == kind for key in keys) for kind in KINDS}
    compared = {f"{kind}s": count for kind, count in counts.items()}
    first = next((key for key in keys if not _alike(ours.get(key), theirs.get(key))), None)
    if first is None:
        return Comparison(compared, None)
    return Comparison(compared, _divergence(first, ours, theirs))


# --- rows -------------------------------------------------------------------------------------------------------------


def _bar(bar: Bar) -> Row:
    prices = {"open": bar.open, "high": bar.high, "low": bar.low, "close": bar.close, "volume": bar.volume}
    return Row("bar", bar.start.isoformat(), bar.end, {"start": bar.start, "minutes": bar.minutes, **prices})


def _evaluation(one: Evaluation) -> Row:
    measures = {"trend": one.trend, "high": one.high, "low": one.low, "indicators": dict(one.indicators)}
    return Row("evaluation", one.as_of.isoformat(), one.as_of, {**measures, "why_not": one.why_not})


def _signal(signal: Signal, refused_by: str | None) -> Row:
    fields = {
        "ts": signal.as_of,
        "direction": int(signal.direction),
        "level": signal.level,
        "price": signal.price,
        "trend": signal.trend,
        "accepted": refused_by is None,
        "reason": refused_by or signal.reason,
    }
    return Row("signal", signal.as_of.isoformat(), signal.as_of, fields)


def _intent(one: OrderIntent) -> Row:
    fields = {
        "ts": one.created_at,
        "ref": one.ref,
        "purpose": one.purpose.value,
        "action": one.action.value,
        "legs": [f"{leg.ratio:+d} {_name(leg)}" for leg in one.spread_legs],
        "limit": one.limit,
        "worst_limit": one.worst_limit,
        "quantity": one.quantity,
        "style": one.style.value,
        "good_till": one.good_till,
        "exit_reason": None if one.exit_reason is None else one.exit_reason.value,
    }
    return Row("intent", one.ref, one.created_at, fields)


def _fills(fills: Iterable[Fill]) -> Iterator[Row]:
    """Executions in order of time; parts of one leg of one order are told apart by their number."""
    seen: dict[tuple[str, int], int] = {}
    for fill in sorted(fills, key=lambda one: (one.executed_at, one.ref)):
        number = seen[fill.ref, fill.con_id] = seen.get((fill.ref, fill.con_id), 0) + 1
        fields = {
            "at": fill.executed_at,
            "leg": f"{fill.symbol} {fill.expiry} {_strike(fill.strike)} {fill.right.value if fill.right else ''}",
            "side": fill.side.value,
            "price": fill.price,
            "quantity": fill.quantity,
            "commission": fill.commission,
            "modelled": fill.modelled,
        }
        yield Row("fill", f"{fill.ref} {fields['leg']} {number}", fill.executed_at, fields)


def _trade(which: tuple[str, datetime], money: Sequence[object], facts: Sequence[object]) -> Row:
    trade_id, closed_at = which
    named = dict(zip(("credit", "debit", "gross_pnl", "commissions", "net_pnl", "max_gain"), money, strict=True))
    names = ("direction", "quantity", "opened_at", "exit_reason", "config_hash")
    return Row("trade", trade_id, closed_at, {"closed_at": closed_at, **named, **dict(zip(names, facts, strict=True))})


def _name(leg: SpreadLeg) -> str:
    return f"{leg.symbol} {leg.expiry} {_strike(leg.strike)} {leg.right.value}"


def _strike(strike: object) -> str:
    text = f"{strike:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


# --- comparing --------------------------------------------------------------------------------------------------------

_Key = tuple[str, str]
_Side = Mapping[_Key, Row]


def _by_key(rows: Iterable[Row]) -> dict[_Key, Row]:
    return {(row.kind, row.key): row for row in rows}


def _when(key: _Key, ours: _Side, theirs: _Side) -> tuple[datetime, int, str]:
    times = [side[key].at for side in (ours, theirs) if key in side]
    return min(times), KINDS.index(key[0]), key[1]


def _alike(one: Row | None, other: Row | None) -> bool:
    return one is not None and other is not None and one.fields == other.fields


def _divergence(key: _Key, ours: _Side, theirs: _Side) -> Divergence:
    one, other = ours.get(key), theirs.get(key)
    at = _when(key, ours, theirs)[0]
    differing: tuple[str, ...] = ()
    if one is not None and other is not None:
        differing = tuple(name for name in one.fields if one.fields[name] != other.fields.get(name))
    return Divergence(
        at=at,
        kind=key[0],
        key=key[1],
        differing=differing,
        stack=None if one is None else one.fields,
        backtest=None if other is None else other.fields,
        bar={"stack": _last(ours, "bar", at), "backtest": _last(theirs, "bar", at)},
        looked={"stack": _last(ours, "evaluation", at), "backtest": _last(theirs, "evaluation", at)},
        reason=_reason(key, one, other, differing),
    )


def _last(side: _Side, kind: str, at: datetime) -> Mapping[str, Any] | None:
    known = [row for row in side.values() if row.kind == kind and row.at <= at]
    if not known:
        return None
    row = max(known, key=lambda one: one.at)
    return {"at": row.at, **row.fields}


def _reason(key: _Key, one: Row | None, other: Row | None, differing: Sequence[str]) -> str:
    kind, name = key
    if one is None or other is None:
        has, has_not = ("stack", "backtest") if other is None else ("backtest", "stack")
        return (
            f"the {has} has the {kind} {name}, the {has_not} does not: {_HINTS_BY_KIND.get(kind, 'compare the looks')}"
        )
    field = differing[0]
    hint = _HINTS.get((kind, field)) or _HINTS_BY_KIND.get(kind, "compare the looks before it")
    values = f"is {one.fields[field]} in the stack, {other.fields[field]} in the backtest"
    return f"{field} of the {kind} {name} {values}: {hint}"
