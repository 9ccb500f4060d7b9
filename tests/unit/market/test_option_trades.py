"""Trades of options, modelled where none are recorded."""

from __future__ import annotations

from datetime import UTC, datetime

from htbot.domain.quotes import Quote
from htbot.market.option_trades import Hours, OptionTrades

CON_ID = 123_456
HOURS = Hours(1_704_205_800, 1_704_229_200)
NOON_S = 1_704_215_000


def trades(quoted_from_s: int) -> OptionTrades:
    """Trades where 1.00 by 1.20 is quoted from an instant on."""
    quote = Quote(CON_ID, datetime(2024, 1, 2, tzinfo=UTC), 1.0, 1.2)
    return OptionTrades(lambda _con_id, at_s: quote if at_s >= quoted_from_s else None)


def test_trades_are_at_a_side_and_the_same_in_any_order_of_questions() -> None:
    whole, parts = trades(0), trades(0)
    day = whole.until(CON_ID, HOURS.closes_s, HOURS)
    assert {row.price for row in day} <= {1.0, 1.2}
    half = whole.until(CON_ID, NOON_S, HOURS)
    assert 0 < len(half) < len(day)
    assert half == parts.until(CON_ID, NOON_S, HOURS) == [row for row in day if row.at.timestamp() <= NOON_S]
    assert whole.last(CON_ID, NOON_S, HOURS) == half[-1].price


def test_nothing_trades_where_nothing_is_quoted() -> None:
    late = trades(NOON_S)
    assert late.last(CON_ID, NOON_S - 1, HOURS) is None
    assert late.until(CON_ID, NOON_S - 1, HOURS) == []
    day = late.until(CON_ID, HOURS.closes_s, HOURS)
    assert day == [row for row in trades(0).until(CON_ID, HOURS.closes_s, HOURS) if row.at.timestamp() >= NOON_S]
