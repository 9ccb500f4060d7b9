"""Repositories: they take a session, return domain objects, and leave the commit to their caller."""

from __future__ import annotations

from htbot.persistence.repositories.accounts import AccountRepository
from htbot.persistence.repositories.alerts import AlertRepository
from htbot.persistence.repositories.audit import AuditRepository
from htbot.persistence.repositories.closed_bars import ClosedBarRepository, HistoryNeed
from htbot.persistence.repositories.commands import CommandRepository, CommandRequest
from htbot.persistence.repositories.decisions import DecisionJournal
from htbot.persistence.repositories.desk_state import DeskStateRepository
from htbot.persistence.repositories.equity import EquityRepository
from htbot.persistence.repositories.fills import FillRepository
from htbot.persistence.repositories.halts import HaltRepository, HaltRequest
from htbot.persistence.repositories.intents import IntentRepository, sequence_of
from htbot.persistence.repositories.market import BarRepository, Series, SessionRepository, TickRepository
from htbot.persistence.repositories.orders import OrderRepository
from htbot.persistence.repositories.portfolio import PnlRepository, PositionRepository
from htbot.persistence.repositories.processes import ProcessRepository
from htbot.persistence.repositories.reconciliation import ReconciliationRepository
from htbot.persistence.repositories.retention import RetentionRepository
from htbot.persistence.repositories.scheduler import SchedulerRepository
from htbot.persistence.repositories.signals import EvaluationRepository, RiskDecisionRepository, SignalRepository
from htbot.persistence.repositories.strategies import StrategyRepository
from htbot.persistence.repositories.task_runs import TaskRunRepository
from htbot.persistence.repositories.trades import TradeRepository
from htbot.persistence.repositories.workers import WorkerRepository

__all__ = [
    "AccountRepository",
    "AlertRepository",
    "AuditRepository",
    "BarRepository",
    "ClosedBarRepository",
    "CommandRepository",
    "CommandRequest",
    "DecisionJournal",
    "DeskStateRepository",
    "EquityRepository",
    "EvaluationRepository",
    "FillRepository",
    "HaltRepository",
    "HaltRequest",
    "HistoryNeed",
    "IntentRepository",
    "OrderRepository",
    "PnlRepository",
    "PositionRepository",
    "ProcessRepository",
    "ReconciliationRepository",
    "RetentionRepository",
    "RiskDecisionRepository",
    "SchedulerRepository",
    "Series",
    "SessionRepository",
    "SignalRepository",
    "StrategyRepository",
    "TaskRunRepository",
    "TickRepository",
    "TradeRepository",
    "WorkerRepository",
    "sequence_of",
]
