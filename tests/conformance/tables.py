"""All checks, in the order of the page."""

from __future__ import annotations

from . import contract_checks, history_checks, market_checks, session_checks

CHECKS = [
    *session_checks.checks,
    *contract_checks.checks,
    *market_checks.checks,
    *history_checks.checks,
]
