"""What stands in the record, as metrics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.orm import Session

from htbot.domain.orders import Purpose
from htbot.domain.sessions import NEW_YORK
from htbot.persistence.queries import decisions, ladders, measures, reconciliation, trades, watch
from htbot.persistence.queries.shapes import OpenTradeView, StrategyView
from htbot.persistence.queries.strategies import active_symbols
from htbot.persistence.repositories import DeskStateRepository, SessionRepository
from htbot.persistence.repositories.desk_state import UNPROTECTED_S
from htbot.services.desk_view import DeskView, snapshot_of
from htbot.services.metrics.desk import CONNECTION, FEED, put_snapshots
from htbot.services.metrics.task_runs import TaskRuns
from htbot.services.queries import Sources
from htbot.services.risk_view import RiskView, risk_of
from htbot.telemetry.metrics import CATALOGUE, Distribution, Gathered

_BOUNDS = {named.name: named.bounds for named in CATALOGUE}
_WORKERS_WITHIN = timedelta(hours=1)
_ENTRY = Purpose.ENTRY.value


class RecordMeasures:
    """Reads the record for one page after the other; runs of tasks are counted on from the page before."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._runs = TaskRuns()

    def put(self, gathered: Gathered, desk: DeskView) -> None:
        """Everything, in one transaction.

        Raises:
            Retryable: PostgreSQL does not answer.
        """
        host_now = self._sources.host_now()
        market_now = desk.market_time or host_now
        with self._sources.database.transaction() as session:
            self._put_safety(gathered, session, desk, market_now)
            self._put_work(gathered, session, host_now)
            counts = measures.counts(session)
            _put_counts(gathered, counts)
            _put_entries(gathered, session, counts.refusals)
            _put_histograms(gathered, session)
            _put_trades(gathered, session, market_now)
            _put_server(gathered, session)
            for mode, count in active_symbols(session).items():
                gathered.put("htbot_symbols_active", count, mode)
            strategies = watch.strategies(session, None)
            _put_strategies(gathered, strategies, market_now)
        symbols = sorted({strategy.symbol for strategy in strategies})
        snapshots = [one for symbol in symbols if (one := snapshot_of(self._sources.live, symbol)) is not None]
        put_snapshots(gathered, snapshots, desk.market_time)

    def _put_safety(self, gathered: Gathered, session: Session, desk: DeskView, market_now: datetime) -> None:
        accounts = desk.accounts or (self._sources.account,)
        halted = {halt.account for halt in watch.halts(session, desk.market_time)}
        gathered.put("htbot_halt_active", int(None in halted or self._sources.kill_switch.present()), "global")
        for account in sorted(one for one in halted if one is not None):
            gathered.put("htbot_halt_active", 1, account)
        risks = [risk_of(session, account, self._sources.breaker, market_now) for account in accounts]
        gathered.put("htbot_breaker_active", int(any(risk.breaker_active for risk in risks)))
        for risk in risks:
            _put_risk(gathered, risk)
        runs = [reconciliation.latest_run(session, account) for account in accounts]
        if any(run is not None for run in runs):
            found = Counter(item.kind for run in runs if run is not None for item in run.items)
            for kind, count in found.items() or [("none", 0)]:
                gathered.put("htbot_reconciliation_mismatches", count, kind)
        state = DeskStateRepository(session)
        gathered.put("htbot_desk_starts", state.epoch())
        gathered.put("htbot_ib_reconnects", state.reconnects(), CONNECTION)
        gathered.put("htbot_feed_reconnects", state.reconnects(), FEED)
        gathered.put("htbot_unprotected_seconds", float(state.get(UNPROTECTED_S) or 0))

    def _put_work(self, gathered: Gathered, session: Session, host_now: datetime) -> None:
        for task in watch.tasks(session, host_now):
            gathered.put("htbot_task_age_seconds", task.age_s, task.name)
        ended = measures.last_task_end(session, _WORKERS_WITHIN, host_now)
        if ended is not None:
            gathered.put("htbot_heartbeat_age_seconds", max((host_now - ended).total_seconds(), 0.0), "worker")
        for kind, at in measures.process_starts(session).items():
            gathered.put("htbot_process_start_time_seconds", at.timestamp(), kind)
        self._runs.put(gathered, session, host_now)


def _put_risk(gathered: Gathered, risk: RiskView) -> None:
    gathered.put("htbot_risk_max_drawdown", float(risk.max_drawdown_pct))
    if risk.account is None:
        return
    fallen = (
        None if risk.equity is None or risk.peak_equity is None else max(risk.peak_equity - risk.equity, Decimal(0))
    )
    gathered.put("htbot_risk_daily_loss_limit", float(risk.daily_loss_limit), risk.account)
    gathered.put("htbot_risk_daily_pnl_usd", _number(risk.daily_pnl), risk.account)
    gathered.put("htbot_drawdown_pct", _number(risk.drawdown_pct), risk.account)
    gathered.put("htbot_drawdown_usd", _number(fallen), risk.account)


def _put_counts(gathered: Gathered, counts: measures.Counts) -> None:
    for state, count in counts.reached.items():
        gathered.put("htbot_orders", count, state)
    for state, count in counts.open_orders.items():
        gathered.put("htbot_open_orders", count, state)
    for labels, count in counts.signals.items():
        gathered.put("htbot_signals_generated", count, *labels)
    for rule, count in counts.refusals.items():
        gathered.put("htbot_trades_rejected", count, rule)
    for code, count in counts.errors.items():
        gathered.put("htbot_ib_errors", count, code)
    gathered.put("htbot_fills", counts.fills)
    for state, count in counts.alerts.items():
        gathered.put("htbot_alerts", count, state)
    for state in ("SENT", "DEAD"):
        gathered.put("htbot_alert_sent", counts.alerts[state], state.lower())
    gathered.put("htbot_open_positions", counts.open_positions)


def _put_entries(gathered: Gathered, session: Session, refused: Mapping[str, int]) -> None:
    """How walks of limits ended, and what came of looks at the margin."""
    outcomes = ladders.ends(session)
    outcomes[_ENTRY, "mid_too_low"] = refused.get("minimum_credit", 0)
    outcomes[_ENTRY, "no_margin"] = sum(refused.get(rule, 0) for rule in ("what_if", "intraday_margin"))
    for labels, count in outcomes.items():
        gathered.put("htbot_ladder_outcome", count, *labels)
    for result, count in decisions.margin_checks(session).items():
        gathered.put("htbot_margin_check", count, result)


def _put_histograms(gathered: Gathered, session: Session) -> None:
    for name, values in measures.HISTOGRAMS.items():
        for label, (tallied, total) in measures.histogram(session, values, _BOUNDS[name]).items():
            gathered.put_distribution(name, Distribution(tallied, total), label)


def _put_trades(gathered: Gathered, session: Session, market_now: datetime) -> None:
    day = market_now.astimezone(NEW_YORK).date()
    known, gains = defaultdict[str, int](int), defaultdict[str, int](int)
    for one in measures.trade_counts(session):
        if one.entered:
            side = measures.side(one.direction)
            gathered.put("htbot_trades_executed", one.entered, one.strategy, one.symbol, side)
        known[one.strategy] += one.known
        gains[one.strategy] += one.gains
    for strategy, count in known.items():
        gathered.put("htbot_strategy_win_rate", gains[strategy] / count if count else None, strategy)
    for account, net in measures.earned(session, day).items():
        gathered.put("htbot_daily_pnl_usd", _number(net.day), account)
        gathered.put("htbot_portfolio_monthly_pnl", _number(net.month), account)
        gathered.put("htbot_portfolio_total_pnl", float(net.total), account)
    for told in watch.accounts(session):
        gathered.put("htbot_portfolio_total_value", _number(told.net_liquidation), told.account)
    _put_open(gathered, trades.open_trades(session))
    gathered.put("htbot_session_open", int(SessionRepository(session).open_at(market_now)))


def _put_open(gathered: Gathered, views: list[OpenTradeView]) -> None:
    gathered.put("htbot_open_trades", len(views))
    by_symbol: dict[str, list[Decimal | None]] = defaultdict(list)
    for view in views:
        by_symbol[view.symbol].append(view.pnl_mid)
        gathered.put("htbot_trade_pnl", _number(view.pnl_mid), view.strategy, view.account)
    for symbol, parts in by_symbol.items():
        known = [part for part in parts if part is not None]
        gathered.put("htbot_position_pnl", float(sum(known)) if len(known) == len(parts) else None, symbol)


def _put_strategies(gathered: Gathered, strategies: list[StrategyView], market_now: datetime) -> None:
    newest: dict[str, datetime] = {}
    for one in strategies:
        gathered.put("htbot_trend", one.trend, one.name, one.symbol)
        gathered.put("htbot_rsi_ema", one.indicators.get("rsi_ema"), one.name, one.symbol)
        newest[one.name] = max(one.as_of, newest.get(one.name, one.as_of))
    for name, as_of in newest.items():
        gathered.put("htbot_evaluation_age_seconds", max((market_now - as_of).total_seconds(), 0.0), name)


def _put_server(gathered: Gathered, session: Session) -> None:
    size, connections, written = measures.server(session)
    gathered.put("htbot_database_size_bytes", size)
    gathered.put("htbot_database_connections", connections)
    for table, rows in written.items():
        gathered.put("htbot_storage_rows", rows, table)


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
