from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from htbot.bootstrap.paper_options import paper_options
from htbot.matching.view import FillRules
from htbot.paper.feeds.entitlement import Subscriptions
from htbot.paper.feeds.streams import DataRules


@pytest.mark.parametrize(
    ("given", "fills"),
    [
        ({}, FillRules()),
        ({"PAPER_SLIPPAGE_TICKS": "2", "PAPER_TOUCH_SHARE": "0.5"}, FillRules(2, Decimal("0.5"))),
        ({"PAPER_TOUCH_SHARE": "0"}, FillRules(sizes_limit=False)),
    ],
)
def test_the_pessimism_of_fills_is_a_setting(tmp_path: Path, given: dict[str, str], fills: FillRules) -> None:
    options = paper_options({"HTBOT_VAR_DIR": str(tmp_path), **given})
    assert options.book.fills == fills


def test_delays_are_settings(tmp_path: Path) -> None:
    given = {"HTBOT_VAR_DIR": str(tmp_path), "PAPER_LATENCY_S": "0.5", "PAPER_COMMISSION_DELAY_S": "3"}
    options = paper_options(given)
    assert (options.latency_s, options.book.commission_delay_s) == (0.5, 3.0)


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        ({}, DataRules(pacing="on")),
        ({"PAPER_SPEED": "max"}, DataRules(pacing="off")),
        (
            {"PAPER_SUBSCRIPTIONS": "delayed", "PAPER_LINES": "250", "PAPER_PACING": "strict"},
            DataRules(Subscriptions.DELAYED, 250, "strict"),
        ),
    ],
)
def test_market_data_of_the_login_is_a_setting(tmp_path: Path, given: dict[str, str], rules: DataRules) -> None:
    options = paper_options({"HTBOT_VAR_DIR": str(tmp_path), **given})
    assert options.data_rules == rules
