"""A signal and what followed from it: risk's answer, and with an approval the trade and its entry."""

from __future__ import annotations

from dataclasses import dataclass

from htbot.domain.decisions import RiskDecision, RiskRefusal
from htbot.domain.orders import OrderIntent
from htbot.domain.signals import Signal
from htbot.domain.trades import Trade


@dataclass(frozen=True, slots=True)
class Decided:
    """A signal and what risk answered; with an approval the trade and its entry."""

    signal: Signal
    decision: RiskDecision
    trade: Trade | None = None
    intent: OrderIntent | None = None

    @property
    def refused_by(self) -> str | None:
        """The rule that refused, with its reason; None for an approval."""
        if not isinstance(self.decision, RiskRefusal):
            return None
        refused = self.decision.refused_by
        return f"{refused.rule}: {refused.reason}" if refused.reason else refused.rule
