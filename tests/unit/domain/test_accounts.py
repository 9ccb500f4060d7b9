from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.accounts import ACCOUNT_TAGS, AccountFigures, AccountKind, kind_of
from htbot.domain.margin import MarginQuestion, Share, WhatIf
from htbot.domain.orders import Action

amounts = st.none() | st.decimals(-(10**9), 10**9, places=2)


@pytest.mark.parametrize(
    ("power", "funds", "kind"),
    [
        ("100000", "25000", AccountKind.MARGIN),
        ("50000", "25000", AccountKind.MARGIN),
        ("25000", "25000", AccountKind.CASH),
        ("24000", "25000", AccountKind.CASH),
        ("0", "0", None),
        ("0", "-10", None),
        (None, "25000", None),
        ("25000", None, None),
    ],
)
def test_what_is_lent_tells_the_kind(power: str | None, funds: str | None, kind: AccountKind | None) -> None:
    told = [None if text is None else Decimal(text) for text in (power, funds)]
    assert kind_of(*told) is kind


def test_figures_go_by_the_brokers_names() -> None:
    told = {tag: Decimal(number) for number, tag in enumerate(ACCOUNT_TAGS)}
    figures = AccountFigures.of_tags(told)
    assert (figures.available_funds, figures.day_trades_remaining) == (
        told["AvailableFunds"],
        told["DayTradesRemaining"],
    )
    assert AccountFigures.of_tags({}) == AccountFigures()


@given(st.builds(AccountFigures, amounts, amounts, amounts, amounts, amounts, amounts, amounts))
def test_figures_come_back_as_they_were(figures: AccountFigures) -> None:
    assert AccountFigures.of_texts(figures.as_texts()) == figures


@given(st.builds(WhatIf, amounts, amounts, amounts, amounts, st.text(), st.text()))
def test_an_answer_comes_back_as_it_was(answer: WhatIf) -> None:
    assert WhatIf.of_texts(answer.as_texts()) == answer


@given(
    st.builds(
        MarginQuestion,
        st.text(),
        st.text(),
        st.sampled_from(Action),
        st.integers(1, 1000),
        st.decimals(-1000, 1000, places=2),
        st.lists(st.builds(Share, st.integers(1), st.sampled_from([-1, 1]))).map(tuple),
    )
)
def test_a_question_comes_back_as_it_was(question: MarginQuestion) -> None:
    assert MarginQuestion.of_params(question.as_params()) == question
