from __future__ import annotations

import re

import pytest

from htbot.telemetry.metric_names import CATALOGUE, Kind
from htbot.telemetry.metric_reference import exposed
from htbot.telemetry.metrics import MOST_SERIES, Distribution, Gathered

NAMES = [exposed(one.name, one.kind) for one in CATALOGUE] + [
    exposed(alias.name, one.kind) for one in CATALOGUE for alias in one.aliases
]


def samples(gathered: Gathered) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in gathered.families()
        for sample in family.samples
    }


def test_names_are_those_that_prometheus_wants() -> None:
    assert len(NAMES) == len(set(NAMES))
    for one in CATALOGUE:
        assert re.fullmatch(r"htbot_[a-z0-9_]+", one.name), one.name
        assert not one.name.endswith("_total")
        assert one.help
        assert (one.kind is Kind.HISTOGRAM) == bool(one.bounds)
        assert list(one.bounds) == sorted(set(one.bounds))
        assert all(len(alias.labels) in {0, len(one.labels)} for alias in one.aliases)


def test_every_name_that_the_replaced_bots_promised_is_there() -> None:
    promised = {
        "trading_signals_total",
        "trading_trades_executed_total",
        "trading_position_pnl",
        "ibkr_connection_status",
    }
    assert promised <= set(NAMES)


def test_an_alias_has_the_same_samples_under_its_own_labels() -> None:
    gathered = Gathered()
    gathered.put("htbot_trades_rejected", 3, "halt")
    found = samples(gathered)
    assert found["htbot_trades_rejected_total", (("reason", "halt"),)] == 3
    assert found["htbot_risk_refusals_total", (("rule", "halt"),)] == 3


def test_what_is_unknown_leaves_no_sample_but_its_help() -> None:
    gathered = Gathered()
    gathered.put("htbot_drawdown_pct", None, "DU1")
    families = {family.name: family for family in gathered.families()}
    assert families["htbot_drawdown_pct"].samples == []
    assert families["htbot_drawdown_pct"].documentation


def test_label_sets_are_bounded_and_what_is_left_out_is_counted() -> None:
    gathered = Gathered()
    for number in range(MOST_SERIES + 7):
        gathered.put("htbot_position_pnl", number, f"S{number:04}")
    gathered.put("htbot_position_pnl", 5, "S0000")
    found = samples(gathered)
    assert sum(name == "htbot_position_pnl" for name, _ in found) == MOST_SERIES
    assert found["htbot_metrics_series_dropped", ()] == 7
    assert found["htbot_position_pnl", (("symbol", "S0000"),)] == 5


def test_wrong_labels_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"htbot_fills has the labels \(\)"):
        Gathered().put("htbot_fills", 1, "extra")
    with pytest.raises(KeyError):
        Gathered().put("htbot_nothing", 1)


def test_a_histogram_counts_upwards() -> None:
    gathered = Gathered()
    bounds = next(one.bounds for one in CATALOGUE if one.name == "htbot_order_fill_time_seconds")
    seen = Distribution.empty(bounds)
    more = Distribution.empty(bounds)
    seen.counts[0], seen.total = 2, 0.1
    more.counts[-1], more.total = 1, 900.0
    seen.add(more)
    gathered.put_distribution("htbot_order_fill_time_seconds", seen, "entry")
    found = samples(gathered)
    name, label = "htbot_order_fill_time_seconds", ("purpose", "entry")
    assert found[f"{name}_bucket", (("le", "0.1"), label)] == 2
    assert found[f"{name}_bucket", (("le", "300.0"), label)] == 2
    assert found[f"{name}_bucket", (("le", "+Inf"), label)] == 3
    assert found[f"{name}_count", (label,)] == 3
    assert found[f"{name}_sum", (label,)] == pytest.approx(900.1)
