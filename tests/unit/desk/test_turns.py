from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from htbot.desk import turns


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before_s = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before_s)


def test_database_threads_are_patient_while_the_event_loop_hears_and_not_while_it_waits() -> None:
    turns.begin()
    with turns.undisturbed():
        assert sys.getswitchinterval() == pytest.approx(turns.PATIENT_S, abs=2e-6)
        with turns.giving_way():
            assert sys.getswitchinterval() == pytest.approx(turns.SOON_S, abs=2e-6)
        assert sys.getswitchinterval() == pytest.approx(turns.PATIENT_S, abs=2e-6)
    assert sys.getswitchinterval() == pytest.approx(turns.SOON_S, abs=2e-6)


def test_ten_thousand_quotes_do_not_wear_it_down() -> None:
    turns.begin()
    for _ in range(10_000):
        with turns.undisturbed(), turns.giving_way():
            pass
    assert sys.getswitchinterval() == pytest.approx(turns.SOON_S, abs=2e-6)


def test_what_fails_undisturbed_gives_the_interpreter_back_all_the_same() -> None:
    turns.begin()
    with pytest.raises(ZeroDivisionError), turns.undisturbed():
        raise ZeroDivisionError
    assert sys.getswitchinterval() == pytest.approx(turns.SOON_S, abs=2e-6)
