"""Which rules can be asked without a spread."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import record
from tests.support.desk import SESSION
from tests.support.people import chain

from htbot.domain.instruments import UNDERLYINGS
from htbot.risk.book import Book
from htbot.risk.case import Case
from htbot.risk.gate import BROKER_RULES, RULES, Proposal, Rule
from htbot.risk.limits import Limits
from htbot.services.risk_rules import STANDING


class Forbidden:
    """Whoever looks at it has looked at a spread."""

    def __getattr__(self, name: str) -> Any:
        raise LookupError(name)


def named(rule: Rule) -> str:
    return rule.__module__.rpartition(".")[2]


ALL = {named(rule): rule for rule in (*RULES, *BROKER_RULES)}
NOTHING: Any = Forbidden()
CASE = Case(
    Proposal(record.signal(), NOTHING, chain(), SESSION),
    Book(reconciled=True),
    Limits(record.trade().rules.profit_target_usd, record.trade().rules.stop_loss_usd, record.trade().width * 100),
    record.NOON,
    UNDERLYINGS["SPX"],
    NOTHING,
)


@pytest.mark.parametrize("name", sorted(STANDING))
def test_a_standing_rule_does_not_look_at_the_spread(name: str) -> None:
    assert ALL[name](CASE).rule == name


def test_rules_that_look_at_it_are_found_out() -> None:
    fine = set()
    for name, rule in ALL.items():
        try:
            rule(CASE)
        except LookupError:
            continue
        fine.add(name)
    assert fine >= STANDING
    assert {"spread_shape", "order_quantity", "price_collar"}.isdisjoint(fine)
