from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.spreads import ACCOUNT, AS_OF, SHORT

from htbot.alerts.reconciliation import finding_alert, verdict_alert
from htbot.domain.alerts import Severity
from htbot.execution.disagreement import Standing, Verdict, judge
from htbot.execution.reconciliation import Finding, FindingKind

GONE = Finding(FindingKind.PHANTOM, ACCOUNT, "we hold -1, the broker none", con_id=SHORT.con_id, symbol="SPX", ours=-1)
BY_HAND = Finding(FindingKind.FOREIGN_ORDER, ACCOUNT, "permId 900 works without our ref", perm_id=900)


def test_a_difference_is_critical_and_what_is_not_ours_a_warning() -> None:
    doubt, foreign = (finding_alert(ACCOUNT, one, "line", AS_OF) for one in (GONE, BY_HAND))
    assert (doubt.severity, doubt.kind, doubt.account) == (Severity.CRITICAL, "error.reconciliation", ACCOUNT)
    assert (foreign.severity, foreign.kind) == (Severity.WARNING, "error.foreign")
    assert doubt.subject == f"HTBot Alert: Reconciliation - a position is gone there, {ACCOUNT}"
    assert "no entries until they agree" in doubt.text
    assert "left alone" in foreign.text


def test_the_same_thing_is_one_alert_a_day() -> None:
    keys = [finding_alert(ACCOUNT, GONE, "line", AS_OF + timedelta(hours=hours)).dedup_key for hours in (0, 3, 24)]
    assert keys[0] == keys[1] != keys[2]
    assert finding_alert(ACCOUNT, BY_HAND, "line", AS_OF).dedup_key != keys[0]


@pytest.mark.parametrize(
    ("looks", "verdict", "words"),
    [
        ([(0, [GONE])], Verdict.DIFFER, None),
        ([(0, [GONE]), (300, [GONE])], Verdict.HALT_ENTRIES, "until a person has looked and resumes"),
        ([(0, [GONE]), (60, [])], Verdict.HEALED, "Books and broker agree again"),
    ],
)
def test_verdicts(looks: list[tuple[int, list[Finding]]], verdict: Verdict, words: str | None) -> None:
    standing = Standing()
    for seconds, findings in looks:
        judgement, standing = judge(standing, findings, AS_OF + timedelta(seconds=seconds), at_rest=True)
    alert = verdict_alert(ACCOUNT, judgement)
    assert judgement.verdict is verdict
    assert (alert is None) == (words is None)
    if alert is not None and words is not None:
        assert words in alert.text
