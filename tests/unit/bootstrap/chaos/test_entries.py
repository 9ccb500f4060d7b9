from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

from htbot.bootstrap.chaos.entries import Strikes
from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote
from htbot.domain.signals import Direction
from htbot.marketdata.snapshot import ListedOption, Snapshot

NOW = datetime(2026, 3, 4, 15, tzinfo=UTC)
DAY = date(2026, 3, 4)


def chart(spot: float, *, strikes: range = range(5600, 5801, 5), quoted: bool = True) -> Snapshot:
    options = tuple(
        ListedOption(strike * 10 + number, DAY, Decimal(strike), right, trading_class)
        for strike in strikes
        for number, (right, trading_class) in enumerate(
            [(Right.PUT, "SPXW"), (Right.CALL, "SPXW"), (Right.PUT, "SPX"), (Right.CALL, "SPX")]
        )
    )
    quotes = {option.con_id: Quote(option.con_id, NOW, 5.0, 5.2) for option in options} if quoted else {}
    return Snapshot(NOW, "w", "DU1", "SPX", 1, spot, None, None, options, quotes)


def test_a_spread_sells_the_nearer_strike_of_the_weekly_class() -> None:
    chosen = Strikes().choose(chart(5701.0), Random(1))
    assert chosen is not None
    direction, short, long = chosen
    assert {short.trading_class, long.trading_class} == {"SPXW"}
    below = direction is Direction.BULL
    assert (short.strike < Decimal(5701)) is below
    assert (long.strike < short.strike) is below
    assert abs(long.strike - short.strike) == 40


def test_no_contract_is_sold_by_one_and_bought_by_another_while_the_market_moves() -> None:
    strikes, rng, held = Strikes(), Random(3), {}
    for step in range(400):
        chosen = strikes.choose(chart(5700.0 + (step % 80) - 40), rng)
        if chosen is None:
            continue
        _, short, long = chosen
        for option, sign in ((short, -1), (long, 1)):
            assert held.setdefault(option.con_id, sign) == sign
    assert len(held) > 8


def test_without_quotes_or_with_too_few_strikes_there_is_no_spread() -> None:
    assert Strikes().choose(chart(5701.0, quoted=False), Random(1)) is None
    assert Strikes().choose(chart(5701.0, strikes=range(5690, 5711, 5)), Random(1)) is None
