"""What follows from a signal, written down as one: the decision, the quotes it rested on, the trade and its entry."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session as Transaction

from htbot.alerts.wording import error_alert
from htbot.domain.alerts import Severity
from htbot.domain.decisions import RiskDecision, RiskRefusal
from htbot.domain.errors import StopTrading
from htbot.domain.signals import Signal
from htbot.engine.decided import Decided
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.repositories import (
    HaltRepository,
    HaltRequest,
    IntentRepository,
    RiskDecisionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.risk.gate import RUNAWAY
from htbot.services.outbox import tell_seldom
from htbot.services.trade_record import store_quotes

_log = logging.getLogger(__name__)


def store_decided(transaction: Transaction, decided: Decided, snapshot: Snapshot | None) -> bool:
    """Store what was decided; False when this signal is in the record already, and nothing follows from it again.

    Raises:
        StopTrading: approved beside a live trade, or under a reference that is used.
    """
    signal, text = decided.signal, decided.refused_by
    signal_id = SignalRepository(transaction).add(signal, text)
    if signal_id is None:
        return False
    RiskDecisionRepository(transaction).add(decided.decision, signal_id)
    _tell(transaction, decided.decision, signal)
    _log.info("signal %+d at %s: %s", signal.direction, signal.level, text or "accepted")
    if decided.trade is None or decided.intent is None:
        return True
    if snapshot is not None:
        store_quotes(transaction, snapshot, decided.intent.legs)
    evidence: Mapping[str, Any] = {"levels": signal.levels, "reason": signal.reason}
    if not TradeRepository(transaction).add(decided.trade) or not IntentRepository(transaction).add(
        decided.intent, evidence
    ):
        raise StopTrading(f"{decided.trade.id} was approved beside a live trade or under a reference that is used")
    return True


def _tell(transaction: Transaction, decision: RiskDecision, signal: Signal) -> None:
    """A person hears of rules that warn and of missing margin; a strategy that runs away is stopped (FAULTS 42).

    One that is only observed sends nothing, so that nobody else has to be stopped.
    """
    at, told = decision.as_of, [outcome for outcome in decision.outcomes if outcome.passed and outcome.reason]
    if isinstance(decision, RiskRefusal):
        last = decision.refused_by
        told += [last] if last.rule in {"what_if", "intraday_margin"} else []
        if last.rule in RUNAWAY and not signal.observed:
            reason = f"{last.rule}: {last.reason}"
            HaltRepository(transaction).set(HaltRequest("risk gate", reason, "htbot", at))
            tell_seldom(transaction, error_alert("risk gate", f"trading is halted: {reason}", at))
    for outcome in told:
        warning = error_alert(f"risk {outcome.rule}", outcome.reason, at, Severity.WARNING, account=signal.account)
        tell_seldom(transaction, warning)
