"""What a strategy that trades is told of its entries."""

from __future__ import annotations

from dataclasses import fields

from tests.support import record

from htbot.domain.bars import TapeBar
from htbot.domain.numeric import known
from htbot.engine.recorded import Fate, RecordedLoop, fate_of
from htbot.strategies.registry import create_bar


def test_the_same_fate_is_equal_field_by_field_whatever_is_unknown() -> None:
    """A kept fold is void when fates differ, and later versions of Python compare the fields one by one."""
    first, second = (fate_of(record.trade(), (), ()) for _ in range(2))
    assert first.price is first.filled_s is first.stop is first.target is None
    assert [field.name for field in fields(Fate) if getattr(first, field.name) != getattr(second, field.name)] == []


def test_what_has_no_price_is_held_at_an_unknown_one() -> None:
    loop = RecordedLoop(create_bar("momentum", {}), 0.0, [Fate(1, 1, 100, None, filled_s=10.0, closed_s=None)])
    loop.show(TapeBar(0, 1, 600, 605, 960, False, *[100.0] * 5))
    held = loop.loop.holding
    assert (held.side, held.quantity) == (1, 100)
    assert not any(known(price) for price in (held.price, held.stop, held.target))
