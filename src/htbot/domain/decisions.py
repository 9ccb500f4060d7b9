"""What risk answers. Approved and refused are different types, so that nothing can be built from a refusal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """One rule's verdict with the limit and the value it compared, as text for people."""

    rule: str
    passed: bool
    limit: str
    value: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Approved:
    """Every rule passed; only this can become an intent."""

    id: UUID
    as_of: datetime
    outcomes: tuple[RuleOutcome, ...]


@dataclass(frozen=True, slots=True)
class RiskRefusal:
    """The first rule that said no, after those that passed before it."""

    id: UUID
    as_of: datetime
    outcomes: tuple[RuleOutcome, ...]

    @property
    def refused_by(self) -> RuleOutcome:
        """The outcome that refused."""
        return self.outcomes[-1]


RiskDecision = Approved | RiskRefusal
