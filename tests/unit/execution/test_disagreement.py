from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.support.spreads import ACCOUNT, AS_OF, LONG, SHORT

from htbot.execution.disagreement import Judgement, Patience, Standing, Verdict, judge
from htbot.execution.reconciliation import Finding, FindingKind

ALIKE = Finding(FindingKind.MATCH, ACCOUNT, "1 on both sides", con_id=LONG.con_id, symbol="SPX", ours=1, broker=1)
GONE = Finding(FindingKind.PHANTOM, ACCOUNT, "we hold -1, the broker none", con_id=SHORT.con_id, symbol="SPX", ours=-1)
SHARES = Finding(
    FindingKind.EXTERNAL_POSITION, ACCOUNT, "the broker holds 100, we none", con_id=77, symbol="SPY", broker=100
)
BY_HAND = Finding(FindingKind.FOREIGN_ORDER, ACCOUNT, "permId 900 works without our ref", perm_id=900)


def at(seconds: float) -> datetime:
    return AS_OF + timedelta(seconds=seconds)


class Watch:
    """Looks in a row."""

    def __init__(self, patience: Patience | None = None) -> None:
        self.standing = Standing()
        self.patience = patience or Patience()

    def look(self, seconds: float, *findings: Finding, at_rest: bool = False) -> Judgement:
        judgement, self.standing = judge(self.standing, findings, at(seconds), self.patience, at_rest=at_rest)
        return judgement

    def verdicts(self, *looks: tuple[float, Sequence[Finding]]) -> list[Verdict]:
        return [self.look(seconds, *findings).verdict for seconds, findings in looks]


def test_a_difference_counts_once_it_was_seen_twice_fifteen_seconds_apart() -> None:
    watch = Watch()
    assert watch.verdicts((0, [ALIKE, GONE]), (14.9, [GONE])) == [Verdict.WATCH, Verdict.WATCH]
    told = watch.look(15, ALIKE, GONE)
    assert (told.verdict, told.tell, told.since, told.matched) == (Verdict.DIFFER, (GONE,), at(0), 1)
    assert not told.entries_allowed
    assert watch.look(30, GONE).tell == (), "a person is told once"


def test_fifteen_seconds_between_two_looks_are_not_two_mismatches() -> None:
    watch = Watch()
    assert watch.verdicts((0, [GONE]), (60, []), (120, [GONE])) == [Verdict.WATCH, Verdict.AGREE, Verdict.WATCH]
    assert watch.look(134, GONE).since == at(120)


def test_a_difference_that_comes_again_is_told_again() -> None:
    watch = Watch()
    for seconds in (0, 15):
        watch.look(seconds, GONE)
    watch.look(30)
    assert [watch.look(seconds, GONE).tell for seconds in (60, 75)] == [(), (GONE,)]


def test_while_it_is_only_watched_entries_go_on() -> None:
    assert Watch().look(0, GONE).entries_allowed


def test_at_rest_nothing_can_be_under_way() -> None:
    judgement = Watch().look(0, GONE, at_rest=True)
    assert (judgement.verdict, judgement.tell) == (Verdict.DIFFER, (GONE,))


def test_after_five_minutes_entries_are_halted_and_healing_is_told() -> None:
    watch = Watch()
    looks = [(0, [GONE]), (60, [GONE]), (299, [GONE]), (300, [GONE]), (360, [GONE]), (420, [ALIKE]), (480, [ALIKE])]
    halt = Verdict.HALT_ENTRIES
    assert watch.verdicts(*looks) == [
        Verdict.WATCH, Verdict.DIFFER, Verdict.DIFFER, halt, halt, Verdict.HEALED, Verdict.AGREE,
    ]  # fmt: skip


def test_the_text_names_the_thing_and_since_when() -> None:
    watch = Watch()
    watch.look(0, GONE)
    halted = watch.look(300, GONE)
    assert halted.text_of(halted.doubts) == (
        "PHANTOM SPX 11: we hold -1, the broker none, since 2022-08-26T14:32:30+00:00"
    )


def test_without_recon_halt_they_differ_for_ever_and_entries_wait() -> None:
    watch = Watch(Patience(halts=False))
    assert watch.verdicts((0, [GONE]), (600, [GONE])) == [Verdict.WATCH, Verdict.DIFFER]
    assert not watch.look(6000, GONE).entries_allowed


def test_a_new_difference_in_place_of_the_old_one_does_not_heal() -> None:
    watch = Watch()
    other = replace(GONE, con_id=LONG.con_id)
    assert watch.verdicts((0, [GONE]), (15, [GONE]), (30, [other])) == [Verdict.WATCH, Verdict.DIFFER, Verdict.DIFFER]
    assert watch.verdicts((320, [other]), (330, [other]), (340, [])) == [
        Verdict.DIFFER,
        Verdict.HALT_ENTRIES,
        Verdict.HEALED,
    ]


def test_a_difference_that_changes_its_kind_goes_on_standing() -> None:
    watch = Watch()
    watch.look(0, GONE)
    changed = watch.look(15, replace(GONE, kind=FindingKind.QTY_DIFF, broker=-2))
    assert (changed.verdict, changed.since, changed.store) == (Verdict.DIFFER, at(0), True)


@pytest.mark.fault(39)
def test_a_position_that_is_not_ours_is_told_and_stops_entries_in_its_symbol_only() -> None:
    watch = Watch()
    first = watch.look(0, SHARES)
    assert (first.verdict, first.tell, dict(first.blocked)) == (Verdict.AGREE, (), {})
    lasting = watch.look(15, SHARES)
    assert (lasting.verdict, lasting.tell, lasting.doubts) == (Verdict.AGREE, (SHARES,), ())
    assert list(lasting.blocked) == ["SPY"]
    assert lasting.entries_allowed
    assert watch.look(30).blocked == {}


@pytest.mark.fault(40)
def test_two_orders_of_a_person_are_told_one_by_one_and_cast_no_doubt() -> None:
    watch = Watch()
    second = replace(BY_HAND, perm_id=901)
    assert watch.look(0, BY_HAND, at_rest=True).tell == (BY_HAND,)
    told = watch.look(60, BY_HAND, second, at_rest=True)
    assert (told.verdict, told.tell, dict(told.blocked)) == (Verdict.AGREE, (second,), {})


def test_what_is_stored_is_news_and_one_look_a_minute() -> None:
    watch = Watch()
    stored = [
        watch.look(seconds, *findings).store
        for seconds, findings in [(0, []), (30, []), (60, []), (70, [GONE]), (80, [GONE]), (85, [GONE]), (144, [GONE])]
    ]
    assert stored == [True, False, True, True, False, True, False]


def test_market_time_that_jumps_back_is_stored_at_once() -> None:
    watch = Watch()
    watch.look(3600)
    assert watch.look(0).store
