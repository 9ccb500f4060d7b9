"""What people are told when books and broker disagree, and when they agree again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from htbot.alerts.message import Fact, Message, compose
from htbot.domain.alerts import Alert, Severity
from htbot.domain.sessions import NEW_YORK
from htbot.execution.disagreement import Judgement, Verdict
from htbot.execution.reconciliation import Finding, FindingKind

_FOREIGN = "The broker shows something that is not ours: it is left alone, and nothing is entered in its symbol."
_WAY_OUT = (
    "compare htbot positions with the broker's own app; what was closed there is booked with htbot settle; "
    "docs/runbooks/HT-REC-01.md"
)
_KINDS = {
    FindingKind.MATCH: "a match",
    FindingKind.MISSING_FILL: "a fill is missing here",
    FindingKind.EXTERNAL_POSITION: "a position that is not ours",
    FindingKind.PHANTOM: "a position is gone there",
    FindingKind.QTY_DIFF: "a quantity",
    FindingKind.UNKNOWN_ORDER: "an order of unknown fate",
    FindingKind.FOREIGN_ORDER: "an order that is not ours",
    FindingKind.LOST_ORDER: "an order is lost",
}
_DIFFERS = "Books and broker disagree: no entries until they agree, exits go on."
_VERDICTS: Mapping[Verdict, tuple[str, Severity, str]] = {
    Verdict.HALT_ENTRIES: (
        "Entries Halted",
        Severity.CRITICAL,
        "Books and broker have disagreed for too long: entries are halted until a person has looked and resumes.",
    ),
    Verdict.HEALED: ("Books Agree", Severity.INFO, "Books and broker agree again."),
}


def finding_alert(account: str, finding: Finding, detail: str, as_of: datetime) -> Alert:
    """One thing that does not match, once a day: `detail` is its line with the time since when."""
    day = as_of.astimezone(NEW_YORK).date().isoformat()
    what = ":".join([finding.kind.value, str(finding.con_id), finding.ref, str(finding.perm_id)])
    return compose(
        Message(
            kind="error.foreign" if finding.foreign else "error.reconciliation",
            severity=Severity.WARNING if finding.foreign else Severity.CRITICAL,
            title=f"Reconciliation - {_KINDS[finding.kind]}, {account}",
            summary=_FOREIGN if finding.foreign else _DIFFERS,
            as_of=as_of,
            dedup_key=f"reconciliation:{account}:{day}:{what}",
            facts=[Fact("Account", account), Fact("Finding", detail), Fact("What to do", _WAY_OUT)],
            account=account,
        )
    )


def verdict_alert(account: str, judgement: Judgement) -> Alert | None:
    """Entries were halted, or the books agree again; None for verdicts whose findings speak for themselves."""
    if judgement.verdict not in _VERDICTS:
        return None
    title, severity, summary = _VERDICTS[judgement.verdict]
    detail = judgement.text_of(judgement.doubts) or f"{judgement.matched} contracts match"
    return compose(
        Message(
            kind=f"reconciliation.{judgement.verdict.value.lower()}",
            severity=severity,
            title=f"{title} - {account}",
            summary=summary,
            as_of=judgement.as_of,
            dedup_key=f"reconciliation:{account}:{judgement.verdict.value}:{judgement.as_of.isoformat()}",
            facts=[Fact("Account", account), Fact("Findings", detail)],
            account=account,
        )
    )
