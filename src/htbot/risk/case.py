"""What one rule sees, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from htbot.domain.accounts import AccountKind, kind_of
from htbot.domain.decisions import RuleOutcome
from htbot.domain.instruments import SecType, Underlying
from htbot.domain.margin import WhatIf
from htbot.domain.signals import PlainPlan, SinglePlan, SpreadPlan
from htbot.matching.fees import Plan, TradedLeg, commissions
from htbot.portfolio.marks import Marks
from htbot.risk.book import Book
from htbot.risk.limits import Limits
from htbot.risk.proposal import Proposal

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Case:
    """One proposal with everything that rules compare. `underlying` is None for a symbol that is not configured.

    `what_if` is the broker's answer, None while it has not been asked.
    """

    proposal: Proposal
    book: Book
    limits: Limits
    as_of: datetime
    underlying: Underlying | None
    marks: Marks
    what_if: WhatIf | None = None

    @property
    def account_kind(self) -> AccountKind | None:
        """Cash or margin: as configured, else as the broker's figures tell, None when they do not."""
        if self.limits.account_kind is not None:
            return self.limits.account_kind
        snapshot = self.proposal.snapshot
        return kind_of(snapshot.buying_power, snapshot.figures.available_funds)

    @property
    def spread(self) -> SpreadPlan | None:
        """The vertical that is proposed, None for anything else."""
        plan = self.proposal.plan
        return plan if isinstance(plan, SpreadPlan) else None

    @property
    def plain(self) -> PlainPlan | None:
        """The stock or fund that is proposed, None for options."""
        plan = self.proposal.plan
        return plan if isinstance(plan, PlainPlan) else None

    @property
    def single(self) -> SinglePlan | None:
        """The option that is to be bought, None for anything else."""
        plan = self.proposal.plan
        return plan if isinstance(plan, SinglePlan) else None

    @property
    def symbol_value_usd(self) -> Decimal:
        """What open trades on this underlying tie up: verticals by their maximum loss, the rest by its price."""
        return self.book.value_by_symbol_usd.get(self.proposal.signal.symbol, Decimal(0))

    @property
    def natural_credit(self) -> Decimal | None:
        """The credit per unit of a vertical that can be had at once: the worse of the plan's and the quotes'."""
        if self.marks.natural_credit is None or self.spread is None:
            return None
        return min(self.spread.natural_credit, self.marks.natural_credit)

    @property
    def floor_credit(self) -> Decimal | None:
        """The least credit per unit at which this vertical may fill, None for an unknown underlying."""
        if self.underlying is None or self.spread is None:
            return None
        return self.limits.floor_credit(self.underlying, self.spread)

    @property
    def maximum_loss_usd(self) -> Decimal | None:
        """What this trade can lose at the worst price that its order accepts."""
        plan = self.proposal.plan
        if not isinstance(plan, SpreadPlan):
            return plan.maximum_loss_usd
        floor = self.floor_credit
        return None if floor is None else (plan.width - floor) * plan.short_leg.multiplier * plan.quantity

    @property
    def value_usd(self) -> Decimal | None:
        """What this trade ties up: options their maximum loss, shares all that they cost."""
        return self.maximum_loss_usd if self.plain is None else self.plain.notional_usd

    @property
    def claim_usd(self) -> Decimal | None:
        """What is held against the broker's figures: this trade, and what others tie up that those may not show yet.

        What is bought is paid with its commission.
        """
        own = self.value_usd
        return None if own is None else own + self._commission_usd + self.book.unseen_value_usd

    @property
    def _commission_usd(self) -> Decimal:
        """Of buying one option, by IB's fixed plan; 0 for anything else, whose worst is far above it."""
        plan = self.single
        if plan is None or self.underlying is None:
            return Decimal(0)
        traded = TradedLeg(
            SecType.OPTION, self.underlying.option_class, Decimal(plan.quantity), plan.natural, multiplier=100
        )
        return sum(commissions((traded,), Plan.FIXED), Decimal(0))


def usd(amount: Decimal | None) -> str:
    """Dollars as people read them, `unknown` when there is no number."""
    return UNKNOWN if amount is None else f"{amount:.2f}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Builds the outcomes of one rule, so that each carries its limit and its value whichever way it goes."""

    rule: str
    limit: str

    def passed(self, value: object) -> RuleOutcome:
        """The value keeps the limit."""
        return RuleOutcome(self.rule, passed=True, limit=self.limit, value=str(value))

    def refused(self, value: object, reason: str) -> RuleOutcome:
        """The value breaks the limit, or there is no value."""
        return RuleOutcome(self.rule, passed=False, limit=self.limit, value=str(value), reason=reason)

    def warned(self, value: object, reason: str) -> RuleOutcome:
        """The value breaks a limit that is set to warn: passed, and a person is told why."""
        return RuleOutcome(self.rule, passed=True, limit=self.limit, value=str(value), reason=reason)

    def when(self, kept: bool, value: object, reason: str) -> RuleOutcome:
        """Passed when `kept`, otherwise refused with `reason`."""
        return self.passed(value) if kept else self.refused(value, reason)
