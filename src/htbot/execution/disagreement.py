"""How long books and broker have disagreed, and what follows from it (spec 05 section 6).

A difference may be a fill that is under way, so it counts once it has been seen twice, at least 15 seconds of market
time apart; after five minutes no entry leaves until a person has looked. What is not ours casts no doubt on our books:
it is told, never touched, and entries in its symbol stop (FAULTS 39, 40). Pure: the caller keeps the standing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from htbot.execution.reconciliation import Finding, FindingKind

Key = tuple[str, int, str, int]
"""What a finding is about: account, contract, reference, permId. Its kind may change while it stands."""


class Verdict(StrEnum):
    """What the findings of one look amount to, those before it considered."""

    AGREE = "AGREE"
    WATCH = "WATCH"
    DIFFER = "DIFFER"
    HALT_ENTRIES = "HALT_ENTRIES"
    HEALED = "HEALED"


_TROUBLE = frozenset({Verdict.DIFFER, Verdict.HALT_ENTRIES})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a difference may stand, in market time; `halts` is `RECON_HALT`."""

    tell_after: timedelta = timedelta(seconds=15)
    halt_after: timedelta = timedelta(minutes=5)
    store_every: timedelta = timedelta(seconds=60)
    halts: bool = True


DEFAULT_PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is remembered between two looks; start with an empty one, also after a restart."""

    verdict: Verdict = Verdict.AGREE
    since: Mapping[Key, datetime] = field(default_factory=dict)
    kinds: frozenset[tuple[Key, FindingKind]] = frozenset()
    told: frozenset[Key] = frozenset()
    stored_at: datetime | None = None

    @property
    def troubled(self) -> bool:
        """True while a difference counts: what is new beside it counts at once."""
        return self.verdict in _TROUBLE


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do about one look.

    `since` is when the oldest standing difference was first seen, None while there is none. `tell` are findings that a
    person has not been told of. `blocked` gives, by symbol, the reason why nothing may be entered in it. `turned` says
    that the verdict is another than at the last look, `store` that this look is worth a row.
    """

    verdict: Verdict
    as_of: datetime
    findings: tuple[Finding, ...]
    first_seen: Mapping[Key, datetime]
    tell: tuple[Finding, ...] = ()
    blocked: Mapping[str, str] = field(default_factory=dict)
    turned: bool = False
    store: bool = False

    @property
    def doubts(self) -> tuple[Finding, ...]:
        """Findings that cast doubt on our own books."""
        return tuple(finding for finding in self.findings if not finding.agrees)

    @property
    def foreign(self) -> tuple[Finding, ...]:
        """Findings about what is not ours."""
        return tuple(finding for finding in self.findings if finding.foreign)

    @property
    def matched(self) -> int:
        """Contracts that both books hold alike."""
        return sum(finding.kind is FindingKind.MATCH for finding in self.findings)

    @property
    def since(self) -> datetime | None:
        """Market time from which the oldest difference stands."""
        return min((self.first_seen[key_of(finding)] for finding in self.doubts), default=None)

    @property
    def entries_allowed(self) -> bool:
        """False from the moment that a difference counts; exits are never asked."""
        return self.verdict not in _TROUBLE

    def text_of(self, findings: Sequence[Finding]) -> str:
        """Findings on one line, each with the market time from which it stands."""
        return "; ".join(
            f"{finding.kind.value} {_name(finding)}: {finding.detail}, "
            f"since {self.first_seen[key_of(finding)].isoformat(timespec='seconds')}"
            for finding in findings
        )


def key_of(finding: Finding) -> Key:
    """What the finding is about."""
    return finding.account, finding.con_id, finding.ref, finding.perm_id


def _name(finding: Finding) -> str:
    parts = [finding.symbol, str(finding.con_id or ""), finding.ref, str(finding.perm_id or "")]
    return " ".join(part for part in parts if part)


def judge(
    standing: Standing,
    findings: Sequence[Finding],
    now: datetime,
    patience: Patience = DEFAULT_PATIENCE,
    *,
    at_rest: bool = False,
) -> tuple[Judgement, Standing]:
    """The verdict of one look, and what to remember until the next.

    Args:
        standing: what the look before returned.
        findings: all that `reconcile` found, matches included, of one account.
        now: market time of this look, aware UTC.
        patience: how long differences may stand.
        at_rest: nothing can be under way, as at start: a difference counts at the first look.
    """
    open_ = [finding for finding in findings if finding.kind is not FindingKind.MATCH]
    first_seen = {key_of(finding): standing.since.get(key_of(finding), now) for finding in open_}
    lasting = [finding for finding in open_ if at_rest or now - first_seen[key_of(finding)] >= patience.tell_after]
    verdict = _verdict(standing.verdict, open_, lasting, first_seen, now, patience)
    kinds = frozenset((key_of(finding), finding.kind) for finding in open_)
    stored = standing.stored_at
    news = verdict is not standing.verdict or kinds != standing.kinds
    store = news or stored is None or abs(now - stored) >= patience.store_every
    judgement = Judgement(
        verdict=verdict,
        as_of=now,
        findings=tuple(findings),
        first_seen=first_seen,
        tell=tuple(finding for finding in lasting if key_of(finding) not in standing.told),
        blocked=_blocked(lasting),
        turned=verdict is not standing.verdict,
        store=store,
    )
    told = (standing.told & first_seen.keys()) | {key_of(finding) for finding in lasting}
    return judgement, Standing(verdict, first_seen, kinds, frozenset(told), now if store else stored)


def _verdict(
    before: Verdict,
    open_: Sequence[Finding],
    lasting: Sequence[Finding],
    first_seen: Mapping[Key, datetime],
    now: datetime,
    patience: Patience,
) -> Verdict:
    doubts = [finding for finding in open_ if not finding.agrees]
    if not doubts:
        return Verdict.HEALED if before in _TROUBLE else Verdict.AGREE
    counting = [finding for finding in lasting if not finding.agrees]
    overdue = any(now - first_seen[key_of(finding)] >= patience.halt_after for finding in counting)
    if before is Verdict.HALT_ENTRIES or (overdue and patience.halts):
        return Verdict.HALT_ENTRIES
    # one difference may heal while the next is new: trouble ends when nothing differs any more
    return Verdict.DIFFER if counting or before is Verdict.DIFFER else Verdict.WATCH


def _blocked(lasting: Sequence[Finding]) -> dict[str, str]:
    """Symbols of positions that are not ours: assigned, exercised, delivered, or traded by a person."""
    reasons: dict[str, str] = {}
    for finding in lasting:
        if finding.symbol:
            reasons.setdefault(finding.symbol, f"{finding.kind.value} {_name(finding)}: {finding.detail}")
    return reasons
