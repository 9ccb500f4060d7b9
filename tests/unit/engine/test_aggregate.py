from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from htbot.engine.aggregate import Blocked, Opinion, aggregate, decide, joined_confidence
from htbot.strategies.bar_strategy import LONG, NONE, SHORT

NOON = datetime(2024, 5, 14, 16, tzinfo=UTC)
SPY = Opinion("momentum", "SPY", LONG, 500.0, 10, 0.8, NOON)


def of(strategy: str, **changes: object) -> Opinion:
    return replace(SPY, strategy=strategy, **changes)  # type: ignore[arg-type]


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine proves nothing
opinions = st.lists(
    st.builds(
        Opinion,
        strategy=st.sampled_from(["a", "b", "c", "d"]),
        symbol=st.sampled_from(["SPY", "QQQ"]),
        side=st.sampled_from([LONG, SHORT, NONE]),
        price=st.floats(1, 1000),
        quantity=st.integers(1, 100),
        confidence=st.floats(0, 1),
        as_of=st.just(NOON),
        leave=st.booleans(),
    ),
    max_size=8,
)

# --- confidence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confidences", "joined"),
    [
        ([0.8], 0.8),
        ([0.6, 0.8], (0.36 + 0.64) / 1.4 + 0.1),
        ([0.5, 0.5, 0.5], 0.7),  # 0.5 + 0.2
        ([0.5, 0.5, 0.5, 0.5], 0.7),  # no more than 0.2 for agreement
        ([0.9, 0.9, 0.9], 1.0),  # 1.1
        ([0.0], 0.0),
        ([0.0, 0.0], 0.0),
        ([1.0, 0.0], 1.0),
    ],
)
def test_confidences_join_as_the_specification_says(confidences: list[float], joined: float) -> None:
    assert joined_confidence(confidences) == pytest.approx(joined, abs=1e-12)


def test_who_agrees_is_one_entry_with_the_mean_price_and_the_largest_quantity() -> None:
    verdict = decide([of("momentum", confidence=0.6), of("range_bound", price=502.0, quantity=25)])
    (entry,) = verdict.entries
    assert (entry.symbol, entry.side, entry.price, entry.quantity) == ("SPY", LONG, 501.0, 25)
    assert entry.confidence == pytest.approx(1.0 / 1.4 + 0.1)
    assert entry.strategies == ("momentum", "range_bound")


def test_symbols_are_apart() -> None:
    verdict = decide([of("momentum"), of("momentum", symbol="QQQ", side=SHORT)])
    assert [(entry.symbol, entry.side) for entry in verdict.entries] == [("QQQ", SHORT), ("SPY", LONG)]


# --- conflict ---------------------------------------------------------------------------------------------------------


def test_the_surer_side_wins_and_the_other_is_told_why() -> None:
    against = of("range_bound", side=SHORT, confidence=0.7)
    verdict = decide([of("momentum"), against])
    assert [(entry.side, entry.confidence) for entry in verdict.entries] == [(LONG, 0.8)]
    assert verdict.blocked == (Blocked(against, "SPY: the other side is surer, 0.800 against 0.700"),)


def test_two_that_agree_may_outweigh_one_that_is_surer() -> None:
    verdict = decide(
        [of("a", confidence=0.75), of("b", side=SHORT, confidence=0.7), of("c", side=SHORT, confidence=0.7)]
    )
    assert [(entry.side, entry.strategies) for entry in verdict.entries] == [(SHORT, ("b", "c"))]


def test_a_tie_holds() -> None:
    verdict = decide([of("momentum"), of("range_bound", side=SHORT)])
    assert verdict.entries == ()
    assert [blocked.why for blocked in verdict.blocked] == ["SPY: both sides are equally sure"] * 2


# --- filters ----------------------------------------------------------------------------------------------------------


def test_filters_are_asked_in_order_and_the_first_no_ends_it() -> None:
    asked: list[str] = []

    def no(opinion: Opinion) -> Blocked:
        asked.append("no")
        return Blocked(opinion, "earnings in 2 days")

    def late(opinion: Opinion) -> Opinion:
        asked.append("late")
        return opinion

    verdict = decide([SPY], [no, late])
    assert (verdict.entries, [blocked.why for blocked in verdict.blocked]) == ((), ["earnings in 2 days"])
    assert asked == ["no"]


def test_a_filter_changes_the_confidence_which_stays_between_0_and_1() -> None:
    up = lambda opinion: replace(opinion, confidence=opinion.confidence + 0.3)
    down = lambda opinion: replace(opinion, confidence=opinion.confidence - 0.25)
    assert [entry.confidence for entry in decide([SPY], [up, down]).entries] == [0.75]
    assert [entry.confidence for entry in decide([SPY], [down, down, down, down]).entries] == [0.0]


@patient
@given(opinions)
def test_exits_are_never_filtered_and_never_wait(said: list[Opinion]) -> None:
    exits = tuple(opinion for opinion in said if opinion.leave)
    last = {(opinion.symbol, opinion.strategy): NOON for opinion in said}
    verdict = decide(said, [lambda opinion: Blocked(opinion, "no")], last)
    assert verdict.exits == exits
    assert verdict.entries == ()


# --- cooldown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "entries"), [(299, 0), (300, 1), (301, 1)])
def test_a_strategy_rests_on_a_symbol_after_it_was_listened_to(seconds: int, entries: int) -> None:
    first = decide([SPY])
    again = decide([replace(SPY, as_of=NOON + timedelta(seconds=seconds))], last=first.last)
    assert len(again.entries) == entries
    assert [blocked.why for blocked in again.blocked] == ["momentum on SPY rests for another 1 s"][: 1 - entries]


def test_other_strategies_and_symbols_do_not_rest() -> None:
    first = decide([SPY])
    again = decide([of("range_bound"), of("momentum", symbol="QQQ")], last=first.last)
    assert len(again.entries) == 2


def test_what_a_filter_blocked_does_not_start_the_rest() -> None:
    first = decide([SPY], [lambda opinion: Blocked(opinion, "no")])
    assert first.last == {}
    assert len(decide([SPY], last=first.last).entries) == 1


# --- in general -------------------------------------------------------------------------------------------------------


@patient
@given(opinions, st.randoms())
def test_the_order_of_opinions_does_not_matter(said: list[Opinion], chance: object) -> None:
    entries = [opinion for opinion in said if not opinion.leave and opinion.side != NONE]
    shuffled = list(entries)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert aggregate(shuffled)[0] == aggregate(entries)[0]


@patient
@given(opinions)
def test_every_entry_is_followed_or_told_why_not(said: list[Opinion]) -> None:
    verdict = decide(said)
    asked = [opinion for opinion in said if not opinion.leave and opinion.side != NONE]
    followed = sum(len(entry.strategies) for entry in verdict.entries)
    assert followed + len(verdict.blocked) == len(asked)
    assert len({entry.symbol for entry in verdict.entries}) == len(verdict.entries)
    assert all(0 <= entry.confidence <= 1 for entry in verdict.entries)
