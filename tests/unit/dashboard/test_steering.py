"""The scheduler and the session with the broker as the pages tell them, and what is asked before either is changed."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.dashboard.test_pages import NOON, UNTRUSTED, Shown, open_trade, status

from htbot.dashboard import layout, steering
from htbot.dashboard.pages import strategies
from htbot.dashboard.steering import DISCONNECT_WORD, disconnect_question
from htbot.domain.scheduler import SchedulerSetting, SchedulerState
from htbot.persistence.queries.scheduler import SchedulerStats
from htbot.services.broker_session import BrokerStatus
from htbot.services.scheduler import SchedulerStatus
from htbot.services.strategy_reads import InstanceView

RUNNING = SchedulerSetting()
PAUSED = SchedulerSetting(SchedulerState.PAUSED, NOON, "dashboard:hand")
STOPPED = SchedulerSetting(SchedulerState.STOPPED, NOON, "rest:hand")


def session(**changes: Any) -> BrokerStatus:
    known: dict[str, Any] = {
        "connected": True,
        "connection": "connected",
        "desk": "running",
        "held_by": None,
        "account": "DU1",
        "mode": "paper",
        "market_time": NOON,
        "heartbeat_age_s": 0.4,
        "trading_enabled": True,
        "reason": None,
    }
    return BrokerStatus(**known | changes)


def day(setting: SchedulerSetting, why_not: str | None) -> SchedulerStatus:
    stats = SchedulerStats(281, 3, 1, 2, 1, 0, 1, NOON, NOON, 60.0)
    return SchedulerStatus(
        setting.state, setting.since, setting.set_by, why_not is None, why_not, True, True, NOON, stats, []
    )


def instance(**changes: Any) -> InstanceView:
    known: dict[str, Any] = {
        "name": "fast",
        "type": "ma_crossover",
        "symbol": "SPY",
        "minutes": 5,
        "warm_up_bars": 30,
        "settings": {},
        "config_hash": "h",
        "enabled": True,
        "mode": "observe",
        "created_at": NOON,
        "changed_at": NOON,
    }
    return InstanceView(**known | changes)


def test_a_brake_stands_above_every_page_with_who_and_since_when() -> None:
    told = steering.paused(Shown({"scheduler": PAUSED}))
    assert "The scheduler is paused by dashboard:hand since 12:00:00." in told
    assert "Exits and guards go on." in told
    assert "SCHEDULER </span>PAUSED" in layout.banner(Shown({"status": status(), "scheduler": PAUSED}))
    for values in ({}, {"scheduler": RUNNING}):
        assert steering.paused(Shown(values)) == ""
        assert "SCHEDULER" not in layout.banner(Shown({"status": status(), **values}))


def test_a_desk_that_is_kept_away_is_told_once_and_as_text() -> None:
    away = session(connected=False, connection="disconnected", held_by=UNTRUSTED, trading_enabled=False)
    off = status(connection="disconnected", trading_enabled=False, reason="disconnected by somebody")
    shown = Shown({"status": off, "broker": away})
    assert "The desk is off the broker by &lt;script&gt;" in steering.held(shown)
    assert layout.troubles(shown) == ""
    assert "No entries: disconnected by somebody" in layout.troubles(Shown({"status": off, "broker": session()}))
    assert steering.held(Shown({"broker": session()})) == ""


@pytest.mark.parametrize(
    ("setting", "offered"),
    [(RUNNING, {"pause", "stop"}), (PAUSED, {"resume", "stop"}), (STOPPED, {"start"}), (None, set())],
)
def test_each_state_of_the_scheduler_offers_what_it_can_be_changed_to(
    setting: SchedulerSetting | None, offered: set[str]
) -> None:
    assert steering.offered_of_scheduler(Shown({"scheduler": setting})) == offered


def test_the_session_offers_the_way_back_only_to_a_desk_that_somebody_keeps_away() -> None:
    assert steering.offered_of_session(Shown({"broker": session()})) == {"disconnect"}
    assert steering.offered_of_session(Shown({"broker": session(held_by="rest:hand")})) == {"connect"}
    assert steering.offered_of_session(Shown()) == set()


def test_the_scheduler_card_says_what_keeps_an_entry_back() -> None:
    shut = steering.scheduler(Shown({"scheduler": RUNNING, "scheduler_day": day(RUNNING, "the market is closed")}))
    assert "the market is closed" in shut
    assert "1 refused, 1 observed" in shut
    paused = day(PAUSED, "the scheduler is paused by dashboard:hand: POST /api/scheduler/resume")
    drawn = steering.scheduler(Shown({"scheduler": PAUSED, "scheduler_day": paused}))
    assert "POST" not in drawn
    assert "since 2026-03-03 12:00:00" in drawn
    assert "Not known yet" in steering.scheduler(Shown())


def test_a_session_card_names_account_and_who_keeps_it_away() -> None:
    drawn = steering.broker(Shown({"broker": session(connected=False, connection="disconnected", held_by="cli:me")}))
    assert ">disconnected</span>" in drawn
    assert "cli:me" in drawn
    assert "DU1" in drawn
    assert "Not known yet" in steering.broker(Shown())


def test_leaving_the_broker_with_a_trade_or_without_knowing_needs_the_word() -> None:
    flat = disconnect_question(status())
    assert flat.word is None
    held = disconnect_question(status(open_trade=open_trade(), open_trades=2))
    assert held.word == DISCONNECT_WORD
    assert "Open trades: 2." in held.told[-1]
    unknown = disconnect_question(None)
    assert unknown.word == DISCONNECT_WORD
    assert "not known" in unknown.told[-1]


def test_letting_an_instance_trade_needs_the_word_and_says_whose_money_it_is() -> None:
    live = strategies.mode_question(instance(), "trade", status(mode="live"))
    assert live.word == strategies.TRADE_WORD
    assert "real money" in live.told[0]
    assert "counts at once" in live.told[1]
    assert "paper account" in strategies.mode_question(instance(), "trade", status(mode="stepped")).told[0]
    assert "not known" in strategies.mode_question(instance(), "trade", None).told[0]
    off = strategies.mode_question(instance(enabled=False), "trade", status())
    assert "once it is enabled" in off.told[1]
    assert strategies.mode_question(instance(mode="trade"), "observe", status()).word is None


def test_what_an_instance_holds_leads_to_its_trade() -> None:
    mine, other = open_trade(id="t-7", strategy="fast"), open_trade(id="t-8", strategy="slow")
    drawn = strategies.instance(Shown({"open_trades": [mine, other]}), instance(mode="trade"))
    assert 'href="/dashboard/trades/t-7"' in drawn
    assert "t-8" not in drawn
    assert "Its entries" not in drawn
    assert "Trades: its entries pass the risk gate and are sent" in drawn
    assert "Holds" not in strategies.instance(Shown({"open_trades": [other]}), instance())
