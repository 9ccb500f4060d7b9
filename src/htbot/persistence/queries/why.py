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

from htbot.domain.orders import PROTECTIVE, IntentState, PriceStyle, Purpose
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import plain_money
from htbot.persistence.codecs import legs_from_json, plain
from htbot.persistence.queries.ladders import ladders
from htbot.persistence.queries.trades import leg_prices, trade_view
from htbot.persistence.queries.trading import as_sent
from htbot.persistence.repositories import DecisionJournal, OrderRepository
from htbot.persistence.rows.alerts import AlertRow
from htbot.persistence.rows.control import AccountRow
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.market import BarRow, TickRow
from htbot.persistence.rows.orders import FillRow, OrderRow
from htbot.persistence.rows.portfolio import PnlSnapshotRow, PositionRow
from htbot.persistence.rows.signals import RiskDecisionRow, SignalRow
from htbot.persistence.rows.trades import TradeRow

_UNSENT = frozenset({IntentState.EXPIRED, IntentState.WITHDRAWN})


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
    summary = "; ".join(f"{_asked(row)}{_doubted(lives.get(row.ref, []))}" for row in rows)
    return Step("intent", _first(row.created_at for row in rows), summary or "none", values)


def _asked(row: IntentRow) -> str:
    """`exit SELL 4 for profit level 1 at the market`, `stop SELL 18 at 476.79`; of what was never sent, its state."""
    level = "" if row.level is None else f" for profit level {row.level}"
    action, limit = as_sent(row, row.action, row.limit_price)
    at = "the market" if row.style is PriceStyle.MARKET else limit
    why = f", {row.reason}" if row.level is not None and row.reason else ""
    unsent = f" {row.state.value}{why}" if row.state in _UNSENT else ""
    return f"{_kind(row)} {action} {row.quantity}{level} at {at}{unsent}"


def _kind(row: IntentRow) -> str:
    return row.style.value if row.style in PROTECTIVE else row.purpose.value


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
    lives = _changes(session, "order", refs, ("quantity", "limit_price", "state", "filled", "error_text"))
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
    named = {intent.ref: intent for intent in intents}
    summary = "; ".join(_sent(named[row.ref], row, values[row.ref]) for row in rows)
    return Step("order", _first(row.submitted_at for row in rows), summary or "none was sent", values)


def _sent(intent: IntentRow, row: OrderRow, values: Mapping[str, Any]) -> str:
    """`entry FILLED at -9.10, -9.00`, `exit FILLED at the market`, `stop SUBMITTED for 18, 14, 5 at 476.79`."""
    sizes = [str(change["quantity"]) for change in values["life"] if "quantity" in change]
    resized = f" for {', '.join(sizes)}" if len(sizes) > 1 else ""
    at = ", ".join(values["limits"]) or as_sent(intent, row.action, row.limit_price)[1]
    return f"{_kind(intent)} {row.state.value}{resized} at {'the market' if intent.style is PriceStyle.MARKET else at}"


def _told(value: Any) -> Any:
    """Money as text; JSON has made a float of it."""
    return format(plain_money(Decimal(str(value))), "f") if isinstance(value, float) else value


def _fills(session: Session, intents: Sequence[IntentRow]) -> Step:
    refs = [intent.ref for intent in intents]
    rows = session.scalars(select(FillRow).where(FillRow.ref.in_(refs)).order_by(FillRow.executed_at)).all()
    fields = ("ref", "executed_at", "symbol", "strike", "right", "side", "quantity", "price", "commission", "modelled")
    values = {row.exec_id: _values(row, *fields) for row in rows}
    told = [f"{row.side.value} {row.quantity} {row.symbol} at {plain_money(row.price)}" for row in rows]
    summary = "; ".join(told) if len({row.con_id for row in rows}) == 1 else f"{len(rows)} leg executions"
    return Step("fill", _first(row.executed_at for row in rows), summary, values)


def _positions(session: Session, trade: TradeRow) -> Step:
    con_ids = [leg["con_id"] for leg in trade.legs]
    query = select(PositionRow).where(PositionRow.account == trade.account, PositionRow.con_id.in_(con_ids))
    rows = session.scalars(query.order_by(PositionRow.con_id)).all()
    fields = ("quantity", "average_price", "realized_usd", "commissions_usd", "as_of")
    named = {leg.con_id: leg.described for leg in legs_from_json(trade.legs)}
    values = {str(row.con_id): {"contract": named[row.con_id], **_values(row, *fields)} for row in rows}
    held = ", ".join(f"{row.quantity:+d} {row.symbol}" for row in rows if row.quantity) or "flat"
    whose = "" if trade.closed_at is None or held == "flat" else ", by trades since then"
    return Step("position", _first(row.as_of for row in rows), held + whose, values)


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
    if evenings := _evenings(trade, marks):
        values["evenings"] = evenings
    if marks:
        values["last_mark"] = _values(marks[-1], "as_of", "mid_pnl_usd", "natural_pnl_usd", "details")
    nights = f", held over {len(evenings)} night{'s' if len(evenings) > 1 else ''}" if evenings else ""
    sold = f", {trade.closed} of {trade.quantity} closed, gross {view.gross_pnl}" if trade.closed else ""
    summary = f"open{nights}{sold}, {len(marks)} marks"
    if trade.closed_at is not None:
        summary = f"closed by {view.exit_reason}{nights}, net {'unknown' if view.net_pnl is None else view.net_pnl}"
    return Step("pnl", trade.closed_at or (marks[-1].as_of if marks else None), summary, values)


def _evenings(trade: TradeRow, marks: Sequence[PnlSnapshotRow]) -> dict[str, Any]:
    """P&L at mid in USD of the last mark of each day but the newest: so it stood when it was held over night."""
    days = {mark.as_of.astimezone(NEW_YORK).date(): plain(mark.mid_pnl_usd) for mark in marks}
    newest = max(days, default=None) if trade.closed_at is None else trade.closed_at.astimezone(NEW_YORK).date()
    return {day.isoformat(): pnl for day, pnl in days.items() if day != newest}


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
