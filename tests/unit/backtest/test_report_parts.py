"""The words and tables of the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal

from tests.support.results import TRADES, a_result, a_spread, a_trade, at

from htbot.backtest import report_parts as parts
from htbot.backtest.metrics import measure
from htbot.backtest.result import EquityCurve


def test_page_one_has_eight_figures() -> None:
    assert parts.headline(measure(a_result()))[:2] == [("Net profit", "+$91.00"), ("Total return", "+0.81 %")]
    large = replace(measure(a_result()), net_profit=Decimal("1234567.89"))
    assert parts.headline(large)[0] == ("Net profit", "+$1,234,567")
    assert len(parts.headline(large)) == 8


def test_it_says_which_engine_ran_and_why() -> None:
    assert dict(parts.run_facts(a_result(), None))["Engine"] == "compiled"
    told = dict(parts.run_facts(a_result(engine="events", why_not="asked for", modelled_share=0.415), 12))
    assert told["Engine"] == "events, not compiled: asked for"
    assert (told["Modelled prices"], told["Trials"]) == ("41.5 % of those that filled", "12")


def test_the_best_of_many_is_warned_of_with_what_luck_would_show() -> None:
    result = a_result()
    told = parts.cautions(result, measure(result), 200)[0]
    assert "best of 200 trials" in told
    assert "expected to show a Sharpe of 19.63 in 5 sessions; this one shows 1.02" in told
    assert not any("trials" in words for words in parts.cautions(result, measure(result), None))
    assert not any("trials" in words for words in parts.cautions(result, measure(result), 1))


def test_cautions_name_what_is_weak() -> None:
    weak = a_result(modelled_share=0.4)
    told = " ".join(parts.cautions(weak, measure(weak), None))
    for words in ("6 trades: too few", "from 5 sessions", "40.0 % of the prices", "hold -$9.89"):
        assert words in told


def test_a_long_run_of_many_trades_needs_no_caution() -> None:
    days = tuple(date(2022, 1, 1) + timedelta(days=step) for step in range(70))
    trades = tuple(a_trade(number, at(7, 10), at(7, 11), "12") for number in range(40))
    curve = EquityCurve(days, (Decimal(10_400),) * 70, (1.0,) * 70)
    strong = a_result(trades=trades, curve=curve)
    assert parts.cautions(strong, measure(strong), None) == []


def test_what_was_not_there_is_not_extrapolated() -> None:
    empty = a_result(trades=(), curve=EquityCurve((), (), ()))
    assert parts.cautions(empty, measure(empty), None) == ["There were no trades."]


def test_months_are_a_row_per_year_with_its_total() -> None:
    days = (date(2021, 12, 31), date(2022, 1, 31), date(2022, 2, 28))
    curve = EquityCurve(days, tuple(map(Decimal, (11_000, 12_100, 6_050))), (1.0,) * 3)
    first, second = parts.month_table(a_result(curve=curve))
    assert first["cells"][11] == ("10.0", "win", 12)  # a fifth of the strongest, which is 60
    assert second["cells"][:3] == [("10.0", "win", 12), ("-50.0", "loss", 60), ("", "", 0)]
    assert (first["total"][0], second["total"][0]) == ("10.0", "-45.0")


def test_bars_of_a_table_are_measured_by_the_longest() -> None:
    tables = {title: rows for title, _, rows in parts.group_tables(measure(a_result()))}
    by_reason = {row.key: (row.left, row.right) for row in tables["By exit reason"]}
    assert by_reason == {"other": (75.5, 0), "profit target": (0, 100), "stop loss": (50.5, 0), "time": (0, 48.8)}
    assert [row.key for row in tables["By hour of entry"]] == ["10:00", "11:00", "12:00", "13:00"]


def test_all_trades_are_shown_until_there_are_too_many() -> None:
    some = [a_trade(number, at(7, 10), at(7, 11), "5") for number in range(401)]
    assert [len(rows) for rows in parts.trade_rows(some[:400])] == [400, 0]
    first, last = parts.trade_rows(some)
    assert (first[-1]["number"], last[0]["number"], last[-1]["number"]) == ("200", "202", "401")


def test_a_row_of_a_plain_trade() -> None:
    row = parts.trade_rows(TRADES)[0][5]
    assert (row["opened"], row["closed"], row["side"], row["what"]) == ("2022-03-11 11:00", "12:00", "long", "10 SPY")
    assert (row["entry"], row["exit"], row["net_pnl"], row["ended"]) == ("100.00", "70.00", "-$302.00", "loss")
    assert row["reason"] == "other: signal"
    assert parts.trade_rows(TRADES)[0][4]["ended"] == "even"


def test_a_row_of_a_spread_has_its_credit_and_debit() -> None:
    spread = a_spread(1, at(7, 10), at(8, 11), "402", date(2022, 3, 8))
    row = parts.trade_rows([spread])[0][0]
    assert (row["entry"], row["exit"], row["closed"]) == ("9.15", "5.10", "2022-03-08 11:00")
    assert row["what"] == "1 SPX 22-03-08 +4110P -4150P"
    near, far = spread.legs
    calendar = replace(spread, legs=(replace(near, expiry=date(2022, 4, 8)), far))
    assert parts.trade_rows([calendar])[0][0]["what"] == "1 SPX 22-04-08 +4110P / 1 SPX 22-03-08 -4150P"


def test_settings_are_told_plainly() -> None:
    config = {"at": time(15), "on": True, "none": None, "usd": Decimal(200), "list": (1, 2)}
    assert [value for _, value in parts.config_facts(a_result(config=config))] == [
        *("15:00", "yes", "none", "200.00", "1, 2"),
    ]


def test_figures_know_their_drawdown() -> None:
    risk = dict(dict(parts.all_figures(measure(a_result())))["Risk"])
    assert (risk["its peak"], risk["its trough"], risk["its recovery"]) == ("2022-03-10", "2022-03-11", "not yet")
    empty = measure(a_result(trades=(), curve=EquityCurve((), (), ())))
    assert {dict(rows).get("Sharpe", "-") for _, rows in parts.all_figures(empty)} == {"-"}
