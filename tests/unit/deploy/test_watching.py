"""The alert rules and the dashboard speak of metrics and labels that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from htbot.settings import project_root
from htbot.telemetry.metric_names import CATALOGUE, COUNTED, Kind
from htbot.telemetry.metric_reference import exposed

ROOT = project_root()
RULES = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = ROOT / "deploy/grafana/htbot.json"
OF_PROMETHEUS = {"up": {"job", "instance"}}
FUNCTIONS = {"absent", "increase", "rate", "histogram_quantile", "sum", "max", "min", "abs"}
WORDS = {"by", "on", "and", "or", "unless", "without", "ignoring"}
_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*(?:\{([^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
_MATCHER = re.compile(r'\s*(\w+)\s*(?:=~|!~|!=|=)\s*"[^"]*"\s*')


def known() -> dict[str, set[str]]:
    """Labels by each name that a query may ask for."""
    found = dict(OF_PROMETHEUS)
    for one in (*CATALOGUE, *COUNTED):
        for name, labels in [
            (one.name, one.labels),
            *((alias.name, alias.labels or one.labels) for alias in one.aliases),
        ]:
            if one.kind is Kind.HISTOGRAM:
                found[f"{name}_bucket"] = {*labels, "le"}
                found |= {f"{name}_{part}": set(labels) for part in ("sum", "count")}
            else:
                found[exposed(name, one.kind)] = set(labels)
    return found


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"])


def expressions() -> Iterator[tuple[str, str]]:
    for rule in rules():
        yield f"rule {rule['alert']}", rule["expr"]
    for panel in panels():
        for target in panel.get("targets", []):
            yield f"panel {panel['title']} {target['refId']}", target["expr"]


def complaints(expression: str) -> list[str]:
    """What of an expression asks for something that there is not."""
    found = [] if _balanced(expression) else ["brackets do not match"]
    names = known()
    grouped = {label.strip() for group in _GROUPING.findall(expression) for label in group.split(",") if label.strip()}
    bare = re.sub(r"\[\d+[smhdw]\]", "", _GROUPING.sub(" ", expression))
    used: set[str] = set()
    for name, matchers in _SELECTOR.findall(re.sub(r"(?<![\w:])\d+(?:\.\d+)?", " ", bare)):
        if name in FUNCTIONS | WORDS:
            continue
        if name not in names:
            found.append(f"no metric {name}")
            continue
        used |= names[name]
        for matcher in filter(None, matchers.split(",")):
            match = _MATCHER.fullmatch(matcher)
            if match is None or match[1] not in names[name]:
                found.append(f"{name} has no label for {matcher}")
    return found + [f"no metric of it has the label {label}" for label in sorted(grouped - used)]


def _balanced(expression: str) -> bool:
    without = re.sub(r'"[^"]*"', "", expression)
    return all(without.count(left) == without.count(right) for left, right in ("()", "[]", "{}"))


@pytest.mark.parametrize(("where", "expression"), [pytest.param(*one, id=one[0]) for one in expressions()])
def test_each_expression_asks_for_what_there_is(where: str, expression: str) -> None:
    assert complaints(expression) == []


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("htbot_flying == 1", "no metric htbot_flying"),
        ("htbot_fills > 1", "no metric htbot_fills"),
        ('htbot_ib_connected{service="desk"} == 0', 'htbot_ib_connected has no label for service="desk"'),
        ("sum by (colour) (htbot_fills_total)", "no metric of it has the label colour"),
        ("sum(htbot_fills_total", "brackets do not match"),
    ],
)
def test_the_check_finds_what_is_not_there(expression: str, complaint: str) -> None:
    assert complaints(expression) == [complaint]


def test_each_rule_says_how_bad_it_is_and_where_to_read_on() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["alert"]


def test_what_the_replaced_bots_warned_of_is_warned_of() -> None:
    wanted = {"HighCpu", "HighMemory", "DiskFull", "ServiceDown", "HighRejectionRate", "BrokerDisconnected"}
    wanted |= {
        "SlowRequests",
        "HighSlippage",
        "PortfolioDrawdown",
        "DailyLossLimit",
        "NoStrategySignals",
        "LowWinRate",
        "MaxDrawdown",
    }
    assert wanted <= {rule["alert"] for rule in rules()}


def test_panels_stand_apart_and_say_what_they_show() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"], panel["title"]
    assert len({panel["id"] for panel in panels()}) == len(panels())
