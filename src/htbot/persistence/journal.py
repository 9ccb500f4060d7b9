"""The journal of a day as canonical text: two days that went the same way have the same bytes.

Market times only; no wall time, no serial number, no id that the broker deals out. Lines of a kind are in order of
their natural keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.domain.bars import Bar
from htbot.domain.fills import Fill
from htbot.domain.orders import Order
from htbot.domain.signals import Evaluation, Leg
from htbot.domain.trades import Trade
from htbot.persistence.engine import to_json
from htbot.persistence.records import StoredAlert, StoredIntent, StoredSignal
from htbot.persistence.repositories import (
    AccountRepository,
    AlertRepository,
    BarRepository,
    EvaluationRepository,
    FillRepository,
    IntentRepository,
    OrderRepository,
    SignalRepository,
    TradeRepository,
)

Field = str | int | float | bool | Decimal | datetime | date | None


def day_journal(session: Session, world_id: str, day: date) -> str:
    """Everything that happened in one world on one session day, a line each.

    First the bars, then account by account: evaluations, signals, intents, orders, fills, trades, alerts.
    """
    lines = [_bar(bar, known_at) for bar, known_at in BarRepository(session).of_day(world_id, day)]
    for account in AccountRepository(session).all(world_id):
        lines += _of_account(session, account.account, day)
    return "".join(f"{line}\n" for line in lines)


def _of_account(session: Session, account: str, day: date) -> Iterator[str]:
    yield from map(_evaluation, EvaluationRepository(session).of_day(day, account))
    yield from sorted(map(_signal, SignalRepository(session).of_session(day, account)))
    yield from map(_intent, IntentRepository(session).of_session(day, account))
    yield from map(_order, OrderRepository(session).of_session(day, account))
    yield from sorted(map(_fill, FillRepository(session).of_session(day, account)))
    yield from map(_trade, TradeRepository(session).of_session(day, account))
    alerts = AlertRepository(session).of_day(day, account)
    yield from (_alert(stored) for stored in alerts if stored.alert.account == account)


def _line(kind: str, fields: Iterable[tuple[str, Field]]) -> str:
    return "\t".join([kind, *(f"{name}={_text(value)}" for name, value in fields)])


def _text(value: Field) -> str:
    """One spelling per value; text is quoted as JSON, so that it cannot break a line."""
    if value is None:
        return "-"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal | int):
        return str(value)
    return to_json(value)


def _legs(legs: Iterable[Leg]) -> str:
    return " ".join(f"{leg.ratio:+d} {_named(leg)}" for leg in legs)


def _named(leg: Leg) -> str:
    if leg.expiry is None or leg.right is None:
        return leg.symbol
    return f"{leg.symbol} {leg.expiry} {leg.strike} {leg.right.value}"


def _bar(bar: Bar, known_at: datetime) -> str:
    return _line(
        "bar",
        [
            ("symbol", bar.symbol),
            ("minutes", bar.minutes),
            ("start", bar.start),
            ("open", bar.open),
            ("high", bar.high),
            ("low", bar.low),
            ("close", bar.close),
            ("volume", bar.volume),
            ("known_at", known_at),
        ],
    )


def _evaluation(evaluation: Evaluation) -> str:
    return _line(
        "evaluation",
        [
            ("as_of", evaluation.as_of),
            ("strategy", evaluation.strategy),
            ("account", evaluation.account),
            ("symbol", evaluation.symbol),
            ("trend", evaluation.trend),
            ("high", evaluation.high),
            ("low", evaluation.low),
            ("why_not", evaluation.why_not),
            ("indicators", to_json(dict(evaluation.indicators))),
        ],
    )


def _signal(stored: StoredSignal) -> str:
    signal = stored.signal
    return _line(
        "signal",
        [
            ("as_of", signal.as_of),
            ("strategy", signal.strategy),
            ("account", signal.account),
            ("symbol", signal.symbol),
            ("action", signal.action),
            ("bar_start", signal.bar_start),
            ("direction", int(signal.direction)),
            ("level", signal.level),
            ("price", signal.price),
            ("trend", signal.trend),
            ("reason", signal.reason),
            ("levels", to_json(dict(signal.levels))),
            ("indicators", to_json(dict(signal.indicators))),
            ("refused_by", stored.refused_by),
        ],
    )


def _intent(stored: StoredIntent) -> str:
    intent = stored.intent
    return _line(
        "intent",
        [
            ("created_at", intent.created_at),
            ("ref", intent.ref),
            ("trade", intent.trade_id),
            ("action", intent.action.value),
            ("quantity", intent.quantity),
            ("legs", _legs(intent.legs)),
            ("limit", intent.limit),
            ("worst_limit", intent.worst_limit),
            ("style", intent.style.value),
            ("good_till", intent.good_till),
            ("group", intent.group),
            ("decision", None if intent.decision_id is None else str(intent.decision_id)),
            ("exit_reason", None if intent.exit_reason is None else intent.exit_reason.value),
            ("state", stored.state.value),
            ("changed_at", stored.changed_at),
            ("reason", stored.reason),
        ],
    )


def _order(order: Order) -> str:
    return _line(
        "order",
        [
            ("ref", order.ref),
            ("purpose", order.purpose.value),
            ("action", order.action.value),
            ("quantity", order.quantity),
            ("limit", order.limit),
            ("state", order.state.value),
            ("filled", order.filled),
            ("average_price", order.average_price),
            ("error_code", order.error_code),
            ("error_text", order.error_text),
        ],
    )


def _fill(fill: Fill) -> str:
    return _line(
        "fill",
        [
            ("executed_at", fill.executed_at),
            ("ref", fill.ref),
            ("symbol", fill.symbol),
            ("expiry", fill.expiry),
            ("strike", fill.strike),
            ("right", None if fill.right is None else fill.right.value),
            ("side", fill.side.value),
            ("quantity", fill.quantity),
            ("price", fill.price),
            ("commission", fill.commission),
        ],
    )


def _trade(trade: Trade) -> str:
    return _line(
        "trade",
        [
            ("id", trade.id),
            ("symbol", trade.symbol),
            ("direction", int(trade.direction)),
            ("state", trade.state.value),
            ("quantity", trade.quantity),
            ("width", trade.width),
            ("legs", _legs(trade.legs)),
            ("config", trade.config_hash),
            ("opened_at", trade.opened_at),
            ("closed_at", trade.closed_at),
            ("credit", trade.credit),
            ("debit", trade.debit),
            ("exit_reason", None if trade.exit_reason is None else trade.exit_reason.value),
            ("gross_pnl_usd", trade.gross_pnl_usd),
            ("commissions_usd", trade.commissions_usd),
            ("max_gain_usd", trade.max_gain_usd),
        ],
    )


def _alert(stored: StoredAlert) -> str:
    alert = stored.alert
    return _line(
        "alert",
        [
            ("as_of", alert.as_of),
            ("kind", alert.kind),
            ("severity", alert.severity.value),
            ("key", alert.dedup_key),
            ("subject", alert.subject),
            ("text", alert.text),
        ],
    )
