from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support.spread_day import DAY, request, walk, world

from htbot.backtest.export import as_json
from htbot.backtest.metrics import measure
from htbot.backtest.report import report_html, summary_lines
from htbot.backtest.report_parts import run_facts
from htbot.backtest.result import BacktestResult
from htbot.backtest.spread_report import RunFacts, backtest_result, refusals_of, result_trade
from htbot.backtest.spread_request import SpreadResult
from htbot.backtest.spread_run import run_spreads

FACTS = RunFacts({"quantity": 1}, ("bars.csv",), "the limits of the test", "bars of the test", 1.5)


@pytest.fixture(scope="module")
def run() -> SpreadResult:
    return run_spreads(request(world(walk())))


@pytest.fixture(scope="module")
def made(run: SpreadResult) -> BacktestResult:
    return backtest_result(run, request(world(walk())), FACTS)


def test_trades_keep_legs_and_money(run: SpreadResult, made: BacktestResult) -> None:
    assert made.trades
    for before, after in zip(run.trades, made.trades, strict=True):
        assert (after.gross_pnl, after.net_pnl) == (before.gross_pnl, before.net_pnl)
        assert (after.credit, after.debit) == (before.credit, before.debit)
        assert {leg.side for leg in after.legs} == {"BUY", "SELL"}
        assert {leg.expiry for leg in after.legs} == {DAY}
        assert after.credit is not None
        assert after.exposure == (before.width - after.credit) * 100
        sold = next(leg for leg in after.legs if leg.side == "SELL")
        bought = next(leg for leg in after.legs if leg.side == "BUY")
        assert sold.fill - bought.fill == after.credit


def test_the_curve_ends_with_the_cash_and_the_trades(made: BacktestResult) -> None:
    assert made.curve.days == (DAY,)
    assert made.curve.equity[-1] == made.cash + sum(trade.net_pnl for trade in made.trades)
    assert made.curve.prices == (walk()[max(walk())][3],)
    assert measure(made).open_profit == 0


def test_excursions_hold_what_was_seen_and_the_end(run: SpreadResult, made: BacktestResult) -> None:
    for before, after in zip(run.trades, made.trades, strict=True):
        assert before.max_loss is not None
        assert after.max_loss <= before.max_loss
        assert after.max_loss <= after.gross_pnl <= after.max_gain
    assert any(trade.max_loss < min(trade.gross_pnl, Decimal(0)) for trade in made.trades)


def test_a_trade_that_was_never_priced_says_so(run: SpreadResult) -> None:
    blind = result_trade(replace(run.trades[0], max_gain=None, max_loss=None))
    assert blind.max_gain == blind.max_loss == blind.gross_pnl
    assert blind.detail == "no believable price while open"
    assert result_trade(run.trades[0]).detail == ""


def test_refusals_are_counted_by_rule(run: SpreadResult) -> None:
    refused = [one.refused_by.partition(":")[0] for one in run.signals if one.refused_by is not None]
    assert refusals_of(run) == {rule: refused.count(rule) for rule in refused}
    assert refusals_of(replace(run, signals=())) == {}


def test_what_was_assumed_is_told(run: SpreadResult, made: BacktestResult) -> None:
    assert (made.engine, made.why_not) == ("events", "options")
    assert made.modelled_share == 1.0
    nothing = backtest_result(replace(run, modelled_share=None), request(world(walk())), FACTS)
    assert nothing.modelled_share is None
    assert dict(run_facts(nothing, None))["Modelled prices"] == "nothing filled"
    assert as_json(nothing, measure(nothing))["modelled_share"] is None
    assert made.assumptions["limits"] == "the limits of the test"
    assert made.assumptions["market"] == "bars of the test"
    assert "natural price" in made.assumptions["fills"]
    assert all(made.assumptions.values())


def test_json_page_and_summary_take_it(made: BacktestResult) -> None:
    metrics = measure(made)
    told = as_json(made, metrics)
    assert set(told["trades"][0]["legs"][0]) >= {"expiry", "strike", "right", "side", "fill", "exit_fill"}
    assert told["trades"][0]["credit"] is not None
    assert "options" in report_html(made, metrics)
    assert ("modelled prices", "100.00 %") in summary_lines(made, metrics)
