"""However fills, bars and clocks come, an option of strategy 2 is never sold twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from htbot.domain.errors import CallerMistake
from htbot.domain.instruments import Right
from htbot.domain.sessions import Session
from htbot.marketdata.sessions import trading_window
from htbot.strategies.strangle_momentum import BidBar, Phase, Side, StrangleConfig, StrangleMomentum

OPENS = datetime(2024, 7, 17, 13, 30, tzinfo=UTC)
SESSION = Session(date(2024, 7, 17), OPENS, OPENS + timedelta(minutes=390), early_close=False)
STRATEGY = StrangleMomentum(StrangleConfig())
WINDOW = trading_window(SESSION, STRATEGY.hours)

prices = st.floats(0.01, 50)
bars = st.none() | st.builds(
    lambda low, a, b, up: BidBar(low + a, low + max(a, b) + up, low, low + b), prices, prices, prices, prices
)
looks = st.lists(st.tuples(st.integers(0, 390), bars, st.integers(0, 5)), max_size=40)


@given(bought=st.integers(0, 5), paid=prices, looks=looks)
def test_what_is_sold_was_held(bought: int, paid: float, looks: list[tuple[int, BidBar | None, int]]) -> None:
    """Every look asks; an exit fills any part of what it asks for, at once or by the next look."""
    side = Side(Right.CALL).enter().entry_ended(bought, paid if bought else None)
    sold, working = 0, 0
    for minute, bar, filled in sorted(looks, key=lambda look: look[0]):
        if working:
            done = min(filled, working)
            side, sold, working = side.exit_ended(done), sold + done, 0
        reason = STRATEGY.exit_of(side, bar, OPENS + timedelta(minutes=minute), WINDOW)
        assert reason is None or side.sellable == bought - sold > 0
        if reason is not None:
            working, side = side.sellable, side.leave()
            assert STRATEGY.exit_of(side, bar, OPENS + timedelta(minutes=minute), WINDOW) is None
        assert sold + working <= bought
        assert side.held == bought - sold


moves = st.lists(st.sampled_from(["enter", "bought", "nothing", "leave", "sold", "part"]), max_size=30)


@given(moves=moves)
def test_no_order_of_events_makes_a_short_option(moves: list[str]) -> None:
    """Also events that do not belong: they are refused, and change nothing."""
    side, entries, working = Side(Right.PUT), 0, 0
    for move in moves:
        before = side
        try:
            if move == "enter":
                side, entries = side.enter(), entries + 1
            elif move in {"bought", "nothing"}:
                side = side.entry_ended(2 if move == "bought" else 0, 1.0)
            elif move == "leave":
                side, working = side.leave(), working + 1
            else:
                side, working = side.exit_ended(side.held if move == "sold" else 1), working - 1
        except CallerMistake:
            assert side is before
        assert 0 <= side.sold <= side.bought
        assert (working, entries) in {(0, 0), (0, 1), (1, 1)}
        assert (side.phase is Phase.LEAVING) == (working == 1)
