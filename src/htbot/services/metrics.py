"""Metrics of the whole system, read from the record and from the desk's last words at each scrape."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from htbot.domain.errors import Retryable
from htbot.domain.sessions import NEW_YORK
from htbot.persistence.queries import trades, watch
from htbot.persistence.queries.shapes import Tally, TaskView
from htbot.persistence.repositories import DeskStateRepository
from htbot.persistence.repositories.desk_state import UNPROTECTED_S
from htbot.services.desk_view import DeskView, look
from htbot.services.queries import Sources
from htbot.services.risk_view import RiskView, risk_of


class SystemMetrics:
    """The metrics page. With PostgreSQL away it says so (`database_up 0`) and shows what the desk publishes."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def page(self) -> bytes:
        """Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Scrape(self._sources))
        return generate_latest(registry)


class _Scrape(Collector):
    """One reading; a fresh one is registered for each page."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        host_now = self._sources.host_now()
        desk = look(self._sources.live, host_now)
        yield from _of_desk(desk)
        try:
            families = list(self._of_record(desk, host_now))
        except Retryable:
            yield GaugeMetricFamily("database_up", "1 while PostgreSQL answers", 0)
            return
        yield GaugeMetricFamily("database_up", "1 while PostgreSQL answers", 1)
        yield from families

    def _of_record(self, desk: DeskView, host_now: datetime) -> Iterator[Metric]:
        day = (desk.market_time or host_now).astimezone(NEW_YORK).date()
        with self._sources.database.transaction() as session:
            halts = watch.halts(session, desk.market_time)
            tally = watch.tally(session)
            tasks = watch.tasks(session, host_now)
            earned = trades.realized_by_account(session, day)
            open_trades = len(trades.open_trades(session))
            unprotected_s = float(DeskStateRepository(session).get(UNPROTECTED_S) or 0)
            chosen = desk.account or self._sources.account
            risk = risk_of(session, chosen, self._sources.breaker, desk.market_time or host_now)
        halted = bool(halts) or self._sources.kill_switch.present()
        yield GaugeMetricFamily("halt_active", "1 while a halt forbids entries", int(halted))
        yield GaugeMetricFamily("open_trades", "trades that are not closed", open_trades)
        yield CounterMetricFamily(
            "unprotected_seconds", "market seconds in which an open trade had no guard", unprotected_s
        )
        yield from _of_breaker(risk)
        yield _daily_pnl(earned)
        yield _task_ages(tasks)
        yield from _counts(tally)


def _of_desk(desk: DeskView) -> Iterator[Metric]:
    connected = desk.state == "running" and desk.connection == "connected"
    yield GaugeMetricFamily("ib_connected", "1 while the desk's session is up", int(connected))
    age = GaugeMetricFamily("heartbeat_age_seconds", "wall seconds since a process last spoke", labels=["service"])
    if desk.heartbeat_age_s is not None:
        age.add_metric(["desk"], desk.heartbeat_age_s)
    yield age
    enabled = desk.state == "running" and desk.clock is not None and desk.clock.trading_enabled
    yield GaugeMetricFamily("trading_enabled", "1 while the desk originates orders", int(enabled))


def _of_breaker(risk: RiskView) -> Iterator[Metric]:
    yield GaugeMetricFamily("breaker_active", "1 while the circuit breaker has tripped", int(risk.breaker_active))
    if risk.account is None or risk.drawdown_pct is None:
        return
    family = GaugeMetricFamily("drawdown_pct", "fall of the equity from its peak, percent", labels=["account"])
    family.add_metric([risk.account], float(risk.drawdown_pct))
    yield family


def _daily_pnl(earned: dict[str, Decimal]) -> Metric:
    family = GaugeMetricFamily("daily_pnl_usd", "net P&L of the session, realised", labels=["account"])
    for account, net in sorted(earned.items()):
        family.add_metric([account], float(net))
    return family


def _task_ages(tasks: list[TaskView]) -> Metric:
    family = GaugeMetricFamily("task_age_seconds", "wall seconds since a task last began", labels=["task"])
    for task in tasks:
        family.add_metric([task.name], task.age_s)
    return family


def _counts(tally: Tally) -> Iterator[Metric]:
    orders = CounterMetricFamily("orders", "orders by their last state", labels=["status"])
    for state, count in sorted(tally.orders.items()):
        orders.add_metric([state], count)
    yield orders
    signals = CounterMetricFamily("signals_generated", "signals by outcome", labels=["strategy", "outcome"])
    for (strategy, outcome), count in sorted(tally.signals.items()):
        signals.add_metric([strategy, outcome], count)
    yield signals
    refusals = CounterMetricFamily("risk_refusals", "entries refused, by the rule that did", labels=["rule"])
    for rule, count in sorted(tally.refusals.items()):
        refusals.add_metric([rule], count)
    yield refusals
    yield CounterMetricFamily("fills", "leg executions", tally.fills)
    alerts = GaugeMetricFamily("alerts", "alerts by state of delivery", labels=["state"])
    for state, count in sorted(tally.alerts.items()):
        alerts.add_metric([state], count)
    yield alerts
    yield GaugeMetricFamily("open_positions", "contracts held", tally.open_positions)
