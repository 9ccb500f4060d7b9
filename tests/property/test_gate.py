from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.accounts import FIGURES
from tests.support.spreads import ACCOUNT, AS_OF, SESSION, Sides, plan, quotes, signal

from htbot.domain.decisions import Approved
from htbot.marketdata.snapshot import Snapshot
from htbot.risk.book import Book
from htbot.risk.gate import RULES, Proposal, judge
from htbot.risk.limits import Limits

LIMITS = Limits(profit_target_usd=Decimal(400), stop_loss_usd=Decimal(200), max_risk_per_day_usd=Decimal(12_000))

mostly = st.sampled_from([True] * 9 + [False])
dollars = st.one_of(st.integers(0, 200_000), st.integers(50_000, 200_000), st.none()).map(
    lambda amount: None if amount is None else Decimal(amount)
)
losses = st.one_of(st.integers(-500, 1_000), st.integers(-3_000, 1_000)).map(Decimal)
snapshots: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"net_liquidation": dollars, "buying_power": dollars, "connected": mostly, "trading_enabled": mostly}
)
books = st.builds(
    Book,
    open_trades=st.sampled_from([0, 0, 0, 1]),
    entries_today=st.integers(0, 3),
    strategy_realized_today_usd=losses,
    account_realized_today_usd=losses,
    open_maximum_loss_usd=st.integers(0, 10_000).map(Decimal),
    halted_by=mostly.map(lambda free: None if free else "a person"),
    reconciled=mostly,
)
shorts = st.sampled_from([(6.90, 7.00), (6.90, 7.00), (6.00, 6.10), (None, 7.00), (float("nan"), 7.00), (7.10, 7.00)])
longs = st.sampled_from([(2.00, 2.10), (2.00, 2.10), (0.0, 0.05), (2.00, None), (1.00, 3.00)])


@given(snapshots, books, shorts, longs)
def test_whatever_is_approved_keeps_every_bound(changes: dict[str, Any], book: Book, short: Sides, long: Sides) -> None:
    base = Snapshot(AS_OF, "w1", ACCOUNT, "SPX", 1, 4191.25, None, None, quotes=quotes(short, long), figures=FIGURES)
    snapshot = replace(base, **changes)
    decision = judge(Proposal(signal(), plan(), snapshot, SESSION), book, LIMITS, AS_OF)
    assert len(decision.outcomes) <= len(RULES)
    assert [outcome.passed for outcome in decision.outcomes[:-1]] == [True] * (len(decision.outcomes) - 1)
    if not isinstance(decision, Approved):
        assert decision.refused_by.reason
        return
    lost = max(Decimal(0), -book.account_realized_today_usd)
    assert lost + book.open_maximum_loss_usd + 3600 <= LIMITS.max_risk_per_day_usd
    assert snapshot.buying_power is not None
    assert snapshot.buying_power >= 3600
    assert snapshot.connected
    assert snapshot.trading_enabled
    assert book.reconciled
    assert book.halted_by is None
    assert book.open_trades == 0
