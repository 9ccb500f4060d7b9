"""Fees, limits and books of a backtest on plain instruments."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.instruments import SecType
from htbot.engine.bar_account import MICRO, BarAccount, BarFees, BarLimits, Refusal, to_micro
from htbot.engine.bar_setup import FEES
from htbot.matching.fees import Plan, TradedLeg, commissions
from htbot.risk.gate import RULES


@given(st.integers(1, 5_000), st.integers(1, 200_000))
def test_fees_are_the_paper_gateways_fixed_plan_for_shares(quantity: int, price_cents: int) -> None:
    leg = TradedLeg(SecType.STOCK, "SPY", Decimal(quantity), Decimal(price_cents) / 100)
    fee_u = BarFees(*FEES["fixed"]).of(quantity, quantity * price_cents * 10_000)
    assert Decimal(fee_u) / MICRO == commissions([leg], Plan.FIXED)[0]


def test_no_plan_no_fee() -> None:
    assert BarFees(*FEES["none"]).of(100, 10**12) == 0


@pytest.mark.parametrize(("price", "micro"), [(165.82, 165_820_000), (0.1 + 0.2, 300_000), (3700.65, 3_700_650_000)])
def test_prices_in_micro_dollars(price: float, micro: int) -> None:
    assert to_micro(price) == micro


def limits(**wanted: float) -> BarLimits:
    made = BarLimits()
    for name, value in wanted.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("allowed", "quantity", "value_usd", "refused"),
    [
        ({}, 10**9, 10**9, Refusal.NONE),
        ({}, 0, 0, Refusal.SIZE_ZERO),
        ({"quantity": 100}, 100, 1, Refusal.NONE),
        ({"quantity": 100}, 101, 1, Refusal.ORDER_QUANTITY),
        ({"notional_u": 500 * MICRO}, 1, 500, Refusal.NONE),
        ({"notional_u": 500 * MICRO}, 1, 501, Refusal.ORDER_NOTIONAL),
        ({"leverage": 2.0}, 1, 19_800, Refusal.NONE),
        ({"leverage": 2.0}, 1, 19_801, Refusal.LEVERAGE),
        ({"entries_per_day": 2}, 1, 1, Refusal.ENTRIES_PER_DAY),
        ({"daily_loss_u": 100 * MICRO}, 1, 1, Refusal.ACCOUNT_DAILY_LOSS),
        ({"daily_loss_u": 101 * MICRO}, 1, 1, Refusal.NONE),
        ({"drawdown": 0.05}, 1, 1, Refusal.DRAWDOWN),
        ({"drawdown": 0.06}, 1, 1, Refusal.NONE),
    ],
)
def test_the_first_limit_that_is_not_passed(
    allowed: dict[str, float], quantity: int, value_usd: int, refused: Refusal
) -> None:
    account = BarAccount(10_000 * MICRO)
    for day, amount_usd in ((1, 500), (1, -500), (2, -100)):
        if day != account.session:
            account.begin_day(day)
        account.book(amount_usd * MICRO)
    account.entries = 2
    assert (account.equity_u, account.day_u, account.peak_u) == (9_900 * MICRO, -100 * MICRO, 10_500 * MICRO)
    assert account.refusal(limits(**allowed), quantity, value_usd * MICRO) == refused


def test_a_new_day_begins_from_nothing() -> None:
    account = BarAccount(1_000 * MICRO)
    account.book(-5 * MICRO)
    account.entries = 3
    account.begin_day(7)
    assert (account.day_u, account.entries, account.realised_u) == (0, 0, -5 * MICRO)


def test_refusals_have_the_names_of_the_gates_rules() -> None:
    rules = {rule.__module__.rpartition(".")[2] for rule in RULES}
    assert {one.name.lower() for one in Refusal} - {"none", "size_zero"} <= rules
