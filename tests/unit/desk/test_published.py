"""What the desk publishes comes back as it was, by hypothesis."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.record import NOON, at

from htbot.adapters.live import Step
from htbot.domain.accounts import FIGURE_TAGS, AccountFigures
from htbot.domain.bars import Bar
from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote
from htbot.marketdata import clock_state, snapshot
from htbot.marketdata.clock_state import ClockState, Mode, step_number
from htbot.marketdata.snapshot import AccountState, ListedOption, OpenBar, Snapshot

instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
prices = st.floats(0, 1e6)
maybe_prices = st.none() | prices
words = st.text(max_size=12)
amounts = st.none() | st.decimals(-(10**9), 10**9, places=2)
bars = st.builds(Bar, words, instants, st.sampled_from([1, 5, 60]), prices, prices, prices, prices, prices)
open_bars = st.none() | st.builds(OpenBar, bars, maybe_prices, maybe_prices)
quotes = st.builds(
    Quote,
    st.integers(1, 2**31),
    instants,
    maybe_prices,
    maybe_prices,
    prices,
    prices,
    maybe_prices,
    st.booleans(),
    st.integers(1, 4),
)
options = st.builds(
    ListedOption,
    st.integers(1, 2**31),
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    st.decimals(1, 10_000, places=1),
    st.sampled_from(Right),
    words,
)
figures = st.builds(AccountFigures, *[amounts] * len(FIGURE_TAGS))
snapshots = st.builds(
    Snapshot,
    as_of=instants,
    world_id=words,
    account=words,
    symbol=words,
    underlying_con_id=st.integers(0, 2**31),
    spot=maybe_prices,
    last_closed=open_bars,
    open_bar=open_bars,
    options=st.lists(options, max_size=4).map(tuple),
    quotes=st.lists(quotes, max_size=4).map(lambda found: {quote.con_id: quote for quote in found}),
    net_liquidation=amounts,
    buying_power=amounts,
    connected=st.booleans(),
    trading_enabled=st.booleans(),
    watching_since=st.none() | instants,
    figures=figures,
    others=st.dictionaries(words, st.builds(AccountState, amounts, amounts, figures, st.booleans()), max_size=3),
)
speeds = st.none() | st.floats(0.1, 1000)
states = st.builds(
    ClockState,
    instants,
    instants,
    st.sampled_from(Mode),
    speeds,
    words,
    words,
    words,
    st.booleans(),
    st.none() | words,
    others=st.lists(words, max_size=3).map(tuple),
)


@given(snapshots)
def test_a_snapshot_comes_back_as_it_was(original: Snapshot) -> None:
    back = snapshot.decode(snapshot.encode(original))
    assert back == original
    assert [str(option.strike) for option in back.options] == [str(option.strike) for option in original.options]
    assert str(back.net_liquidation) == str(original.net_liquidation)
    assert snapshot.decode(snapshot.encode(original).encode()) == original


@given(states)
def test_a_clock_comes_back_as_it_was(original: ClockState) -> None:
    assert clock_state.decode(clock_state.encode(original)) == original


@given(st.integers(0, 2**40), instants, st.integers(0, 99))
def test_a_step_comes_back_as_it_was(number: int, as_of: datetime, attempt: int) -> None:
    step = Step(number, as_of, attempt)
    assert Step.decode(step.encode()) == step


def test_amounts_of_money_are_never_floats_on_the_way() -> None:
    original = Snapshot(NOON, "w", "DU1", "SPX", 1, None, None, None, net_liquidation=Decimal("100000.10"))
    assert json.loads(snapshot.encode(original))["net_liquidation"] == "100000.10"


def test_an_account_of_the_desk_sees_the_market_with_its_own_money() -> None:
    other = AccountState(Decimal(5), None, AccountFigures(total_cash=Decimal(4)), trading_enabled=False)
    told = Snapshot(NOON, "w", "DU1", "SPX", 1, 4000.0, None, None, net_liquidation=Decimal(9), others={"DU2": other})
    seen = told.of_account("DU2")
    assert seen is not None
    assert (seen.account, seen.net_liquidation, seen.buying_power, seen.spot) == ("DU2", Decimal(5), None, 4000.0)
    assert (seen.figures.total_cash, seen.trading_enabled) == (Decimal(4), False)
    assert told.of_account(None) is told.of_account("DU1") is told
    assert told.of_account("DU3") is None
    assert told.accounts == ("DU1", "DU2")


def test_max_speed_is_a_word() -> None:
    stepped = ClockState(NOON, NOON, Mode.STEPPED, None, "w", "DU1", "connected", trading_enabled=True)
    assert json.loads(clock_state.encode(stepped))["speed"] == "max"


@pytest.mark.parametrize(("speed", "expected"), [(None, NOON), (1.0, at(0, 10)), (60.0, at(10))])
def test_market_time_is_extrapolated_at_its_speed(speed: float | None, expected: datetime) -> None:
    written = datetime(2026, 1, 5, tzinfo=UTC)
    state = ClockState(NOON, written, Mode.PAPER, speed, "w", "DU1", "connected", trading_enabled=True)
    host_now = written + timedelta(seconds=10)
    assert state.market_now(host_now) == expected
    assert state.age(host_now) == timedelta(seconds=10)


def test_steps_are_counted_by_the_grid() -> None:
    assert step_number(at(0.5)) == step_number(NOON) + 1
    assert step_number(at(0, 29.9)) == step_number(NOON)
