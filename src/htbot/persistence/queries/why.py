"""Why a trade was made: the ten steps from tick to alert, each with the values that were stored when it happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from htbot.domain.orders import IntentState, Purpose
from htbot.domain.trades import plain_money
from htbot.persistence.codecs import legs_from_json, plain
from htbot.persistence.queries.ladders import ladders
from htbot.persistence.queries.trades import leg_prices, trade_view
from htbot.persistence.repositories import DecisionJournal, OrderRepository
from htbot.persistence.rows.alerts import AlertRow
from htbot.persistence.rows.control import AccountRow
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.market import BarRow, TickRow
from htbot.persistence.rows.orders import FillRow, OrderRow
from htbot.persistence.rows.portfolio import PnlSnapshotRow, PositionRow
from htbot.persistence.rows.signals import RiskDecisionRow, SignalRow
from htbot.persistence.rows.trades import TradeRow


@dataclass(frozen=True, slots=True)
class Step:
    """One of the ten steps of a trade, with the stored values that it was made of."""

    step: str
    at: datetime | None
    summary: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class WhyView:
    """Why a trade was made and how it ended, step by step."""

    trade_id: str
    steps: list[Step]


def explain(session: Session, trade_id: str) -> WhyView | None:
    """The steps of a trade; None when there is no such trade."""
    trade = session.get(TradeRow, trade_id)
    if trade is None:
        return None
    intents = list(
        session.scalars(select(IntentRow).where(IntentRow.trade_id == trade_id).order_by(IntentRow.created_at))
    )
    decision, signal = _cause(session, intents)
    steps = [
        _ticks(session, trade),
        _bar(session, trade),
        _signal(signal),
        _decision(decision),
        _intents(session, intents),
        _orders(session, intents),
        _fills(session, intents),
        _positions(session, trade),
        _pnl(session, trade),
        _alerts(session, trade),
    ]
    return WhyView(trade_id, steps)


def _cause(session: Session, intents: Sequence[IntentRow]) -> tuple[RiskDecisionRow | None, SignalRow | None]:
    entry = next((intent for intent in intents if intent.purpose is Purpose.ENTRY), None)
    if entry is None or entry.decision_id is None:
        return None, None
    decision = session.get(RiskDecisionRow, entry.decision_id)
    if decision is None or decision.signal_id is None:
        return decision, None
    return decision, session.get(SignalRow, decision.signal_id)


def _ticks(session: Session, trade: TradeRow) -> Step:
    """The last stored quote of each leg at the decision."""
    con_ids = [leg["con_id"] for leg in trade.legs]
    query = (
        select(TickRow)
        .where(TickRow.con_id.in_(con_ids), TickRow.as_of <= trade.opened_at)
        .ext(distinct_on(TickRow.con_id))
        .order_by(TickRow.con_id, TickRow.as_of.desc())
    )
    rows = session.scalars(query).all()
    named = {leg.con_id: leg.described for leg in legs_from_json(trade.legs)}
    values = {
        str(row.con_id): {"contract": named[row.con_id], **_values(row, "as_of", "bid", "ask", "modelled")}
        for row in rows
    }
    newest = max((row.as_of for row in rows), default=None)
    return Step("tick", newest, f"{len(rows)} of {len(con_ids)} legs have a stored quote", values)


def _bar(session: Session, trade: TradeRow) -> Step:
    """The last closed bar that the decision could read."""
    account = session.get(AccountRow, trade.account)
    query = select(BarRow).where(BarRow.symbol == trade.symbol, BarRow.known_at <= trade.opened_at)
    if account is not None:
        query = query.where(BarRow.world_id == account.world_id)
    row = session.scalars(query.order_by(BarRow.start.desc()).limit(1)).first()
    if row is None:
        return Step("bar", None, f"no closed bar of {trade.symbol} is stored", {})
    summary = f"{trade.symbol} {row.minutes} min closed at {row.close:g}"
    return Step(
        "bar", row.known_at, summary, _values(row, "start", "minutes", "open", "high", "low", "close", "volume")
    )


def _signal(row: SignalRow | None) -> Step:
    if row is None:
        return Step("signal", None, "not stored", {})
    word = "bullish" if row.direction > 0 else "bearish"
    values = _values(row, "strategy", "level", "price", "trend", "levels", "indicators")
    return Step("signal", row.as_of, f"{word}: {row.reason}", values)


def _decision(row: RiskDecisionRow | None) -> Step:
    if row is None:
        return Step("decision", None, "not stored", {})
    passed = sum(1 for outcome in row.outcomes if outcome["passed"])
    summary = f"approved, {passed} rules passed" if row.approved else f"refused by {row.refused_by}"
    return Step("decision", row.as_of, summary, {outcome["rule"]: outcome for outcome in row.outcomes})


def _intents(session: Session, rows: Sequence[IntentRow]) -> Step:
    """What was asked for on what evidence, and each state it went through with the reason: doubts and look-ups too."""
    decided = ("action", "quantity", "limit_price", "worst_limit", "style", "exit_reason", "level")
    fields = (*decided, "state", "reason", "evidence")
    lives = _changes(session, "intent", [row.ref for row in rows], ("state", "reason"))
    values = {row.ref: {**_values(row, "created_at", *fields), "life": lives.get(row.ref, [])} for row in rows}
    summary = "; ".join(
        f"{row.purpose.value} {row.action.value}{_level(row)} at {row.limit_price}{_doubted(lives.get(row.ref, []))}"
        for row in rows
    )
    return Step("intent", _first(row.created_at for row in rows), summary or "none", values)


def _level(row: IntentRow) -> str:
    return "" if row.level is None else f" {row.quantity} for profit level {row.level}"


def _doubted(life: Sequence[Mapping[str, Any]]) -> str:
    times = sum(change.get("state") == IntentState.UNKNOWN for change in life)
    return f", in doubt {times} times" if times > 1 else ", in doubt once" if times else ""


def _changes(session: Session, kind: str, keys: Sequence[str], names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """By key, each change of these columns in the decision journal with its market time, the first values included."""
    found: dict[str, list[dict[str, Any]]] = {}
    for change in DecisionJournal(session).of(kind, keys):
        told = {name: _told(change.body[name]) for name in names if name in change.body}
        if told:
            found.setdefault(change.key, []).append({"at": plain(change.as_of), **told})
    return found


def _orders(session: Session, intents: Sequence[IntentRow]) -> Step:
    refs = [intent.ref for intent in intents]
    rows = session.scalars(select(OrderRow).where(OrderRow.ref.in_(refs)).order_by(OrderRow.submitted_at)).all()
    fields = ("order_id", "perm_id", "limit_price", "state", "filled", "average_price", "error_code", "error_text")
    lives = _changes(session, "order", refs, ("limit_price", "state", "filled", "error_text"))
    walked = ladders(session, refs)
    perm_ids = {ref: OrderRepository(session).perm_ids(ref) for ref in refs}
    values = {
        row.ref: {
            **_values(row, "submitted_at", "changed_at", *fields),
            "perm_ids": {str(perm_id): state.value for perm_id, state in perm_ids[row.ref].items()},
            "limits": [format(step.limit, "f") for step in walked.get(row.ref, [])],
            "life": lives.get(row.ref, []),
        }
        for row in rows
    }
    summary = "; ".join(
        f"{row.purpose.value} {row.state.value} at {', '.join(values[row.ref]['limits']) or row.limit_price}"
        for row in rows
    )
    return Step("order", _first(row.submitted_at for row in rows), summary or "none was sent", values)


def _told(value: Any) -> Any:
    """Money as text; JSON has made a float of it."""
    return format(plain_money(Decimal(str(value))), "f") if isinstance(value, float) else value


def _fills(session: Session, intents: Sequence[IntentRow]) -> Step:
    refs = [intent.ref for intent in intents]
    rows = session.scalars(select(FillRow).where(FillRow.ref.in_(refs)).order_by(FillRow.executed_at)).all()
    fields = ("ref", "executed_at", "symbol", "strike", "right", "side", "quantity", "price", "commission", "modelled")
    values = {row.exec_id: _values(row, *fields) for row in rows}
    return Step("fill", _first(row.executed_at for row in rows), f"{len(rows)} leg executions", values)


def _positions(session: Session, trade: TradeRow) -> Step:
    con_ids = [leg["con_id"] for leg in trade.legs]
    query = select(PositionRow).where(PositionRow.account == trade.account, PositionRow.con_id.in_(con_ids))
    rows = session.scalars(query.order_by(PositionRow.con_id)).all()
    fields = ("quantity", "average_price", "realized_usd", "commissions_usd", "as_of")
    named = {leg.con_id: leg.described for leg in legs_from_json(trade.legs)}
    values = {str(row.con_id): {"contract": named[row.con_id], **_values(row, *fields)} for row in rows}
    held = ", ".join(f"{row.quantity:+d} {row.symbol}" for row in rows if row.quantity)
    return Step("position", _first(row.as_of for row in rows), held or "flat", values)


def _pnl(session: Session, trade: TradeRow) -> Step:
    query = select(PnlSnapshotRow).where(PnlSnapshotRow.trade_id == trade.id).order_by(PnlSnapshotRow.as_of)
    marks = session.scalars(query).all()
    view = trade_view(trade, leg_prices(session, [trade.id]))
    values: dict[str, Any] = {
        "rules": trade.rules,
        "marks": len(marks),
        **{
            name: plain(getattr(view, name))
            for name in ("credit", "debit", "exit_reason", "gross_pnl", "commissions", "net_pnl", "max_gain")
        },
    }
    if marks:
        values["last_mark"] = _values(marks[-1], "as_of", "mid_pnl_usd", "natural_pnl_usd", "details")
    summary = f"open, {len(marks)} marks"
    if trade.closed_at is not None:
        summary = f"closed by {view.exit_reason}, net {'unknown' if view.net_pnl is None else view.net_pnl}"
    return Step("pnl", trade.closed_at or (marks[-1].as_of if marks else None), summary, values)


def _alerts(session: Session, trade: TradeRow) -> Step:
    named = AlertRow.params["trade_id"].astext == trade.id
    keyed = AlertRow.dedup_key.contains(trade.id, autoescape=True)
    rows = session.scalars(select(AlertRow).where(or_(named, keyed)).order_by(AlertRow.id)).all()
    values = {
        row.dedup_key: {**_values(row, "as_of", "kind", "subject", "state"), "sent_at_host_time": plain(row.sent_at)}
        for row in rows
    }
    return Step("alert", _first(row.as_of for row in rows), "; ".join(row.subject for row in rows) or "none", values)


def _first(times: Any) -> datetime | None:
    return min(times, default=None)


def _values(row: object, *names: str) -> dict[str, Any]:
    """Columns of a row as plain JSON values."""
    return {name: plain(getattr(row, name)) for name in names}
