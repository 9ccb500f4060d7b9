"""A proposal that every rule of the gate lets through, with a maximum loss of 3,600 dollars."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.support.accounts import FIGURES
from tests.support.spreads import ACCOUNT, AS_OF, SESSION, plan, quotes, signal

from htbot.marketdata.snapshot import Snapshot
from htbot.risk.book import Book
from htbot.risk.limits import Limits
from htbot.risk.proposal import Proposal

LIMITS = Limits(profit_target_usd=Decimal(400), stop_loss_usd=Decimal(200), max_risk_per_day_usd=Decimal(12_000))
BOOK = Book(reconciled=True)


def snapshot(**changes: Any) -> Snapshot:
    base = Snapshot(AS_OF, "w1", ACCOUNT, "SPX", 1, 4191.25, None, None, quotes=quotes((6.90, 7.00), (2.00, 2.10)))
    told = replace(base, net_liquidation=Decimal(100_000), buying_power=Decimal(100_000), figures=FIGURES)
    return replace(told, **changes)


def proposal(**changes: Any) -> Proposal:
    return replace(Proposal(signal(), plan(), snapshot(), SESSION), **changes)
