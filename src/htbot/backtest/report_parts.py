"""The words and tables of a backtest's report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from typing import Any

from htbot.backtest import figures
from htbot.backtest.export import plain
from htbot.backtest.metrics import Metrics
from htbot.backtest.metrics_curve import Drawdown, lucky_sharpe, monthly_returns
from htbot.backtest.metrics_groups import Group
from htbot.backtest.result import BacktestResult, ResultLeg, ResultTrade

SHOWN_TRADES = 200
FEW_TRADES = 30
FEW_SESSIONS = 63
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Bar:
    """One group in a table of P&L; `left` and `right` are how far its bar reaches, in percent of the longest."""

    key: str
    trades: str
    win_rate: str
    average: str
    net_pnl: str
    left: float
    right: float


def headline(metrics: Metrics) -> Facts:
    """The eight figures of page one."""
    profit = figures.money(metrics.net_profit, sign=True)
    return [
        ("Net profit", profit if len(profit) < 13 else profit[:-3]),
        ("Total return", figures.percent(metrics.total_return, sign=True)),
        ("CAGR", figures.percent(metrics.cagr, sign=True)),
        ("Sharpe", figures.ratio(metrics.sharpe)),
        ("Max drawdown", figures.percent(metrics.max_drawdown)),
        ("Profit factor", figures.ratio(metrics.profit_factor)),
        ("Win rate", figures.percent(metrics.win_rate, digits=1)),
        ("Trades", figures.count(metrics.trades)),
    ]


def run_facts(result: BacktestResult, trials: int | None) -> Facts:
    """How it ran."""
    engine = result.engine if not result.why_not else f"{result.engine}, not compiled: {result.why_not}"
    return [
        ("Engine", engine),
        ("Bars read", figures.count(result.bars)),
        ("Wall time", figures.wall(result.wall_s)),
        ("Cash at the start", figures.money(result.cash)),
        ("Modelled prices", _modelled(result.modelled_share)),
        ("Trials", "one run" if trials is None else figures.count(trials)),
        *(("Data" if number == 0 else "", name) for number, name in enumerate(result.data)),
    ]


def _modelled(share: float | None) -> str:
    return "nothing filled" if share is None else f"{figures.percent(share, digits=1)} of those that filled"


def config_facts(result: BacktestResult) -> Facts:
    """The strategy's settings."""
    return [(name, _setting(value)) for name, value in result.config.items()]


def cautions(result: BacktestResult, metrics: Metrics, trials: int | None) -> list[str]:
    """What a reader should know before believing the figures."""
    told: list[str] = []
    if trials is not None and trials > 1:
        told.append(_best_of(metrics, trials))
    if metrics.trades == 0:
        told.append("There were no trades.")
    elif metrics.trades < FEW_TRADES:
        told.append(f"{_plural(metrics.trades, 'trade')}: too few to tell skill from luck.")
    if 1 < metrics.sessions < FEW_SESSIONS:
        told.append(f"Annual figures are extrapolated from {_plural(metrics.sessions, 'session')}.")
    if result.modelled_share:
        share = figures.percent(result.modelled_share, digits=1)
        told.append(f"{share} of the prices that filled were modelled, not recorded.")
    if metrics.open_profit:
        held = figures.money(metrics.open_profit, sign=True)
        told.append(f"Positions open at the end hold {held}: part of the equity, of no trade.")
    return told


def all_figures(metrics: Metrics) -> list[tuple[str, Facts]]:
    """Every single figure, in three columns."""
    money, percent, ratio, days = figures.money, figures.percent, figures.ratio, figures.count
    returns = [
        ("Equity at the end", money(metrics.end_equity)),
        ("Total return", percent(metrics.total_return, sign=True)),
        ("CAGR", percent(metrics.cagr, sign=True)),
        ("Volatility, annual", percent(metrics.volatility)),
        ("Sharpe", ratio(metrics.sharpe)),
        ("Sortino", ratio(metrics.sortino)),
        ("Calmar", ratio(metrics.calmar)),
        ("Best day", percent(metrics.best_day, sign=True)),
        ("Worst day", percent(metrics.worst_day, sign=True)),
        ("Sessions", figures.count(metrics.sessions)),
    ]
    risk = [
        *_drawdown_facts("Max drawdown", percent(metrics.max_drawdown), metrics.drawdown),
        ("Max drawdown, dollars", money(metrics.max_drawdown_usd)),
        ("Longest drawdown, days", days(metrics.longest_drawdown_days)),
        ("Time in the market", percent(metrics.exposure, digits=1)),
        ("Average value / equity", percent(metrics.exposure_value, digits=1)),
        ("Average MFE", money(metrics.average_max_gain)),
        ("Average MAE", money(metrics.average_max_loss)),
    ]
    trades = [
        ("Net profit", money(metrics.net_profit, sign=True)),
        ("Winners / losers", f"{metrics.winners:,} / {metrics.losers:,}"),
        ("Expectancy per trade", money(metrics.expectancy, sign=True)),
        ("Payoff ratio", ratio(metrics.payoff_ratio)),
        ("Average win", money(metrics.average_win)),
        ("Average loss", money(metrics.average_loss)),
        ("Largest win", money(metrics.largest_win)),
        ("Largest loss", money(metrics.largest_loss)),
        ("Wins / losses in a row", f"{metrics.wins_in_a_row} / {metrics.losses_in_a_row}"),
        ("Average duration", figures.duration(metrics.average_duration_s)),
        ("Gross P&L", money(metrics.gross_pnl, sign=True)),
        ("Commissions", money(metrics.commissions)),
    ]
    return [("Returns", returns), ("Risk", risk), ("Trades", trades)]


def month_table(result: BacktestResult) -> list[dict[str, Any]]:
    """A row per year: twelve months and the year, each as text, sign, and strength of its colour in percent."""
    months = monthly_returns(result.cash, result.curve)
    strongest = max((abs(value) for value in months.values() if value is not None), default=0.0) or 1.0
    rows: list[dict[str, Any]] = []
    for year in sorted({year for year, _ in months}):
        here = [months.get((year, month)) for month in range(1, 13)]
        cells = [_month_cell(value, strongest) for value in here]
        rows.append({"year": year, "cells": cells, "total": _month_cell(_compounded(here), 0.0)})
    return rows


def group_tables(metrics: Metrics) -> list[tuple[str, str, list[Bar]]]:
    """P&L by what trades have in common: title, what the first column is, rows."""
    hours = [(f"{group.key}:00", group) for group in metrics.by_hour]
    return [
        ("By exit reason", "Reason", _bars([(group.key.replace("_", " "), group) for group in metrics.by_exit_reason])),
        ("By direction", "Direction", _bars(_keyed(metrics.by_direction))),
        ("By hour of entry", "New York", _bars(hours)),
        ("By weekday of entry", "Weekday", _bars(_keyed(metrics.by_weekday))),
        ("By days to expiry", "DTE", _bars(_keyed(metrics.by_dte))),
        ("By symbol", "Symbol", _bars(_keyed(metrics.by_symbol))),
        ("By strategy", "Strategy", _bars(_keyed(metrics.by_strategy))),
    ]


def trade_rows(trades: Sequence[ResultTrade]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The trades, or the first and the last of them when there are more than twice as many as are shown."""
    numbered = list(enumerate(trades, start=1))
    if len(numbered) <= 2 * SHOWN_TRADES:
        return [_trade_row(*one) for one in numbered], []
    first, last = numbered[:SHOWN_TRADES], numbered[-SHOWN_TRADES:]
    return [_trade_row(*one) for one in first], [_trade_row(*one) for one in last]


def _trade_row(number: int, trade: ResultTrade) -> dict[str, str]:
    opened, closed = figures.moment(trade.opened_at), figures.moment(trade.closed_at)
    spread = trade.credit is not None or len(trade.legs) > 1
    leg = trade.legs[0]
    reason = trade.exit_reason.value.replace("_", " ")
    return {
        "number": f"{number:,}",
        "opened": opened,
        "closed": closed[11:] if closed[:10] == opened[:10] else closed,
        "side": "long" if trade.direction > 0 else "short",
        "what": _position_text(trade.legs),
        "entry": figures.price(trade.credit if spread else leg.fill),
        "exit": figures.price(trade.debit if spread else leg.exit_fill),
        "reason": f"{reason}: {trade.detail}" if trade.detail else reason,
        "net_pnl": figures.money(trade.net_pnl, sign=True),
        "ended": "win" if trade.net_pnl > 0 else "loss" if trade.net_pnl < 0 else "even",
        "max_gain": figures.money(trade.max_gain),
        "max_loss": figures.money(trade.max_loss),
        "duration": figures.duration(trade.duration_s),
    }


def _position_text(legs: Sequence[ResultLeg]) -> str:
    """What the legs have in common is told once: 1 SPX 22-03-07 +4110P -4150P."""
    first = legs[0]
    if first.expiry is None:
        return " / ".join(f"{leg.quantity:,} {leg.symbol}" for leg in legs)
    shared = {(leg.quantity, leg.symbol, leg.expiry) for leg in legs}
    if len(shared) == 1:
        return f"{first.quantity:,} {first.symbol} {first.expiry:%y-%m-%d} {' '.join(map(_option_text, legs))}"
    return " / ".join(f"{leg.quantity:,} {leg.symbol} {leg.expiry:%y-%m-%d} {_option_text(leg)}" for leg in legs)


def _option_text(leg: ResultLeg) -> str:
    strike = "" if leg.strike is None else f"{leg.strike.normalize():f}"
    return f"{'+' if leg.side == 'BUY' else '-'}{strike}{leg.right or ''}"


def _best_of(metrics: Metrics, trials: int) -> str:
    words = f"This is the best of {trials:,} trials, chosen with the data in view."
    lucky = lucky_sharpe(trials, metrics.sessions)
    if lucky is None or metrics.sharpe is None:
        return words
    return (
        f"{words} The best of {trials:,} strategies without any edge would be expected to show a Sharpe of"
        f" {figures.ratio(lucky)} in {metrics.sessions:,} sessions; this one shows {figures.ratio(metrics.sharpe)}."
        " Judge it on data that it has not seen."
    )


def _drawdown_facts(name: str, depth: str, fall: Drawdown | None) -> Facts:
    if fall is None or fall.trough is None:
        return [(name, depth)]
    return [
        (name, depth),
        ("its peak", "start" if fall.peak is None else figures.day(fall.peak)),
        ("its trough", figures.day(fall.trough)),
        ("its recovery", "not yet" if fall.recovered is None else figures.day(fall.recovered)),
    ]


def _month_cell(value: float | None, strongest: float) -> tuple[str, str, int]:
    if value is None:
        return "", "", 0
    strength = round(abs(value) / strongest * 60) if strongest else 0
    return figures.percent(value, digits=1).removesuffix(" %"), "loss" if value < 0 else "win", strength


def _compounded(returns: Sequence[float | None]) -> float | None:
    known = [one for one in returns if one is not None]
    if not known:
        return None
    whole = 1.0
    for one in known:
        whole *= 1 + one
    return whole - 1


def _keyed(groups: Sequence[Group]) -> list[tuple[str, Group]]:
    return [(group.key, group) for group in groups]


def _bars(groups: Sequence[tuple[str, Group]]) -> list[Bar]:
    longest = max((abs(group.net_pnl) for _, group in groups), default=Decimal(0)) or Decimal(1)
    return [
        Bar(
            key=key,
            trades=figures.count(group.trades),
            win_rate=figures.percent(group.win_rate, digits=0),
            average=figures.money(group.average, sign=True),
            net_pnl=figures.money(group.net_pnl, sign=True),
            left=round(float(max(-group.net_pnl, Decimal(0)) / longest) * 100, 1),
            right=round(float(max(group.net_pnl, Decimal(0)) / longest) * 100, 1),
        )
        for key, group in groups
    ]


def _setting(value: object) -> str:
    told = f"{value:%H:%M}" if isinstance(value, time) else plain(value)
    if told is None:
        return "none"
    if isinstance(told, bool):
        return "yes" if told else "no"
    return ", ".join(map(str, told)) if isinstance(told, list) else str(told)


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
