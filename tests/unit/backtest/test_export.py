"""The JSON of INTERFACE, and one row per trade."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import fields, replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.results import TRADES, WEEK, a_result, a_spread, at

from htbot.backtest.export import as_json, decimal_text, plain, trade_json, write_csv
from htbot.backtest.metrics import Metrics, measure
from htbot.backtest.result import BacktestResult, EquityCurve
from htbot.domain.orders import ExitReason

# INTERFACE, JSON shapes
RESULT_KEYS = ("strategy", "config_hash", "data", "trades", "metrics", "assumptions", "modelled_share", "wall_s")
TRADE_KEYS = (
    *("id", "strategy", "account", "symbol", "direction", "opened_at", "closed_at", "legs", "credit", "debit"),
    *("exit_reason", "gross_pnl", "commissions", "net_pnl", "max_gain", "duration_s", "config_hash"),
)
LEG_KEYS = ("symbol", "expiry", "strike", "right", "side", "quantity", "fill", "exit_fill")

SPREAD = a_spread(7, at(7, 10), at(7, 11), "402.5", date(2022, 3, 7), exit_reason=ExitReason.PROFIT_TARGET)


def told(result: BacktestResult) -> dict[str, object]:
    return as_json(result, measure(result))


def test_the_result_has_the_keys_of_the_interface() -> None:
    shape = told(a_result())
    assert [key for key in RESULT_KEYS if key not in shape] == []
    assert set(shape) - set(RESULT_KEYS) == {
        *("config", "symbol", "bars", "cash", "curve", "closes", "refusals", "engine", "why_not"),
    }


def test_a_trade_has_exactly_the_keys_of_the_interface_and_three_more() -> None:
    shape = trade_json(TRADES[0])
    assert tuple(shape)[: len(TRADE_KEYS)] == TRADE_KEYS
    assert tuple(shape)[len(TRADE_KEYS) :] == ("max_loss", "exposure", "detail")
    assert set(shape["legs"][0]) == set(LEG_KEYS)


def test_a_plain_trade_to_the_letter() -> None:
    assert trade_json(TRADES[5]) == {
        "id": "plain-6",
        "strategy": "plain_breakout",
        "account": "backtest",
        "symbol": "SPY",
        "direction": 1,
        "opened_at": "2022-03-11T16:00:00Z",
        "closed_at": "2022-03-11T17:00:00Z",
        "legs": [
            {
                "symbol": "SPY",
                "side": "BUY",
                "quantity": 10,
                "fill": "100.00",
                "exit_fill": "70.00",
                "expiry": None,
                "strike": None,
                "right": None,
            }
        ],
        "credit": None,
        "debit": None,
        "exit_reason": "other",
        "gross_pnl": "-300.00",
        "commissions": "2.00",
        "net_pnl": "-302.00",
        "max_gain": "10.00",
        "duration_s": 3600.0,
        "config_hash": "c0ffee",
        "max_loss": "-310.00",
        "exposure": "1000.00",
        "detail": "signal",
    }


def test_a_spread_has_two_legs_and_its_prices_per_unit() -> None:
    shape = trade_json(SPREAD)
    assert (shape["credit"], shape["debit"], shape["net_pnl"]) == ("9.15", "5.10", "400.50")
    assert shape["legs"][1] == {
        "symbol": "SPX",
        "side": "SELL",
        "quantity": 1,
        "fill": "21.45",
        "exit_fill": "13.20",
        "expiry": "2022-03-07",
        "strike": "4150.00",
        "right": "P",
    }


def test_it_is_json_to_the_last_value_and_comes_back_the_same() -> None:
    prices = (math.nan, 416.3, 427.4, 425.5, 420.1)
    result = a_result(curve=EquityCurve(WEEK, a_result().curve.equity, prices))
    shape = told(result)
    text = json.dumps(shape, allow_nan=False)
    assert json.loads(text) == shape
    assert shape["curve"] == {
        "days": ["2022-03-07", "2022-03-08", "2022-03-09", "2022-03-10", "2022-03-11"],
        "equity": ["10100.00", "9898.00", "10392.90", "10392.90", "10081.113"],
        "prices": [None, 416.3, 427.4, 425.5, 420.1],
    }
    assert shape["config"] == {"quantity": 10, "stop_loss_usd": "200.00", "exit_time": None}


def test_every_metric_is_told_under_its_own_name() -> None:
    metrics = told(a_result())["metrics"]
    assert isinstance(metrics, dict)
    assert set(metrics) == {field.name for field in fields(Metrics)} | {"max_drawdown", "max_drawdown_usd"}
    for name in ("total_return", "cagr", "max_drawdown", "sharpe", "sortino", "win_rate", "profit_factor", "exposure"):
        assert isinstance(metrics[name], float), name
    assert (metrics["net_profit"], metrics["max_drawdown_usd"]) == ("91.00", "311.787")
    assert metrics["drawdown"] == {
        "amount": "311.787",
        "share": 0.03,
        "peak": "2022-03-10",
        "trough": "2022-03-11",
        "recovered": None,
    }
    assert metrics["by_exit_reason"]["stop_loss"] == {
        "trades": 1,
        "winners": 0,
        "net_pnl": "-202.00",
        "gross_pnl": "-200.00",
        "commissions": "2.00",
    }


def test_unknown_metrics_are_null() -> None:
    metrics = told(a_result(trades=()))["metrics"]
    assert isinstance(metrics, dict)
    assert (metrics["profit_factor"], metrics["win_rate"], metrics["net_profit"]) == (None, None, "0.00")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0.00"), ("1E+3", "1000.00"), ("-0.5", "-0.50"), ("12.345600", "12.3456"), ("400.08", "400.08")],
)
def test_amounts_have_two_decimals_at_least(amount: str, text: str) -> None:
    assert decimal_text(Decimal(amount)) == text


def test_values_of_a_configuration_are_plain() -> None:
    assert plain({"at": time(15), "list": (1, Decimal(2)), "reason": ExitReason.TIME, "on": True}) == {
        "at": "15:00:00",
        "list": [1, "2.00"],
        "reason": "time",
        "on": True,
    }


def test_one_row_per_trade_with_as_many_legs_as_there_are(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    write_csv(a_result(trades=(*TRADES, SPREAD)), path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 7
    assert (rows[0]["net_pnl"], rows[0]["leg1_exit_fill"], rows[0]["leg2_fill"]) == ("100.00", "110.20", "")
    assert (rows[6]["leg1_strike"], rows[6]["leg2_strike"], rows[6]["leg2_right"]) == ("4110.00", "4150.00", "P")
    assert rows[5]["opened_at"] == "2022-03-11T16:00:00Z"
    assert sum(Decimal(row["net_pnl"]) for row in rows) == Decimal("491.50")


@pytest.mark.fault(55)
@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(tmp_path: Path, name: str) -> None:
    path = tmp_path / "trades.csv"
    write_csv(a_result(trades=(replace(TRADES[0], symbol=name),)), path)
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["symbol"] == "'" + name.replace("\t", " ").replace("\r", " ")


def test_without_trades_there_is_the_head(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    write_csv(a_result(trades=()), path)
    assert path.read_text(encoding="utf-8").count("\n") == 1
    assert path.read_text(encoding="utf-8").startswith("id,strategy,account,")
