"""A backtest for people: one HTML file that needs nothing else, and a few lines for a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from htbot.backtest import figures, report_charts, report_parts
from htbot.backtest.metrics import Metrics
from htbot.backtest.metrics_curve import daily_returns
from htbot.backtest.result import BacktestResult

_WHOLE = slice(None)
_MINUS = re.compile(r"(?<!\w)-(?=[$\d])")


def write_report(result: BacktestResult, metrics: Metrics, path: Path, trials: int | None = None) -> None:
    """Write the report; `trials` is how many settings were tried before these were chosen, None when nobody told.

    The same result gives the same bytes.
    """
    path.write_text(report_html(result, metrics, trials), encoding="utf-8")


def report_html(
    result: BacktestResult,
    metrics: Metrics,
    trials: int | None = None,
    page: str = "report.html.j2",
    more: Mapping[str, Any] | None = None,
) -> str:
    """The report as one HTML page without scripts, fonts or pictures from anywhere else.

    Another `page` may extend it and be given `more`.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader("htbot.backtest"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["minus"] = _with_minus
    return pages.get_template(page).render({**_view(result, metrics, trials), **(more or {})})


def summary_lines(result: BacktestResult, metrics: Metrics) -> list[tuple[str, str]]:
    """Name and value of the figures that a terminal shows, in groups."""
    money, percent, ratio = figures.money, figures.percent, figures.ratio
    engine = result.engine if not result.why_not else f"{result.engine} ({result.why_not})"
    span = f"{figures.day(metrics.first_day)} to {figures.day(metrics.last_day)}, {metrics.sessions:,} sessions"
    refused = ", ".join(f"{rule} {times:,}" for rule, times in result.refusals.items() if times)
    averages = f"{money(metrics.average_win)} / {money(metrics.average_loss)}"
    return [
        ("strategy", f"{result.strategy} on {result.symbol}, config {result.config_hash}"),
        ("sessions", span),
        ("ran", f"{engine}, {result.bars:,} bars in {figures.wall(result.wall_s)}"),
        ("fills", result.assumptions.get("fills", figures.UNKNOWN)),
        *([("modelled prices", percent(result.modelled_share))] if result.modelled_share else []),
        ("", ""),
        ("net profit", f"{money(metrics.net_profit, sign=True)}, commissions {money(metrics.commissions)}"),
        *([("still open", money(metrics.open_profit, sign=True))] if metrics.open_profit else []),
        ("total return", f"{percent(metrics.total_return, sign=True)}, CAGR {percent(metrics.cagr, sign=True)}"),
        ("volatility", percent(metrics.volatility)),
        ("Sharpe", f"{ratio(metrics.sharpe)}, Sortino {ratio(metrics.sortino)}, Calmar {ratio(metrics.calmar)}"),
        ("max drawdown", f"{percent(metrics.max_drawdown)}, {money(metrics.max_drawdown_usd)}{_when(metrics)}"),
        ("in the market", f"{percent(metrics.exposure, digits=1)} of the time"),
        ("", ""),
        ("trades", f"{metrics.trades:,}: {metrics.winners:,} won, {metrics.losers:,} lost"),
        ("win rate", f"{percent(metrics.win_rate, digits=1)}, profit factor {ratio(metrics.profit_factor)}"),
        ("expectancy", f"{money(metrics.expectancy, sign=True)} per trade"),
        ("average win / loss", f"{averages}, payoff {ratio(metrics.payoff_ratio)}"),
        ("largest win / loss", f"{money(metrics.largest_win)} / {money(metrics.largest_loss)}"),
        ("in a row", f"{metrics.wins_in_a_row} won, {metrics.losses_in_a_row} lost"),
        ("average duration", figures.duration(metrics.average_duration_s)),
        ("exits", ", ".join(f"{group.key} {group.trades:,}" for group in metrics.by_exit_reason) or figures.UNKNOWN),
        *([("refused", refused)] if refused else []),
    ]


def _view(result: BacktestResult, metrics: Metrics, trials: int | None) -> dict[str, Any]:
    from markupsafe import Markup

    first, last = report_parts.trade_rows(result.trades)
    returns = daily_returns(result.cash, result.curve.equity)
    charts = {
        "equity": report_charts.equity_chart(result, metrics.drawdown),
        "pnl": report_charts.pnl_chart([trade.net_pnl for trade in result.trades]),
        "days": report_charts.day_chart([one for one in returns if one]),
        "durations": report_charts.duration_chart([trade.duration_s for trade in result.trades]),
        "excursions": report_charts.excursion_chart(result.trades),
    }
    return {
        "result": result,
        "metrics": metrics,
        "headline": report_parts.headline(metrics),
        "cautions": report_parts.cautions(result, metrics, trials),
        "run": report_parts.run_facts(result, trials),
        "config": report_parts.config_facts(result),
        "figures": report_parts.all_figures(metrics),
        "months": report_parts.MONTHS,
        "years": report_parts.month_table(result),
        "groups": report_parts.group_tables(metrics),
        "refusals": sorted((rule, f"{times:,}") for rule, times in result.refusals.items() if times),
        "first_trades": first,
        "last_trades": last,
        "crowded": report_charts.crowded(result),
        "close_look": report_charts.CLOSE_LOOK,
        "still_days": returns.count(0.0),
        "options": any(leg.expiry is not None for trade in result.trades for leg in trade.legs),
        "charts": {name: Markup(drawn) for name, drawn in charts.items()},  # noqa: S704 - `svg` escapes its words
        "prices": [
            (view.symbol, *(Markup(drawn) for drawn in _price_charts(view)))  # noqa: S704 - `svg` escapes its words
            for view in result.by_symbol()
        ],
    }


def _price_charts(view: BacktestResult) -> tuple[str, str]:
    """The prices of one symbol with its trades, and a close look at the last sessions of a long run."""
    closer = report_charts.close_look(view.curve)
    last = "" if closer is None else report_charts.price_chart(view, closer)
    return report_charts.price_chart(view, _WHOLE), last


def _with_minus(text: str) -> str:
    """Typographic minus in front of digits and dollars; the dash inside of a date stays."""
    return "\N{EN DASH}" if text == figures.UNKNOWN else _MINUS.sub("\N{MINUS SIGN}", text)


def _when(metrics: Metrics) -> str:
    fall = metrics.drawdown
    if fall is None or fall.trough is None:
        return ""
    start = "the start" if fall.peak is None else figures.day(fall.peak)
    return f" from {start} to {figures.day(fall.trough)}"
