"""*Trades*: from entry to exit, with what each earned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard import accounts
from htbot.dashboard.parts.markup import (
    Column,
    Row,
    amount,
    badge,
    direction,
    empty,
    fact,
    facts,
    filtered_title,
    join,
    moment,
    table,
    tag,
)
from htbot.dashboard.parts.numbers import duration, money, percent, price, whole, words
from htbot.dashboard.parts.trading import trade_link, trade_name
from htbot.persistence.queries.shapes import TradeView

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_COLUMNS = (
    Column("Opened"),
    Column("Trade", wide=True),
    Column("Direction"),
    Column("State"),
    Column("Entry price", number=True),
    Column("Exit price", number=True),
    Column("Held for", number=True, minor=True),
    Column("Most it gained", number=True),
    Column("Commissions", number=True, minor=True),
    Column("Net P&L", number=True),
)


def build(screen: Screen) -> None:
    """The page."""
    ui.html(str(filtered_title("Trades")), sanitize=False).classes("title")
    screen.panel(summary, "card")
    screen.panel(trades, "card")


def summary(screen: Screen) -> Markup:
    """What the trades that are shown have earned together."""
    found: list[TradeView] = accounts.rows(screen, "trades")
    closed = [trade for trade in found if trade.closed_at is not None]
    known = [trade.net_pnl for trade in closed if trade.net_pnl is not None]
    won = [pnl for pnl in known if pnl > 0]
    complete = len(known) == len(closed)
    return facts(
        fact("Closed trades", whole(len(closed)), f"of the newest {whole(len(found))}"),
        fact("Net P&L", amount(sum(known, start=known[0] * 0) if known and complete else None)),
        fact("Won", percent(100 * len(won) / len(known), 0) if known else price(None), f"{len(won)} of {len(known)}"),
        fact("Best", amount(max(known, default=None))),
        fact("Worst", amount(min(known, default=None))),
    )


def trades(screen: Screen) -> Markup:
    """The newest first; each name leads to the ten steps."""
    found: list[TradeView] = accounts.rows(screen, "trades")
    rows = [Row(accounts.cells(screen, trade.account, _trade(screen, trade))) for trade in reversed(found)]
    nothing = empty("There was no trade yet.", "A trade stands here from its first fill on.")
    return join(tag("h2", "Trades"), table("Trades", accounts.columns(screen, _COLUMNS), rows, nothing, sortable=True))


def _trade(screen: Screen, trade: TradeView) -> tuple[object, ...]:
    so_far = tag("span", "so far", cls="note under-name") if trade.closed_at is None and trade.closed else None
    ended = tag("span", words(trade.exit_reason), cls="note under-name") if trade.exit_reason else None
    return (
        moment(screen.look.clock(trade.opened_at), screen.look.day(trade.opened_at)),
        join(trade_link(trade.id, trade_name(trade)), tag("span", trade.strategy, cls="note under-name")),
        direction(trade.direction),
        join(badge(trade.state.lower(), "accent" if trade.closed_at is None else ""), ended),
        price(trade.entry_price),
        price(trade.exit_price),
        duration(trade.duration_s),
        amount(trade.max_gain),
        money(trade.commissions),
        join(amount(trade.net_pnl), so_far),
    )
