from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.orders import Purpose, order_reference
from htbot.persistence.repositories import sequence_of


@given(
    strategy=st.text(min_size=1),
    account=st.text(min_size=1),
    purpose=st.sampled_from(Purpose),
    number=st.integers(1, 10**6),
)
def test_the_sequence_is_read_back_from_any_reference(
    strategy: str, account: str, purpose: Purpose, number: int
) -> None:
    assert sequence_of(order_reference(strategy, account, date(2022, 8, 26), purpose, number)) == number


@pytest.mark.parametrize("stranger", ["", "htbot", "htbot-x-y-20220826-E", "htbot-x-y-20220826-Ex"])
def test_a_reference_that_is_not_ours_is_refused(stranger: str) -> None:
    with pytest.raises(ValueError, match="order_ref"):
        sequence_of(stranger)
