from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import some_hundred
from tests.support.spreads import LEGS, LONG, SHORT, fill, intent

from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.domain.orders import Action, Purpose
from htbot.execution.fills import check_fills, whole_spreads
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


@pytest.mark.fault(35)
@some_hundred
@given(executions(), st.randoms(use_true_random=False))
def test_order_and_repeats_do_not_matter(made: list[Fill], random: Random) -> None:
    shuffled = made + random.choices(made, k=len(made))
    random.shuffle(shuffled)
    assert fold(shuffled) == fold(made)


@some_hundred
@given(executions())
def test_quantity_is_the_sum_and_cash_is_kept(made: list[Fill]) -> None:
    book = fold(made)
    for (_, con_id), position in book.items():
        own = [item for item in latest(made) if item.con_id == con_id]
        assert position.quantity == sum(item.signed_quantity for item in own)
        cash = -sum((item.signed_quantity * item.price * item.multiplier for item in own), Decimal(0))
        held = position.quantity * position.average_price * position.multiplier
        assert abs(cash + held - position.realized_usd) < Decimal("0.000001")


@pytest.mark.fault(35)
@some_hundred
@given(executions())
def test_each_execution_counts_in_its_last_correction_only(made: list[Fill]) -> None:
    kept = latest(made)
    keys = [item.execution_key for item in kept]
    assert len(keys) == len(set(keys))
    for item in kept:
        assert item.exec_id == max(rival.exec_id for rival in made if rival.execution_key == item.execution_key)


@pytest.mark.ruling(10)
@some_hundred
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


@some_hundred
@given(executions())
def test_a_late_commission_changes_nothing_but_the_commission(made: list[Fill]) -> None:
    bare = [replace(item, commission=None) for item in made]
    with_fees, without = fold([*bare, *made]), fold(bare)
    for key, position in with_fees.items():
        assert replace(position, commissions_usd=Decimal(0)) == without[key]


@pytest.mark.fault(34)
@some_hundred
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 6), st.integers(1, 5000))
def test_parts_of_an_order_make_what_the_whole_makes(parts: list[int], cut: int, cents: int) -> None:
    """Some fills, a disconnect, all of them told again and then the rest: the same position to the cent."""
    price = f"{cents / 100:.2f}"
    pieces = [fill(f"p{number}.01.01", SHORT, Action.SELL, price, size) for number, size in enumerate(parts)]
    whole = fold([fill("w.01.01", SHORT, Action.SELL, price, sum(parts))])
    [(key, position)] = fold([*pieces[:cut], *pieces]).items()
    assert position.quantity == whole[key].quantity == -sum(parts)
    assert position.average_price == whole[key].average_price == Decimal(price)


@pytest.mark.fault(35)
@some_hundred
@given(executions(), st.randoms(use_true_random=False))
def test_a_bust_leaves_what_was_there_without_the_execution(made: list[Fill], random: Random) -> None:
    """A correction to nothing, whenever it arrives."""
    gone = random.choice(made)
    last = max(int(item.exec_id.rpartition(".")[2]) for item in made if item.execution_key == gone.execution_key)
    bust = replace(gone, exec_id=f"{gone.execution_key}.{last + 1:02d}", quantity=0)
    shuffled = [*made, bust, bust]
    random.shuffle(shuffled)
    kept = fold([item for item in made if item.execution_key != gone.execution_key])
    for key, position in fold(shuffled).items():
        if key in kept:
            assert position.quantity == kept[key].quantity
            assert position.realized_usd == kept[key].realized_usd
        else:
            assert position.quantity == position.realized_usd == 0


@pytest.mark.ruling(15)
@some_hundred
@given(
    st.integers(1, 10),
    st.sampled_from(Purpose),
    st.lists(st.tuples(st.booleans(), st.integers(1, 4)), min_size=1, max_size=10),
)
def test_no_execution_beyond_what_was_asked_for_goes_unseen(
    quantity: int, purpose: Purpose, sizes: list[tuple[bool, int]]
) -> None:
    """Of the remainder of a half-filled order at most the rest can come; more stops trading at once."""
    order = replace(intent(purpose), quantity=quantity)
    opens = purpose is Purpose.ENTRY
    done = {SHORT.con_id: 0, LONG.con_id: 0}
    fills: list[Fill] = []
    for number, (short, size) in enumerate(sizes):
        leg = SHORT if short else LONG
        side = Action.SELL if short is opens else Action.BUY
        fills.append(replace(fill(f"q{number}.01.01", leg, side, "1.00", size), ref=order.ref))
        done[leg.con_id] += size
        if max(done.values()) > quantity:
            with pytest.raises(StopTrading):
                check_fills(order, fills)
            return
        check_fills(order, fills)
        assert whole_spreads(order.legs, fills) == min(done.values()) <= quantity
