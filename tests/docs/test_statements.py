"""What the documentation states about the code and about money is held equal to both."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from tests.docs.pages import DOCS, ROOT, fences, rows, text_of

from htbot.bootstrap.install.outcome import NotReady, NotRunning, exit_code
from htbot.cli.failures import ExitCode
from htbot.domain import errors
from htbot.domain.errors import ConfigurationError, HtbotError
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.orders import ExitReason
from htbot.execution.diagram import DIAGRAMS, redrawn
from htbot.pricing.black import price
from htbot.risk.gate import BROKER_RULES, RULES
from htbot.services.schedule import schedule
from htbot.settings.strategy import StrategySettings

README = " ".join(text_of(ROOT / "README.md").replace("\n> ", " ").split())

# --- the worked example of the README ---------------------------------------------------------------------------------

SPOT, SHORT, LONG = 5003.0, 4995.0, 4955.0
CREDIT, WIDTH, UNITS = 4.20, 40.0, 100


def value(spot: float, points: float) -> float:
    """The spread's value when the rest of the day has a standard deviation of so many points."""
    deviation = points / SPOT
    return price(Right.PUT, spot, SHORT, deviation) - price(Right.PUT, spot, LONG, deviation)


def root(low: float, high: float, function: Any) -> float:
    """Where a function changes its sign."""
    rising = function(high) > function(low)
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if (function(middle) > 0) is rising else (middle, high)
    return low


def implied_points(credit: float) -> float:
    return root(5.0, 60.0, lambda points: value(SPOT, points) - credit)


def distance_to_stop(credit: float, points: float) -> float:
    return SPOT - root(SPOT - 60, SPOT, lambda spot: value(spot, points) - credit - 2.0)


def test_dollars_of_the_example() -> None:
    spx = UNDERLYINGS["SPX"]
    assert StrategySettings().profit_target_usd == spx.profit_target_usd == 400
    assert StrategySettings().stop_loss_usd == spx.stop_loss_usd == 200
    assert (spx.strike_step * StrategySettings().spread_width_strikes, spx.multiplier) == (Decimal(40), 100)
    assert round(CREDIT * UNITS) == 420
    assert round((WIDTH - CREDIT) * UNITS) == 3580
    assert round(3580 / 200) == 18
    for text in ("**420 USD**", "**3,580 USD**", "4990.80", "= 0.20", "= 6.20", "**2.00 points of spread price**"):
        assert text in README


def test_the_stop_in_index_points() -> None:
    points = implied_points(CREDIT)
    delta = (value(SPOT - 0.01, points) - value(SPOT + 0.01, points)) / 0.02
    assert round(points) == 19
    assert round(delta, 2) == 0.33
    assert round(2.0 / delta) == 6
    assert round(distance_to_stop(CREDIT, points), 1) == 5.3
    assert round(5.3 / SPOT * 100, 1) == 0.1
    assert round(distance_to_stop(CREDIT, points * 0.5**0.5), 1) == 9.6
    assert round(distance_to_stop(9.00, implied_points(9.00)), 1) == 5.8
    for text in ("standard deviation of 19 points", "delta of 0.33", "≈ 6 index points", "5.3 with curvature", "9.6"):
        assert text in README


def test_the_picture_shows_the_example() -> None:
    picture = text_of(DOCS / "pictures/spread.svg")
    assert round(SPOT - distance_to_stop(CREDIT, implied_points(CREDIT))) == 4998
    for text in (
        "4955",
        "4995",
        "5003",
        "stop \N{MINUS SIGN}200",
        "at 4998, now",
        "\N{MINUS SIGN}3,580 at most",
        "+420 at most",
    ):
        assert f">{text}" in picture


# --- tables and diagrams ----------------------------------------------------------------------------------------------


def test_the_state_diagrams_are_drawn_from_the_tables_of_moves() -> None:
    page = text_of(DOCS / "concepts/exactly-once.md")
    assert redrawn(page) == page, "run: python -m htbot.execution.diagram docs/concepts/exactly-once.md"
    assert fences(DOCS / "concepts/exactly-once.md", "mermaid") == [DIAGRAMS["intent"](), DIAGRAMS["order"]()]


def test_the_table_of_rules_is_the_gate() -> None:
    page = DOCS / "concepts/money-and-risk.md"
    documented = [cells[0].strip("`") for cells in rows(page)]
    rules = [*RULES, *BROKER_RULES]
    assert documented == [rule.__module__.rpartition(".")[2] for rule in rules]
    assert f"{len(rules)} rules" in text_of(ROOT / "CHANGELOG.md")


def test_the_table_of_exits_names_reasons_that_exist() -> None:
    named_reasons = [cells[0].strip("`") for cells in rows(DOCS / "concepts/strategy-1.md")]
    assert named_reasons == ["market_close", "time", "stop_loss", "profit_target"]
    assert set(named_reasons) <= {reason.value for reason in ExitReason}
    assert f"`{' '.join(ExitReason)}`" in text_of(DOCS / "reference/rest.md")


def test_exit_codes() -> None:
    documented = {int(cells[0]) for cells in rows(DOCS / "reference/errors.md") if cells[0].isdigit()}
    assert documented == {code.value for code in ExitCode}
    installed = {exit_code(kind("")) for kind in (NotRunning, ConfigurationError, NotReady, HtbotError)}
    assert installed == {ExitCode.NOT_RUNNING, ExitCode.CONFIGURATION, ExitCode.TIME_OUT, ExitCode.ERROR}


def test_the_tree_of_errors_is_complete() -> None:
    documented = {cells[0].strip("`") for cells in rows(DOCS / "reference/errors.md")}
    tree = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, HtbotError)}
    assert tree - {"HtbotError"} <= documented


def test_every_program_is_described() -> None:
    template = text_of(ROOT / "supervisord.conf")
    programs = set(re.findall(r"^\[(?:program|eventlistener):(\w+)\]", template, re.MULTILINE))
    page = DOCS / "concepts/processes.md"
    described = {cells[0].strip("`") for cells in rows(page) if len(cells) == 3 and cells[0].startswith("`")}
    assert programs <= described


def test_scheduled_tasks_are_named() -> None:
    text = "".join(
        text_of(DOCS / name) for name in ("concepts/processes.md", "concepts/strategy-1.md", "guides/email.md")
    )
    for row in schedule():
        assert f"`{row.task.rpartition('.')[2]}`" in text
