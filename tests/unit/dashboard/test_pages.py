"""What the pages draw, as text: with nothing known, and with values that mean something."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from markupsafe import Markup

from htbot.bootstrap.backtest_job import BacktestOrder
from htbot.bootstrap.backtest_jobs import JobView
from htbot.dashboard import accounts, controls, layout
from htbot.dashboard.look import Look
from htbot.dashboard.pages import (
    PAGES,
    Page,
    alerts,
    backtest,
    backtest_report,
    chart,
    desk,
    orders,
    risk,
    signals,
    system,
    trade,
    trades,
)
from htbot.dashboard.pages import strategies as strategies_page
from htbot.dashboard.parts.icons import icon
from htbot.dashboard.reading import Reading
from htbot.domain.scheduler import SchedulerSetting
from htbot.persistence.queries.instances import InstanceCounts
from htbot.persistence.queries.lists import EvaluationView
from htbot.persistence.queries.shapes import (
    AlertView,
    DayMoney,
    DayPnl,
    FillView,
    HaltView,
    LegView,
    OpenPnl,
    OpenTradeView,
    OrderView,
    PositionView,
    SignalView,
    StrategyView,
    TaskView,
    TradeLegView,
    TradeView,
)
from htbot.services.risk_rules import RuleView
from htbot.services.risk_view import RiskView
from htbot.services.status_view import DeskStatus, EventView, StatusView

NOON = datetime(2026, 3, 3, 17, tzinfo=UTC)
UNTRUSTED = "<script>alert(1)</script>"
MINUS = "\N{MINUS SIGN}"
RENDERS: dict[str, tuple[Callable[[Any], Markup], ...]] = {
    "desk": (desk.open_trade, desk.day, desk.market, desk.equity_head, desk.positions, desk.events),
    "chart": (chart.heading, chart.figures),
    "signals": (signals.fired, signals.decision, signals.cycles),
    "orders": (orders.orders, orders.fills),
    "trades": (trades.summary, trades.trades),
    "trade": (lambda screen: trade.result(screen, ended(commissions=None)),),
    "strategies": (strategies_page.traded,),
    "risk": (risk.breaker, risk.halts, risk.rules),
    "alerts": (alerts.heading, alerts.seen),
    "system": (system.health, system.reconciliation, system.programs, system.tasks, system.streams),
    "backtest": (backtest.jobs,),
    "backtest_report": (backtest_report.heading, backtest_report.state, backtest_report.report),
}


@dataclass
class Shown:
    """A screen without a browser."""

    values: dict[str, Any] = field(default_factory=dict)
    page: Page = PAGES[0]
    look: Look = field(default_factory=Look)
    parameters: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)

    def value(self, topic: str) -> Any:
        return self.values.get(topic)

    def reading(self, topic: str) -> Reading:
        return Reading(self.values.get(topic), 0.0 if topic in self.values else None, self.troubles.get(topic))


def risk_view(**changes: Any) -> RiskView:
    figures: dict[str, Any] = dict.fromkeys(one.name for one in fields(RiskView))
    known = {"daily_loss_limit": Decimal(1000), "max_drawdown_pct": Decimal(10), "breaker_active": False}
    return RiskView(**figures | known | changes)


def status(**changes: Any) -> StatusView:
    known: dict[str, Any] = {
        "mode": "paper",
        "market_time": NOON,
        "speed": 1.0,
        "connection": "connected",
        "trading_enabled": True,
        "reason": None,
        "halt": None,
        "strategies": [],
        "open_trade": None,
        "open_trades": 0,
        "trades": [],
        "tasks": [],
        "recent": [],
        "world": "w",
        "account": "DU1",
        "accounts": ["DU1"],
        "desk": DeskStatus("running", 0.1),
        "degraded": [],
        "scheduler": SchedulerSetting(),
        "instances": [],
        "instance_counts": InstanceCounts(),
        "as_of": datetime.now(UTC),
    }
    return StatusView(**known | changes)


def leg(strike: int, side: str) -> TradeLegView:
    return TradeLegView(strike, "SPX", date(2026, 3, 3), Decimal(strike), "P", side, 1, Decimal("9.5"), None, False)


def open_trade(**changes: Any) -> OpenTradeView:
    known: dict[str, Any] = {
        "id": "t-1",
        "strategy": "spx_breakout",
        "account": "DU1",
        "symbol": "SPX",
        "direction": 1,
        "state": "open",
        "opened_at": NOON,
        "legs": [leg(5395, "SELL"), leg(5355, "BUY")],
        "quantity": 1,
        "width": Decimal(40),
        "credit": Decimal("9.50"),
        "maximum_loss": Decimal(3050),
        "mark": Decimal("8.50"),
        "natural": Decimal("8.60"),
        "pnl_mid": Decimal(-100),
        "pnl_natural": Decimal(-110),
        "max_gain": Decimal(5),
        "marked_at": NOON,
        "target": Decimal(400),
        "stop": Decimal(200),
        "exit_at": NOON + timedelta(hours=3),
        "flat_deadline": NOON + timedelta(hours=4),
    }
    return OpenTradeView(**known | changes)


def standing(*trades: OpenTradeView) -> dict[str, Any]:
    return {"open_trade": trades[0], "open_trades": len(trades), "trades": list(trades)}


def test_every_page_has_a_place_a_key_of_its_own_and_a_picture() -> None:
    main = [page for page in PAGES if page.in_navigation]
    assert len({page.key for page in main}) == len(main) == 10
    assert len({page.path for page in PAGES}) == len(PAGES)
    assert {page.name for page in PAGES} == set(RENDERS)
    for page in main:
        assert "<svg" in icon(page.name)
        assert callable(page.load())


@pytest.mark.parametrize(("name", "render"), [(name, one) for name, every in RENDERS.items() for one in every])
def test_with_nothing_known_every_part_says_so_and_no_figure_is_zero(
    name: str, render: Callable[[Any], Markup]
) -> None:
    drawn = render(Shown(page=next(page for page in PAGES if page.name == name)))
    assert "$0" not in drawn
    assert "None" not in drawn


def test_paper_and_live_cannot_be_taken_for_each_other() -> None:
    paper = layout.banner(Shown({"status": status(speed=20.0)}))
    live = layout.banner(Shown({"status": status(mode="live")}))
    unknown = layout.banner(Shown())
    assert "PAPER" in paper
    assert "20 times real time" in paper
    assert "LIVE" not in paper
    assert "LIVE" in live
    assert "real money" in live
    assert "PAPER" not in live
    assert "state unknown" in unknown
    assert "12:00:00" in paper


def test_a_lost_broker_and_a_silent_desk_are_told_in_words() -> None:
    lost = layout.banner(Shown({"status": status(connection="reconnecting")}))
    gone = layout.banner(Shown({"status": status(desk=DeskStatus("not running", 99.0))}))
    assert 'light bad"><span class="dot" aria-hidden="true">▲</span>Broker' in lost
    assert "reconnecting" in lost
    assert "not running" in gone


def test_the_most_that_a_trade_gained_is_never_less_than_what_stands_beside_it() -> None:
    gained = open_trade(pnl_mid=Decimal("31.25"), max_gain=Decimal("15.75"))
    drawn = desk.open_trade(Shown({"status": status(**standing(gained))}))
    assert "15.75" not in drawn
    assert "31.25" in drawn.partition("Most it gained")[2].partition("</div>")[0]


def test_a_halt_of_one_account_says_that_the_others_go_on() -> None:
    trip = HaltView("breaker", "drawdown", "12 % below the peak", NOON, "desk", "DU1000002")
    drawn = layout.troubles(Shown({"status": status(halt=[trip])}))
    assert "Trading is halted in DU1000002, not elsewhere." in drawn
    assert not controls.halted_everywhere(status(halt=[trip]))
    assert controls.halted_everywhere(status(halt=[trip, replace(trip, account=None)]))


def test_halts_and_old_figures_stand_above_every_page() -> None:
    halt = HaltView("halt", "dashboard", UNTRUSTED, NOON, "dashboard:hand")
    drawn = layout.troubles(Shown({"status": status(halt=[halt])}, troubles={"risk": "PostgreSQL is away"}))
    assert "Trading is halted." in drawn
    assert "dashboard:hand since 12:00:00" in drawn
    assert "PostgreSQL is away" in drawn
    assert "<script" not in drawn
    assert layout.troubles(Shown({"status": status()})) == ""
    old = status(as_of=datetime.now(UTC) - timedelta(seconds=61))
    assert "PostgreSQL has not answered; figures of the record are 61 s old." in layout.troubles(Shown({"status": old}))


def test_an_open_trade_is_shown_between_its_stop_and_its_target() -> None:
    drawn = desk.open_trade(Shown({"status": status(**standing(open_trade()))}))
    assert f"P&amp;L {MINUS}$100.00 between stop {MINUS}$200.00 and target +$400.00" in drawn
    assert "SPX bull put 5395/5355, 1 lot" in drawn
    assert "Also open" not in drawn
    assert "<dt>Credit</dt>" in drawn
    assert 'needle loss" style="left:16.67%"' in drawn
    unmarked = open_trade(pnl_mid=None, pnl_natural=None, mark=None, max_gain=None)
    drawn = desk.open_trade(Shown({"status": status(**standing(unmarked))}))
    assert "needle" not in drawn
    assert "P&amp;L — between stop" in drawn


@pytest.mark.parametrize(
    ("exits", "told"),
    [
        ({"target": None, "stop": None}, "by time alone"),
        ({"target": None, "stop": None, "exit_at": None}, "by the strategy&#39;s word alone"),
        ({"target": None}, f"stop {MINUS}$200.00"),
        (
            {"stop": None, "turns_above": Decimal("1.25")},
            "target +$400.00, sold when its bids were above 1.25 and turn",
        ),
        ({"turns_above": Decimal("1.25")}, "sold when its bids were above 1.25 and turn"),
        ({}, None),
    ],
)
def test_what_has_no_gauge_says_how_it_ends(exits: dict[str, Any], told: str | None) -> None:
    drawn = desk.open_trade(Shown({"status": status(**standing(open_trade(**exits)))}))
    assert (f"<dt>Exits</dt><dd>{told}</dd>" in drawn) is (told is not None)
    assert ("<dt>Exits" in drawn) is (told is not None)


def test_each_open_trade_has_a_row_and_shares_have_a_price() -> None:
    held = TradeLegView(7, "SPY", None, None, None, "BUY", 5, Decimal("541.25"), None, False)
    shares = open_trade(id="t-2", symbol="SPY", legs=[held], quantity=5, width=None, credit=None)
    drawn = desk.open_trade(Shown({"status": status(**standing(shares, open_trade(), open_trade(id="t-3")))}))
    assert "<dt>Price</dt>" in drawn
    assert "541.25" in drawn
    assert "Credit" not in drawn
    assert [f"/trades/{one}" in drawn for one in ("t-1", "t-2", "t-3")] == [True] * 3
    assert drawn.count("SPX bull put 5395/5355, 1 lot") == 2
    assert "turns" not in drawn
    bought = desk.open_trade(Shown({"status": status(**standing(replace(shares, turns_above=Decimal("2.85"))))}))
    assert "sold when its bids were above 2.85 and turn" in bought


def test_a_trade_that_is_closed_in_part_shows_what_is_held_and_what_the_rest_has_earned() -> None:
    leg_of = TradeLegView(7, "SPY", None, None, None, "BUY", 100, Decimal("541.25"), Decimal("541.55"), False)
    whole = open_trade(symbol="SPY", legs=[leg_of], quantity=100, width=None, credit=None)
    part = replace(whole, closed=25, realized=Decimal("7.50"))
    drawn = [desk.open_trade(Shown({"status": status(**standing(one))})) for one in (whole, part)]
    assert ["Closed so far" in one for one in drawn] == [False, True]
    assert '<td class="number" data-label="Quantity">75</td>' in drawn[1]
    assert "SPY long, 75 of 100 shares" in drawn[1]
    so_far = drawn[1].partition("Closed so far")[2].partition("</div>")[0]
    assert ["+$7.50" in so_far, "25 of 100, before commissions" in so_far] == [True, True]
    assert "so far" not in trade.result(Shown(), ended())
    listed = ended(symbol="SPY", legs=[leg_of], quantity=100, width=None, state="open", closed_at=None, closed=25)
    for page in (trades.trades(Shown({"trades": {None: [listed]}})), trade.result(Shown(), listed)):
        assert "so far" in page
        assert "75 of 100" in page
    assert "SPY long, 100 shares" in trades.trades(Shown({"trades": {None: [replace(listed, closed=100)]}}))


def test_every_figure_of_the_day_is_of_one_reading_and_tells_its_time() -> None:
    closed = DayPnl(date(2026, 3, 3), 2, Decimal(30), Decimal(5), Decimal(25))
    earned = DayMoney(closed, OpenPnl(1, Decimal("-97.50"), None, None, None, Decimal("2.50")), NOON)
    judged = risk_view(as_of=NOON - timedelta(seconds=4), daily_pnl=Decimal("-71.30"))
    drawn = desk.day(Shown({"status": status(), "day": {"DU1": earned}, "risk": {"DU1": judged}}))
    assert "at 12:00:00" in drawn
    assert f"{MINUS}$75.00" in drawn.partition("</p>")[0]
    assert f"day&#39;s P&amp;L {MINUS}$75.00, loss limit {MINUS}$1,000.00" in drawn
    assert "71.30" not in drawn
    assert "judged at 11:59:56" in drawn
    assert "Of days before" not in drawn
    of_yesterday = Shown(
        {"status": status(), "day": {"DU1": replace(earned, carried=Decimal(40))}, "risk": {"DU1": judged}}
    )
    assert f"{MINUS}$40.00" in desk.day(of_yesterday).partition("Of days before")[2].partition("</div>")[0]
    unknown = replace(earned, open=replace(earned.open, mid=None))
    assert '<p class="big"><span class="amount unknown">—' in desk.day(
        Shown({"status": status(), "day": {"DU1": unknown}, "risk": {"DU1": judged}})
    )


def test_a_flat_desk_says_why_nothing_happens() -> None:
    view = StrategyView("spx_breakout", "SPX", "DU1", 1, 2.0, 1.0, None, f"waits {UNTRUSTED}", NOON)
    drawn = desk.open_trade(Shown({"status": status(strategies=[view])}))
    assert "Flat" in drawn
    assert "spx_breakout: waits &lt;script&gt;" in drawn


def signal(**changes: Any) -> SignalView:
    made = SignalView(
        NOON, "a", "DU1", "SPX", 1, accepted=True, reason="it rose", levels={}, trend=1, indicators={}, level=1.0,
        price=2.0, trigger="it rose", refused_by=None,
    )  # fmt: skip
    return replace(made, **changes)


def look_at(number: int, why_not: str | None, strategy: str = "a", trend: int = 1) -> EvaluationView:
    at = NOON + timedelta(seconds=30 * number)
    return EvaluationView(number, strategy, "DU1", "SPX", at, trend, None, None, why_not, {})


def test_equal_looks_in_a_row_are_one_line_and_a_signal_stands_alone() -> None:
    newest_first = [
        look_at(9, "waits at 12:04:30"),
        look_at(8, "waits at 12:04:00"),
        look_at(8, "other", strategy="b"),
        look_at(7, "waits at 12:03:30", trend=-1),
        look_at(6, None),
        look_at(5, None),
        look_at(4, "other", strategy="b"),
    ]
    told = [(one.last.id, one.looks, one.last.strategy) for one in signals.stretches(newest_first)]
    assert told == [(9, 2, "a"), (8, 2, "b"), (7, 1, "a"), (6, 1, "a"), (5, 1, "a")]


@pytest.mark.parametrize(
    ("accepted", "observed", "outcome"),
    [(True, False, "accepted"), (False, False, "refused"), (False, True, "observed")],
)
def test_a_signal_that_was_only_watched_is_not_called_refused(accepted: bool, observed: bool, outcome: str) -> None:
    view = replace(look_at(1, None), signal=signal(accepted=accepted, observed=observed))
    drawn = signals.fired(Shown({"fired": {None: [view]}}))
    assert [word in drawn for word in ("accepted", "refused", "observed")] == [
        word == outcome for word in ("accepted", "refused", "observed")
    ]
    assert ("badge bad" in drawn) is (outcome == "refused")


def test_what_has_no_trend_is_not_called_flat() -> None:
    flat, held = {"rsi_ema": 45.0, "bars": 600.0}, {"side": 1.0, "quantity": 5.0, "price": 101.25}
    looks = [replace(look_at(1, "waits", trend=0), indicators=seen) for seen in (flat, held, {})]
    assert [one.known_trend for one in looks] == [0, None, None]
    assert ["flat" in signals.cycles(Shown({"cycles": {None: [one]}})) for one in looks] == [True, False, False]
    for trend, word in ((0, "—"), (1, "up")):
        fired = replace(look_at(1, None), signal=signal(direction=-1, trend=trend), outcomes=[{"rule": "halt"}])
        assert f"{word}</span>" in signals.decision(Shown({"fired": {None: [fired]}})).partition("<dt>Trend</dt>")[2]


def ended(**changes: Any) -> TradeView:
    known: dict[str, Any] = dict.fromkeys(one.name for one in fields(TradeView))
    opened = open_trade()
    known |= {name: getattr(opened, name) for name in known.keys() & {one.name for one in fields(OpenTradeView)}}
    known |= {"state": "closed", "closed_at": NOON, "exit_reason": "stop_loss", "commissions": Decimal(0)}
    return TradeView(**known | changes)


def test_trades_are_summed_only_when_each_is_known() -> None:
    def closed(number: int, net: Decimal | None) -> TradeView:
        return ended(id=f"t-{number}", gross_pnl=net, net_pnl=net)

    both = trades.summary(Shown({"trades": {None: [closed(1, Decimal(10)), closed(2, Decimal(-4))]}}))
    assert "+$6.00" in both
    assert "50 %" in both
    some = trades.summary(Shown({"trades": {None: [closed(1, Decimal(10)), closed(2, None)]}}))
    assert '<dt>Net P&amp;L</dt><dd><span class="amount unknown">—' in some


def test_the_price_of_what_has_one_leg_stands_where_a_spread_has_its_credit() -> None:
    leg = TradeLegView(1, "SPY", None, Decimal(670), "C", "BUY", 1, Decimal("1.23"), Decimal("2.34"), modelled=False)
    bought = TradeView(
        "t-1", "s", "DU1", "SPY", 1, "closed", NOON, NOON, [leg], 1, None, None, None, "time",
        Decimal(111), Decimal(2), Decimal(109), None, 60.0, "hash",
    )  # fmt: skip
    drawn = trades.trades(Shown({"trades": {None: [bought]}}))
    assert "1.23" in drawn
    assert "2.34" in drawn
    spread = replace(bought, width=Decimal(40), credit=Decimal("3.21"), debit=Decimal("0.12"))
    assert (spread.entry_price, spread.exit_price) == (Decimal("3.21"), Decimal("0.12"))


def test_an_alert_shows_its_delivery_and_its_text_as_text() -> None:
    alert = AlertView(1, NOON, "k", "CRITICAL", "HTBot Alert: Fire", UNTRUSTED, "DU1", "FAILED", None, 3, "no server")
    drawn = alerts.told(Shown(), alert)
    assert "failed after 3 tries: no server" in drawn
    assert "<script" not in drawn
    assert "1 not acknowledged" in alerts.heading(Shown({"alerts": [alert]}))


def order(**changes: Any) -> OrderView:
    made = OrderView(
        "r", 1, None, "DU1", "exit", "SELL", 1, Decimal(-1), "FILLED", 0, None, [], "t", NOON, NOON, ""
    )  # fmt: skip
    return replace(made, **changes)


def fill(**changes: Any) -> FillView:
    made = FillView(
        "e", "r", NOON, "DU1", 1, "SPX", date(2026, 3, 3), Decimal(5395), "P", "SELL", 1, Decimal(9), None, True
    )  # fmt: skip
    return replace(made, **changes)


def test_only_orders_that_may_still_fill_can_be_cancelled() -> None:
    working = ("SENDING", "SUBMITTED", "PARTIAL", "PENDING_CANCEL")
    assert all(orders.is_working(order(status=state)) for state in working)
    assert not any(orders.is_working(order(status=state)) for state in ("FILLED", "CANCELLED", "REJECTED", "EXPIRED"))
    assert (orders.tone("FILLED"), orders.tone("REJECTED")) == ("good", "bad")


def test_the_last_run_of_a_task_is_told_in_market_time() -> None:
    began = NOON + timedelta(hours=6)
    run = TaskView("read_market", last_run=NOON, age_s=3.0, state="DONE", error="", started_at=began)
    shown = system.tasks(Shown({"status": status(tasks=[run])}))
    assert "Last run, market time" in shown
    assert "host time" not in shown
    assert "12:00:00" in shown, "a replayed day is at noon, whatever the host's clock says"


BOTH = ("DU1", "DU2")


def of_each(rows: Iterable[Any]) -> dict[str | None, list[Any]]:
    """A list as it is read: of each account, and of all together."""
    every = list(rows)
    return {None: every} | {one: [row for row in every if row.account == one] for one in BOTH}


def of_two_accounts() -> dict[str, Any]:
    """Everything that has an account, of each of two."""
    second = open_trade(id="t-2", account="DU2")
    closed = DayPnl(date(2026, 3, 3), 1, Decimal(10), Decimal(1), Decimal(9))
    days = {one: DayMoney(closed, OpenPnl(0, Decimal(0), None, None, None, Decimal(0)), NOON) for one in (*BOTH, None)}
    rule = RuleView("halt", "Nothing halts.", "now", True, "none", "none", None, NOON)
    refuses = replace(rule, rule="loss_limits", description="What a day may lose.", passed=False, reason="spent")
    return {
        "status": status(accounts=list(BOTH), **standing(open_trade(), second)),
        "day": days,
        "risk": {one: risk_view(account=one, equity=Decimal(100_000), breaker_active=one == "DU2") for one in BOTH},
        "rules": {"DU1": [rule, replace(refuses, passed=True, reason=None)], "DU2": [rule, refuses]},
        "positions": [PositionView(one, 7, "SPY", None, None, None, 5, Decimal(541), 1, None) for one in BOTH],
        "orders": of_each(order(ref=one, account=one) for one in BOTH),
        "fills": of_each(fill(exec_id=one, ref=one, account=one) for one in BOTH),
        "trades": of_each(ended(id=f"of-{one}", account=one) for one in BOTH),
        "fired": of_each(replace(look_at(n, None), account=one, signal=signal()) for n, one in enumerate(BOTH)),
        "cycles": of_each(replace(look_at(n, "waits"), account=one) for n, one in enumerate(BOTH)),
        "reconciliation": {},
    }


PARTS_OF_ACCOUNTS = (
    *(desk.open_trade, desk.day, desk.positions, orders.orders, orders.fills, trades.trades),
    *(signals.fired, signals.cycles, risk.breaker, risk.rules, system.reconciliation),
)


@pytest.mark.parametrize("render", PARTS_OF_ACCOUNTS, ids=lambda render: f"{render.__module__[21:]}.{render.__name__}")
def test_each_figure_says_whose_it_is_where_several_accounts_are_traded(render: Callable[[Any], Markup]) -> None:
    values = of_two_accounts()
    both = render(Shown(values))
    assert all(one in both for one in BOTH), "all of them"
    for one in BOTH:
        drawn = render(Shown(values, look=Look(account=one)))
        assert ">Account<" not in drawn, "one was chosen: it stands in the header"
        assert not any(other in drawn for other in BOTH if other != one)
    one_account = {**values, "status": replace(values["status"], accounts=["DU1"], trades=[open_trade()])}
    assert ">Account<" not in render(Shown(one_account)), "with one account nothing is added"


def test_a_message_names_its_account_whichever_is_looked_at() -> None:
    told = AlertView(1, NOON, "k", "INFO", "HTBot Alert: Entry", "text", "DU2", "SENT", None, 1, "")
    recent = [EventView(NOON, "INFO", "HTBot Alert: Entry", account="DU2")]
    for look, traded in ((Look(), BOTH), (Look(account="DU1"), BOTH), (Look(), ("DU2",))):
        shown = Shown({"status": status(accounts=list(traded), recent=recent)}, look=look)
        assert ["DU2" in drawn for drawn in (desk.events(shown), alerts.told(shown, told))] == [len(traded) > 1] * 2


def test_the_account_is_chosen_in_the_header_where_there_are_several() -> None:
    assert accounts.chooser(Shown({"status": status()})) == ""
    drawn = accounts.chooser(Shown({"status": status(accounts=list(BOTH))}, look=Look(account="DU2")))
    assert '<option value="">All accounts</option>' in drawn
    assert '<option value="DU2" selected>DU2</option>' in drawn
    gone = Shown({"status": status(accounts=list(BOTH))}, look=Look(account="DU9"))
    assert accounts.several(gone), "one that is traded no more is no choice"


def test_a_rule_stands_once_for_those_that_meet_it_alike() -> None:
    drawn = risk.rules(Shown(of_two_accounts()))
    assert "2 rules, 1 would refuse" in drawn
    assert drawn.count("<tr") == 1 + 1 + 2
    assert '<td data-label="Account">all</td>' in drawn


def test_a_backtest_that_is_done_is_no_limit_that_was_reached_and_its_profit_has_thousands() -> None:
    profit = (("net profit", "+$1,725.57, commissions $29.43"),)
    job = JobView("j", BacktestOrder("spx_breakout", "SPX"), "dashboard:hand", NOON, "done", 1.0, summary=profit)
    drawn = backtest.jobs(Shown({"backtests": [job]}))
    assert ">+$1,725.57<" in drawn
    assert 'class="used"' in drawn


def test_the_largest_fall_of_a_day_begins_at_zero_or_at_its_peak() -> None:
    def of(*curve: int | None) -> tuple[Decimal, Decimal]:
        return desk.best_and_fall([None if one is None else Decimal(one) for one in curve])

    assert of() == (0, 0)
    assert of(-50, -20) == (0, 50)
    assert of(100, None, 40, 130, 90) == (130, 60)


def test_an_order_says_what_it_is_on_and_of_which_strategy() -> None:
    legs = [LegView(1, "SPX", date(2026, 3, 3), Decimal(5395), "P", "SELL", 1)]
    sent = order(ref="r", legs=legs, strategy="spx_breakout", trade_id="t-9")
    part = replace(sent, style="market", level=1, limit=Decimal("87.65"))
    drawn = orders.orders(Shown({"orders": {None: [replace(sent, style="stop"), part]}}))
    for told in (">stop<", ">profit level 1<", "at the market"):
        assert told in drawn
    assert "87.65" not in drawn, "no limit of an order at the market"
    drawn = orders.orders(Shown({"orders": {None: [sent]}}))
    for told in ("SPX 2026-03-03", "Sell 1 5395 put", "spx_breakout", "/trades/t-9"):
        assert told in drawn
    drawn = orders.fills(Shown({"orders": {None: [sent]}, "fills": {None: [fill(ref="r")]}}))
    assert "spx_breakout" in drawn
    assert "/trades/t-9" in drawn
