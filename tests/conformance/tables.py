"""All checks, in the order in which they are run and stand on the page."""

from __future__ import annotations

from . import (
    account_checks,
    contract_checks,
    family_checks,
    history_checks,
    idiom_checks,
    idiom_trade_checks,
    kind_checks,
    market_checks,
    order_checks,
    other_checks,
    refusal_checks,
    session_checks,
    stream_checks,
)

CHECKS = [
    check
    for module in (
        session_checks,
        contract_checks,
        market_checks,
        stream_checks,
        history_checks,
        order_checks,
        family_checks,
        kind_checks,
        refusal_checks,
        account_checks,
        other_checks,
    )
    for check in module.checks
]
IDIOMS = [*idiom_checks.checks, *idiom_trade_checks.checks]
