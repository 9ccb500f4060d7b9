"""Many causes at once are one message: how many of each kind, and their subjects, the gravest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from operator import attrgetter

from htbot.alerts.message import SUBJECT_PREFIX, Fact, Message, compose, stamp_of
from htbot.domain.alerts import Alert, Severity

STORM = 20
"""So many that wait are told one by one. More are told together (docs/guides/email.md)."""
_KINDS, _SUBJECTS = 20, 50
_time = attrgetter("as_of")
_GRAVITY = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def storm_alert(waiting: Sequence[Alert]) -> Alert:
    """One message in place of these, which are in the order in which they came.

    It is of the time of the latest and as grave as the gravest. Its key names the first, the last and their number, so
    that the same ones told again are the same message.
    """
    kinds: dict[str, list[Alert]] = defaultdict(list)
    for alert in waiting:
        kinds[alert.kind].append(alert)
    by_gravity = sorted(waiting, key=lambda alert: _GRAVITY[alert.severity])
    facts = [Fact(kind, _span(of_kind)) for kind, of_kind in sorted(kinds.items())[:_KINDS]]
    if len(kinds) > _KINDS:
        facts.append(Fact("other kinds", str(len(kinds) - _KINDS)))
    facts += [Fact(stamp_of(alert), alert.subject.removeprefix(SUBJECT_PREFIX)) for alert in by_gravity[:_SUBJECTS]]
    if len(waiting) > _SUBJECTS:
        facts.append(Fact("and", f"{len(waiting) - _SUBJECTS} more: htbot alerts"))
    return compose(
        Message(
            kind="storm",
            severity=by_gravity[0].severity,
            title=f"{len(waiting):,} Alerts at Once",
            summary=f"{len(waiting):,} alerts waited at once and are told together; htbot alerts has each of them.",
            as_of=max(alert.as_of for alert in waiting),
            dedup_key=f"storm:{waiting[0].dedup_key}:{waiting[-1].dedup_key}:{len(waiting)}",
            facts=facts,
            params={"count": str(len(waiting))},
        )
    )


def _span(of_kind: Sequence[Alert]) -> str:
    first, last = min(of_kind, key=_time), max(of_kind, key=_time)
    times = stamp_of(first) if first.as_of == last.as_of else f"{stamp_of(first)} to {stamp_of(last)}"
    return f"{len(of_kind):,}, {times}"
