from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from htbot.services.board.deltas import Delta, difference, encoded, plain


def test_a_member_is_new_changed_or_gone() -> None:
    before, after = {"a": 1, "b": [1], "c": None}, {"b": [2], "c": None, "d": {"x": 1}}
    delta = difference(before, after)
    assert delta == Delta({"b": [2], "d": {"x": 1}}, ("a",))
    kept = {name: value for name, value in before.items() if name not in delta.gone}
    assert {**kept, **delta.set} == after
    assert not difference(after, after)
    assert difference({"a": None}, {}) == Delta({}, ("a",))  # unknown is not gone


def test_a_symbol_is_a_member_or_the_first_word_of_one() -> None:
    delta = Delta({"SPX": 1, "SPX 2026-01-05 4150 P": 2, "SPXW": 3}, ("SPY 2026-01-05 400 C", "IWM"))
    assert delta.of(frozenset({"SPX", "SPY"})) == Delta(
        {"SPX": 1, "SPX 2026-01-05 4150 P": 2}, ("SPY 2026-01-05 400 C",)
    )
    assert not delta.of(frozenset({"QQQ"}))


@dataclass(frozen=True)
class Told:
    at: datetime
    day: date
    price: Decimal
    key: UUID
    ratio: float


def test_json_is_as_the_rest_answers_have_it() -> None:
    at = datetime(2026, 1, 5, 15, 0, 0, 250_000, tzinfo=UTC)
    told = Told(at, date(2026, 1, 5), Decimal("5.90"), UUID(int=1), float("nan"))
    assert plain(told) == {
        "at": "2026-01-05T15:00:00.250000Z",
        "day": "2026-01-05",
        "price": "5.90",
        "key": "00000000-0000-0000-0000-000000000001",
        "ratio": None,
    }
    assert encoded([1, None]) == b"[1,null]"
    elsewhere = at.astimezone(timezone(timedelta(hours=-5)))
    assert plain({"at": elsewhere}) == {"at": "2026-01-05T10:00:00.250000-05:00"}
    with pytest.raises(TypeError, match="object"):
        encoded(object())
