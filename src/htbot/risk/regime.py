"""Which rule on day trades binds the account (spec 03 section 7c)."""

from __future__ import annotations

from datetime import date

from htbot.domain.sessions import NEW_YORK
from htbot.risk.case import Case
from htbot.risk.limits import DayTradeRegime

INTRADAY_MARGIN_FROM = date(2026, 6, 4)
"""FINRA rule 4210 as amended by SR-FINRA-2025-017: from then on firms change over, until 2027-10-20 at the latest."""


def regime_of(case: Case) -> DayTradeRegime:
    """As configured; `auto` follows the broker: one that still counts day trades has not changed over yet."""
    chosen = case.limits.day_trade_regime
    if chosen is not DayTradeRegime.AUTO:
        return chosen
    left = case.proposal.snapshot.figures.day_trades_remaining
    counted = left is not None and left >= 0
    changed = case.as_of.astimezone(NEW_YORK).date() >= INTRADAY_MARGIN_FROM
    return DayTradeRegime.INTRADAY_MARGIN if changed and not counted else DayTradeRegime.LEGACY_PDT
