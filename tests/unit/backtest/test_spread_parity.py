from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.spread_day import CALENDAR, DAY, changed, poisoned, request, walk, world

from htbot.backtest.day_rows import KINDS, DayRows
from htbot.backtest.parity_compare import Comparison, compare
from htbot.backtest.spread_parity import rows_of_result
from htbot.backtest.spread_request import SpreadRequest
from htbot.backtest.spread_run import run_spreads
from htbot.matching.fees import Plan

BARS = walk()
_FOUND = CALENDAR.on(DAY)
assert _FOUND is not None
SESSION = _FOUND


@pytest.fixture(scope="module")
def asked() -> SpreadRequest:
    return request(world(BARS))


@pytest.fixture(scope="module")
def day(asked: SpreadRequest) -> DayRows:
    return rows_of_result(run_spreads(asked))


def against(day: DayRows, other: SpreadRequest) -> Comparison:
    return compare(day, rows_of_result(run_spreads(other)), SESSION)


def test_the_same_day_is_identical(day: DayRows) -> None:
    same = compare(day, day, SESSION)
    assert same.identical
    assert same.divergence is None
    assert same.compared == {
        "bars": 42,
        "evaluations": 420,
        "signals": len(day.signals),
        "intents": len(day.intents),
        "fills": len(day.fills),
        "trades": len(day.trades),
    }
    assert min(same.compared.values()) > 0


def test_another_price_plan_is_found_and_named(day: DayRows, asked: SpreadRequest) -> None:
    found = against(day, changed(asked, plan=Plan.TIERED)).divergence
    assert found is not None
    assert (found.kind, found.differing) == ("fill", ("commission",))
    assert found.at == day.fills[0].executed_at
    assert "another price plan: compare plan" in found.reason
    assert found.stack is not None
    assert str(found.stack["commission"]) in found.reason


def test_another_latency_is_found_and_named(day: DayRows, asked: SpreadRequest) -> None:
    found = against(day, changed(asked, latency_s=2.0)).divergence
    assert found is not None
    assert found.kind == "fill"
    assert "at" in found.differing
    assert "latency_s" in found.reason


def test_another_beginning_of_the_history_is_found_at_the_first_look(day: DayRows, asked: SpreadRequest) -> None:
    shorter = replace(asked, history_from=SESSION.opens - timedelta(days=1))
    found = against(day, shorter).divergence
    assert found is not None
    assert (found.at, found.kind) == (SESSION.opens, "evaluation")
    assert "indicators" in found.differing


def test_other_data_are_found_at_the_bar_that_differs(day: DayRows) -> None:
    cut = SESSION.opens + timedelta(minutes=90)
    found = against(day, request(world(poisoned(BARS, cut)))).divergence
    assert found is not None
    # the look at the instant itself already sees the new bar's first price
    assert found.at in {cut, cut + timedelta(seconds=30)}
    assert found.bar["stack"] == found.bar["backtest"], "what had closed before is the same on both sides"
    assert found.looked["stack"] is not None


def test_what_one_side_does_not_have_is_named(day: DayRows) -> None:
    without = replace(day, signals=day.signals[1:])
    found = compare(day, without, SESSION).divergence
    assert found is not None
    assert found.backtest is None
    assert found.stack is not None
    assert found.reason.startswith("the stack has the signal")
    turned = compare(without, day, SESSION).divergence
    assert turned is not None
    assert turned.reason.startswith("the backtest has the signal")


def test_the_first_difference_in_time_is_told_causes_first(day: DayRows) -> None:
    def dearer(rows: DayRows) -> DayRows:
        return replace(rows, fills=[replace(fill, price=fill.price + Decimal("0.01")) for fill in rows.fills])

    def later_trade(rows: DayRows) -> DayRows:
        changed = replace(rows.trades[0], fields={**rows.trades[0].fields, "net_pnl": Decimal(0)})
        return replace(rows, trades=[changed, *rows.trades[1:]])

    both = compare(day, later_trade(dearer(day)), SESSION).divergence
    assert both is not None
    assert (both.kind, both.differing) == ("fill", ("price",))
    alone = compare(day, later_trade(day), SESSION).divergence
    assert alone is not None
    assert (alone.kind, alone.differing) == ("trade", ("net_pnl",))


MUTATIONS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "bars": (lambda known: known._replace(bar=replace(known.bar, close=known.bar.close + 0.01)), "close"),
    "evaluations": (lambda one: replace(one, why_not="because"), "why_not"),
    "signals": (lambda pair: (replace(pair[0], price=pair[0].price + 0.01), pair[1]), "price"),
    "intents": (lambda one: replace(one, limit=one.limit - Decimal("0.05")), "limit"),
    "fills": (lambda one: replace(one, executed_at=one.executed_at + timedelta(seconds=1)), "at"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_changed_row_of_any_kind_is_found(day: DayRows, name: str) -> None:
    change, field = MUTATIONS[name]
    rows = list(getattr(day, name))
    rows[-1] = change(rows[-1])
    found = compare(day, replace(day, **{name: rows}), SESSION).divergence
    assert found is not None
    assert found.kind == name.removesuffix("s")
    assert field in found.differing
    assert found.kind in KINDS


def test_looks_after_the_close_are_not_compared(day: DayRows) -> None:
    late = replace(day.evaluations[-1], as_of=SESSION.closes + timedelta(seconds=30))
    assert compare(replace(day, evaluations=[*day.evaluations, late]), day, SESSION).identical
