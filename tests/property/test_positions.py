from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from tests.support.spreads import LEGS, LONG, SHORT, fill

from htbot.domain.fills import Fill
from htbot.domain.orders import Action
from htbot.execution.intents import closable_quantity
from htbot.portfolio.positions import fold, latest


@st.composite
def executions(draw: st.DrawFn) -> list[Fill]:
    """Executions of two contracts, some corrected once or twice."""
    made = []
    for number in range(draw(st.integers(1, 8))):
        leg, side = draw(st.sampled_from([SHORT, LONG])), draw(st.sampled_from(Action))
        for correction in range(1, draw(st.integers(1, 3)) + 1):
            price = Decimal(draw(st.integers(1, 5000))) / 100
            quantity = draw(st.integers(0 if correction > 1 else 1, 5))
            made.append(
                fill(f"{number:04d}.65.01.{correction:02d}", leg, side, str(price), quantity, seconds=float(number))
            )
    return made


@given(executions(), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(made: list[Fill], random: Random) -> None:
    shuffled = made + random.choices(made, k=len(made))
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(made)


@given(executions())
def test_quantity_is_the_sum_and_cash_is_kept(made: list[Fill]) -> None:
    book = fold(made)
    for (_, con_id), position in book.items():
        own = [item for item in latest(made) if item.con_id == con_id]
        assert position.quantity == sum(item.signed_quantity for item in own)
        cash = -sum((item.signed_quantity * item.price * item.multiplier for item in own), Decimal(0))
        held = position.quantity * position.average_price * position.multiplier
        assert abs(cash + held - position.realized_usd) < Decimal("0.000001")


@given(executions())
def test_each_execution_counts_in_its_last_correction_only(made: list[Fill]) -> None:
    kept = latest(made)
    keys = [item.execution_key for item in kept]
    assert len(keys) == len(set(keys))
    for item in kept:
        assert item.exec_id == max(rival.exec_id for rival in made if rival.execution_key == item.execution_key)


@given(st.tuples(*[st.integers(-5, 5)] * 4))
def test_rulings_10_closing_what_is_closable_never_opens_anything(held: tuple[int, int, int, int]) -> None:
    ours = dict(zip((LONG.con_id, SHORT.con_id), held[:2], strict=True))
    broker = dict(zip((LONG.con_id, SHORT.con_id), held[2:], strict=True))
    quantity = closable_quantity(LEGS, ours, broker)
    assert quantity >= 0
    for leg in LEGS:
        for book in (ours, broker):
            before = book[leg.con_id]
            after = before - leg.ratio * quantity
            assert abs(after) <= abs(before)
            assert after * before >= 0


@given(executions())
def test_a_late_commission_changes_nothing_but_the_commission(made: list[Fill]) -> None:
    bare = [replace(item, commission=None) for item in made]
    with_fees, without = fold([*bare, *made]), fold(bare)
    for key, position in with_fees.items():
        assert replace(position, commissions_usd=Decimal(0)) == without[key]
