"""Instances on options at the desk: their underlyings are quoted, and what each holds is its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from tests.support import record
from tests.support.broker import UNDERLYING_ID
from tests.support.desk import World

from htbot.domain.bars import Bar
from htbot.domain.instruments import Right, Underlying
from htbot.domain.orders import ExitReason
from htbot.domain.trades import TradeState
from htbot.marketdata.snapshot import ListedOption
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import StrategyRepository

SPY_ID = 756733


def store(world: World, name: str, *, symbol: str = "SPY", enabled: bool = True) -> StrategyInstance:
    settings = {"entry_start": "10:00", "entry_end": "14:00"}
    one = StrategyInstance(
        name, "vertical_spread", symbol, 5, 3900, settings, "c0ffee", enabled, "trade", record.NOON, record.NOON
    )
    with world.database.transaction() as session:
        StrategyRepository(session).add(one)
    return one


def quote_spy(world: World) -> None:
    strikes = range(380, 451)
    world.broker.options += [
        ListedOption(9000 + 2 * (strike - 380) + place, record.DAY, Decimal(strike), right, "SPY")
        for strike in strikes
        for place, right in enumerate((Right.CALL, Right.PUT))
    ]
    world.broker.con_ids["SPY"] = SPY_ID
    world.broker.quotes[SPY_ID] = (414.9, 415.1)
    closes = [415.0, 415.0, 415.0]
    world.broker.history["SPY", 5] = [
        Bar("SPY", record.at(-10 + 5 * n), 5, close, close, close, close, 1.0) for n, close in enumerate(closes)
    ]


async def test_the_underlying_of_an_instance_is_told_beside_the_configured_one(world: World) -> None:
    quote_spy(world)
    store(world, "vs")
    desk = await world.desk()
    world.after(market_s=30)
    await desk.hear()
    await desk.desk.follow_lines(world.now)
    await desk.desk.notices.publish_grid(world.now)
    [spy], own = desk.live.others, desk.live.snapshots[-1]
    assert (own.symbol, spy.symbol, spy.as_of) == ("SPX", "SPY", own.as_of)
    assert (spy.spot, spy.underlying_con_id) == (415.0, SPY_ID)
    assert {option.trading_class for option in spy.options} == {"SPY"}
    assert len({option.strike for option in spy.options}) == 2 * 25
    assert spy.open_bar is not None
    assert (spy.open_bar.bar.symbol, spy.account) == ("SPY", record.ACCOUNT)

    with world.database.transaction() as session:
        StrategyRepository(session).disable("vs", "c0ffee", world.now)
    world.after(market_s=30)
    await desk.desk.follow_lines(world.now)
    await desk.desk.notices.publish_grid(world.now)
    assert desk.live.others == []
    assert SPY_ID not in desk.session.subscribed


async def test_a_list_that_the_broker_does_not_give_costs_nobody_else_his_quotes(world: World) -> None:
    quote_spy(world)
    store(world, "vs")
    desk = await world.desk()
    listed = desk.session.listed_options

    async def refuse(underlying: Underlying, expiry: date) -> list[ListedOption]:
        if underlying.symbol == "SPY":
            raise TimeoutError
        return await listed(underlying, expiry)

    desk.session.listed_options = refuse  # type: ignore[method-assign]
    world.broker.quotes[UNDERLYING_ID] = (4149.5, 4150.5)
    desk.desk.parts.watch.series.restart()
    await desk.desk.parts.watch.start(desk.session, world.now)
    world.after(market_s=30)
    await desk.hear()
    await desk.desk.follow_lines(world.now)
    world.after(market_s=30)
    await desk.desk.follow_lines(world.now)
    await desk.desk.notices.publish_grid(world.now)
    [spy], own = desk.live.others, desk.live.snapshots[-1]
    assert (own.trading_enabled, spy.trading_enabled, spy.options) == (True, False, ())
    await desk.desk.ledger.settle()
    told = "options of SPY are not quoted: the broker does not answer; asked again every 30 s"
    assert [told in mail.alert.text for mail in world.alerts()].count(True) == 1


async def test_an_instance_that_cannot_be_made_costs_nobody_his_quotes(world: World) -> None:
    quote_spy(world)
    store(world, "vs")
    odd = replace(store(world, "odd", enabled=False), settings={"short_delt": 1}, enabled=True)
    with world.database.transaction() as session:
        StrategyRepository(session).change(odd)
    desk = await world.desk()
    assert [plan.symbol for plan in desk.desk.parts.watch.series.plans] == ["SPY"]


async def test_two_that_hold_the_same_spread_leave_it_each_by_their_own_rules(world: World) -> None:
    """The legs are the same, so the broker shows their sum; what is closed is what the one trade holds."""
    desk = await world.desk()
    soon = await desk.opened(strategy="vs", id="vs-1")
    patient = replace(record.trade().rules, profit_target_usd=Decimal(5_000), take_profit_fraction=None)
    late = await desk.opened(number=2, rules=patient)
    legs = {record.SHORT.con_id: -2, record.LONG.con_id: 2}
    assert {con_id: desk.desk.holdings(record.ACCOUNT)[con_id] for con_id in legs} == legs
    world.broker.quotes |= {record.SHORT.con_id: (3.00, 3.20), record.LONG.con_id: (0.90, 1.10)}  # mid 2.10: +215
    for market_s in (5.0, 1.0):
        world.after(market_s=market_s)
        await desk.turn()
    [exit_] = world.exits(soon.trade_id)
    assert (exit_.intent.strategy, exit_.intent.exit_reason) == ("vs", ExitReason.PROFIT_TARGET)
    assert exit_.intent.ref.startswith("htbot-vs-")
    assert world.exits(late.trade_id) == []
    world.broker.fill(exit_.intent.ref, "-2.10")
    world.broker.report_commissions(exit_.intent.ref)
    await desk.turn()
    assert (world.trade(soon.trade_id).state, world.trade(late.trade_id).state) == (TradeState.CLOSED, TradeState.OPEN)
    assert {con_id: desk.desk.holdings(record.ACCOUNT)[con_id] for con_id in legs} == {11: -1, 12: 1}
    assert desk.desk.guard.held.keys() == {record.SHORT.con_id, record.LONG.con_id}
    assert await desk.look_up()
    assert world.halts() == []
