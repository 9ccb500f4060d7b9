"""Commands that look: status, positions, orders, fills, trades, signals, pnl, risk, account, alerts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from htbot.cli.opening import people
from htbot.cli.output import Account, Day, Json, Limit, plain, print_facts, print_json, print_table
from htbot.cli.scheduler import words_of
from htbot.domain.signals import TREND_WORDS

if TYPE_CHECKING:
    from htbot.persistence.queries.selection import Selection
    from htbot.persistence.queries.shapes import HaltView, LegView, OpenTradeView, SignalView, TradeLegView
    from htbot.services.status_view import StatusView


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (status, positions, orders, fills, trades, signals, pnl, risk, account, alerts):
        app.command()(command)


def _selection(account: str | None, day: datetime | None, limit: int) -> Selection:
    from htbot.persistence.queries.selection import Selection

    return Selection(account, None if day is None else day.date(), limit)


def status(as_json: Json = False) -> None:
    """Mode, market time, connection, halts, strategies, open trades, tasks."""
    with people() as opened:
        found = opened.queries.status()
    if as_json:
        print_json(found)
    else:
        _print_status(found)


def _halt_words(halt: HaltView) -> str:
    return f"{halt.source}: {halt.reason}" + (f" (account {halt.account})" if halt.account else "")


def _print_status(found: StatusView) -> None:
    print_facts(
        [
            ("Mode", found.mode),
            ("Market time", f"{plain(found.market_time)} New York, speed {plain(found.speed)}"),
            ("Desk", f"{found.desk.state}, last heard {plain(found.desk.heartbeat_age_s)} s ago"),
            ("Connection", found.connection),
            ("Trading", _trading_words(found)),
            ("Scheduler", words_of(found.scheduler)),
            ("Account", f"{', '.join(found.accounts) or plain(found.account)} in world {plain(found.world)}"),
            ("Halt", "; ".join(_halt_words(halt) for halt in found.halt or []) or "none"),
            ("Degraded", "; ".join(found.degraded) or "none"),
        ]
    )
    for strategy in found.strategies:
        print()
        print_facts(
            [
                ("Strategy", f"{strategy.name} on {strategy.symbol}, looked at {plain(strategy.as_of)}"),
                ("Trend", TREND_WORDS[strategy.trend]),
                ("Day", f"high {plain(strategy.high)}, low {plain(strategy.low)}"),
                ("Why not", strategy.why_not or "a signal fired"),
                ("Last signal", _signal_words(strategy.last_signal)),
            ]
        )
    if not found.trades:
        print("\nOpen trade: none")
    for trade in found.trades:
        print()
        _print_open_trade(trade)
    print()
    _print_instances(found)
    columns = ("task", "last run, market time", "age s", "state", "error")
    print_table("Tasks", columns, ((t.name, t.last_run, t.age_s, t.state, t.error) for t in found.tasks))
    recent = ((event.ts, event.clock, event.severity, event.subject, event.summary) for event in found.recent)
    print_table("Recent events", ("at", "clock", "severity", "subject", "what"), recent)


def _print_instances(found: StatusView) -> None:
    """What people have added besides, and how each stands."""
    columns = ("name", "type", "symbol", "mode", "state", "looked at", "why nothing happened")
    rows = (
        [
            *(one.name, one.type, one.symbol, one.mode, one.state.replace("_", " "), one.as_of),
            one.why_not or ("a signal fired" if one.as_of else None),
        ]
        for one in found.instances
    )
    counts = found.instance_counts
    more = counts.total - len(found.instances)
    print_table("Instances", columns, rows)
    if more > 0:
        enabled = f"{counts.enabled:,} of {counts.total:,} are enabled, {counts.trading:,} of them trade"
        print(f"and {more:,} more; {enabled}: htbot strategies list has all")


def _trading_words(found: StatusView) -> str:
    if found.trading_enabled is None:
        return "unknown"
    return "enabled" if found.trading_enabled else f"disabled: {found.reason or 'no reason told'}"


def _signal_words(signal: object) -> str:
    from htbot.persistence.queries.shapes import SignalView

    if not isinstance(signal, SignalView):
        return "none"
    return f"{plain(signal.ts)} {TREND_WORDS[signal.direction]} {signal.outcome}: {signal.reason}"


def _print_open_trade(trade: OpenTradeView) -> None:
    sold = f"{trade.closed} of {trade.quantity}, {plain(trade.realized)} USD before commissions"
    print_facts(
        [
            ("Open trade", f"{trade.id} ({trade.state}) since {plain(trade.opened_at)}"),
            ("Legs", ", ".join(_leg(leg, trade.held(leg)) for leg in trade.legs)),
            *([("Closed so far", sold)] if trade.closed else []),
            (
                "Credit" if trade.width is not None else "Price",
                f"{plain(_paid(trade))}, maximum loss {plain(trade.maximum_loss)} USD",
            ),
            ("Mark", f"mid {plain(trade.mark)}, natural {plain(trade.natural)} at {plain(trade.marked_at)}"),
            ("P&L", f"mid {plain(trade.pnl_mid)}, natural {plain(trade.pnl_natural)} USD"),
            ("Exits", _exits(trade)),
            ("Closed by", "no time: held over night" if trade.exit_at is None else plain(trade.exit_at)),
            ("Flat deadline", plain(trade.flat_deadline)),
        ]
    )


def _exits(trade: OpenTradeView) -> str:
    """What closes it before its time."""
    limits = {"target": trade.target, "stop": trade.stop}
    found = [f"{name} {plain(limit)} USD" for name, limit in limits.items() if limit is not None]
    found += [] if trade.turns_above is None else [f"sold when its bids were above {plain(trade.turns_above)} and turn"]
    return ", ".join(found) or ("by the strategy's word alone" if trade.exit_at is None else "by time alone")


def _paid(trade: OpenTradeView) -> object:
    """The credit of a spread, the price of shares."""
    return trade.credit if trade.width is not None else trade.legs[0].fill


def _legs(legs: Iterable[LegView | TradeLegView]) -> str:
    return ", ".join(_leg(leg, leg.quantity) for leg in legs)


def _leg(leg: LegView | TradeLegView, quantity: int) -> str:
    option = "" if leg.strike is None else f" {leg.expiry} {leg.strike:f}{leg.right}"
    return f"{leg.side} {quantity} {leg.symbol}{option}"


def positions(account: Account = None, as_json: Json = False) -> None:
    """What is held, with marks."""
    with people() as opened:
        found = opened.queries.positions(account)
    if as_json:
        print_json(found)
        return
    names = ("account", "symbol", "expiry", "strike", "right", "quantity", "avg_price", "mark", "unrealized_pnl")
    print_table("Positions", (*names, "trade_id"), ([getattr(p, name) for name in (*names, "trade_id")] for p in found))


def orders(account: Account = None, day: Day = None, limit: Limit = 200, as_json: Json = False) -> None:
    """Orders at the broker, oldest first."""
    with people() as opened:
        found = opened.queries.orders(_selection(account, day, limit))
    if as_json:
        print_json(found)
        return
    names = ("ref", "order_id", "purpose", "style", "action", "quantity", "limit", "status", "filled", "avg_price")
    rows = ([*(getattr(order, name) for name in (*names, "error")), _legs(order.legs)] for order in found)
    print_table("Orders", (*names, "error", "legs"), rows)


def fills(account: Account = None, day: Day = None, limit: Limit = 200, as_json: Json = False) -> None:
    """Executions of single legs, oldest first."""
    with people() as opened:
        found = opened.queries.fills(_selection(account, day, limit))
    if as_json:
        print_json(found)
        return
    names = ("ts", "symbol", "expiry", "strike", "right", "side", "quantity", "price", "commission", "ref", "exec_id")
    print_table("Fills", names, ([getattr(fill, name) for name in names] for fill in found))


def trades(account: Account = None, day: Day = None, limit: Limit = 200, as_json: Json = False) -> None:
    """Trades from entry to exit, oldest first."""
    with people() as opened:
        found = opened.queries.trades(_selection(account, day, limit))
    if as_json:
        print_json(found)
        return
    names = ("id", "state", "opened_at", "closed_at", "entry_price", "exit_price", "exit_reason", "net_pnl", "max_gain")
    rows = ([*(getattr(trade, name) for name in names), _legs(trade.legs)] for trade in found)
    print_table("Trades", (*names, "legs"), rows)


def signals(account: Account = None, day: Day = None, limit: Limit = 200, as_json: Json = False) -> None:
    """Signals, accepted, refused and observed, oldest first."""
    with people() as opened:
        found = opened.queries.signals(_selection(account, day, limit))
    if as_json:
        print_json(found)
        return
    names = ("ts", "account", "strategy", "symbol", "direction", "level", "price", "trend", "outcome", "reason")
    print_table("Signals", names, map(_signal_row, found))


def _signal_row(signal: SignalView) -> list[object]:
    """Sides in words; a level only where a price was broken."""
    return [
        *(
            signal.ts,
            signal.account,
            signal.strategy,
            signal.symbol,
            TREND_WORDS[signal.direction],
            signal.broken,
            signal.price,
        ),
        *(None if signal.known_trend is None else TREND_WORDS[signal.known_trend], signal.outcome, signal.reason),
    ]


def pnl(account: Account = None, day: Day = None, as_json: Json = False) -> None:
    """Result of a day, and of the open trades at their last marks."""
    with people() as opened:
        found = opened.queries.pnl(_selection(account, day, 1))
    if as_json:
        print_json(found)
        return
    closed, still_open = found.day, found.open
    print_facts(
        [
            ("Day", f"{plain(closed.day)}, account {found.account or 'all'}, {closed.trades} trades closed"),
            ("Gross", closed.gross),
            ("Commissions", closed.commissions),
            ("Net", closed.net),
            ("Open", f"{still_open.trades} trades, mid {plain(still_open.mid)}, natural {plain(still_open.natural)}"),
            ("Paid for open", still_open.commissions),
            ("Held over night", f"{plain(found.carried)} as the day began, net"),
            ("Day's total", found.total),
        ]
    )


def risk(account: Account = None, as_json: Json = False) -> None:
    """The breaker: day's P&L and its limit, drawdown from the peak, what has tripped."""
    with people() as opened:
        found = opened.queries.risk(account)
    if as_json:
        print_json(found)
        return
    print_facts(
        [
            ("Account", f"{plain(found.account)}, session {plain(found.day)}, judged at {plain(found.as_of)}"),
            ("Day's P&L", f"{plain(found.daily_pnl)}, trips at -{found.daily_loss_limit}"),
            ("May still lose", plain(found.remaining)),
            ("Equity", f"{plain(found.equity)}, at the start {plain(found.start_equity)}"),
            ("Peak", f"{plain(found.peak_equity)}, today {plain(found.intraday_peak)}"),
            ("Drawdown", f"{plain(found.drawdown_pct)} %, trips at {found.max_drawdown_pct} %"),
            ("Breaker", found.breaker_reason or "has not tripped"),
            ("Tripped", f"{plain(found.tripped_at)}, ends {plain(found.ends_at)}"),
        ]
    )


def account(account: Account = None, as_json: Json = False) -> None:
    """The traded account as the broker told it, or the one that is named."""
    with people() as opened:
        found = opened.queries.account(account)
    if as_json:
        print_json(found)
        return
    print_facts((field.name, getattr(found, field.name)) for field in fields(found))


def alerts(account: Account = None, day: Day = None, limit: Limit = 50, as_json: Json = False) -> None:
    """Messages to people and whether they went out, oldest first."""
    with people() as opened:
        found = opened.queries.alerts(_selection(account, day, limit))
    if as_json:
        print_json(found)
        return
    names = ("ts", "clock", "severity", "subject", "state", "attempts", "error")
    print_table("Alerts", names, ([getattr(alert, name) for name in names] for alert in found))
