"""*Desk*: the open trade between its stop and its target, the day's P&L against its limits, and why nothing happens."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard import accounts
from htbot.dashboard.parts import charts, gauges
from htbot.dashboard.parts.markup import (
    Column,
    Row,
    amount,
    badge,
    direction,
    empty,
    fact,
    facts,
    join,
    table,
    tag,
)
from htbot.dashboard.parts.numbers import duration, money, percent, price, whole, words
from htbot.dashboard.parts.trading import both_prices, contract, entry_price, leg_name, trade_link, trade_name
from htbot.domain.trades import less
from htbot.persistence.queries.shapes import DayMoney, OpenTradeView, PositionView, StrategyView, TradeView
from htbot.services.day_picture import DayStory
from htbot.services.risk_view import RiskView
from htbot.services.status_view import StatusView

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen


def build(screen: Screen) -> None:
    """The page."""
    ui.html("<h1>Desk</h1>", sanitize=False).classes("title")
    with ui.element("div").classes("grid desk"):
        screen.panel(open_trade, "card trade-card")
        screen.panel(day, "card day-card")
        screen.panel(market, "card market-card")
        with ui.element("section").classes("card equity-card").props('aria-label="P&L of the day"'):
            screen.panel(equity_head, "")
            charts.equity(screen)
        with ui.element("div").classes("stack"):
            screen.panel(positions, "card")
            screen.panel(events, "card")


def open_trade(screen: Screen) -> Markup:
    """The trade that is open longest and a row for each of the others, or that there is none."""
    status: StatusView | None = screen.value("status")
    head = tag("h2", "Open trade")
    if status is None:
        return join(head, empty("Not known yet."))
    trades: list[OpenTradeView] = accounts.only(screen, status.trades)
    if not trades:
        return join(head, empty("Flat: no trade is open.", _waits(screen, status)), _last_trade(screen))
    trade, *more = trades
    title = tag(
        "h2",
        trade_link(trade.id, trade_name(trade)),
        " ",
        badge(trade.state.lower()),
        tag("span", f" {trade.strategy}", cls="note"),
        accounts.label(screen, trade.account),
    )
    others = _others(screen, more)
    return join(title, gauges.trade(trade), _trade_facts(screen, trade), _legs(screen, trade), others)


_OTHERS = (
    Column("Also open", text=True),
    Column("P&L", number=True),
    Column("Mark", number=True),
    Column("Closes by"),
)


def _others(screen: Screen, trades: list[OpenTradeView]) -> Markup | None:
    """A row for each."""
    rows = [
        Row(
            (
                join(
                    trade_link(trade.id, trade_name(trade)),
                    None if trade.state == "open" else join(" ", badge(trade.state.lower())),
                    accounts.under(screen, trade.account),
                ),
                amount(trade.pnl_mid),
                price(trade.mark),
                "over night" if trade.exit_at is None else screen.look.clock(trade.exit_at, seconds=False),
            )
        )
        for trade in trades
    ]
    return table("Other open trades", _OTHERS, rows, empty("No other trade is open.")) if rows else None


def _trade_facts(screen: Screen, trade: OpenTradeView) -> Markup:
    look, at = screen.look, trade.exit_at
    closes = "held over night" if at is None else f"closes by {look.clock(at, seconds=False)}"
    sold = f"{whole(trade.closed)} of {whole(trade.quantity)}, before commissions"
    return facts(
        fact("P&L at mid", amount(trade.pnl_mid), f"natural {money(trade.pnl_natural, sign=True)}"),
        fact("Closed so far", amount(trade.realized), sold) if trade.closed else None,
        entry_price(trade),
        fact("Most it gained", amount(gauges.most_gained(trade))),
        fact("Most it can lose", money(trade.maximum_loss)),
        fact("Opened", (look.moment if at is None else look.clock)(trade.opened_at), closes),
        fact("Marked", look.clock(trade.marked_at)),
        _exits(trade),
    )


def _exits(trade: OpenTradeView) -> Markup | None:
    """What closes it before its time; stop and target only where there is no gauge, which needs both."""
    told = []
    if trade.target is None or trade.stop is None:
        told += [] if trade.target is None else [f"target {money(trade.target, sign=True)}"]
        told += [] if trade.stop is None else [f"stop {money(-abs(trade.stop))}"]
        told += (
            []
            if told or trade.turns_above is not None
            else ["by the strategy's word alone" if trade.exit_at is None else "by time alone"]
        )
    if trade.turns_above is not None:
        told.append(f"sold when its bids were above {price(trade.turns_above)} and turn")
    return fact("Exits", ", ".join(told), cls="broad") if told else None


_LEGS = (
    Column("Leg"),
    Column("Quantity", number=True),
    Column("Entry", number=True),
    Column("Mark", number=True),
)


def _legs(screen: Screen, trade: OpenTradeView) -> Markup:
    """What is held of each leg, what it was bought or sold for, and where it stands."""
    held: list[PositionView] = screen.value("positions") or []
    marks = {position.con_id: position.mark for position in held if position.account == trade.account}
    rows = [
        Row(
            (
                f"{leg.side.capitalize()} {leg_name(leg)}",
                whole(trade.held(leg)),
                price(leg.fill),
                price(marks.get(leg.con_id)),
            )
        )
        for leg in trade.legs
    ]
    return table("Legs of the trade", _LEGS, rows, empty("It has no legs yet."))


def _last_trade(screen: Screen) -> Markup | None:
    """The trade that was closed last."""
    trades: list[TradeView] = accounts.rows(screen, "trades")
    last = next((trade for trade in reversed(trades) if trade.closed_at is not None), None)
    if last is None or last.closed_at is None:
        return None
    return join(
        tag(
            "h2",
            "Last trade ",
            trade_link(last.id, trade_name(last)),
            accounts.label(screen, last.account),
            cls="between",
        ),
        facts(
            fact("Net P&L", amount(last.net_pnl), f"gross {money(last.gross_pnl, sign=True)}"),
            fact("Closed by", words(last.exit_reason or "")),
            both_prices(last),
            fact("Most it gained", amount(last.max_gain)),
            fact("Closed", screen.look.clock(last.closed_at), f"{last.closed_at:%Y-%m-%d}"),
            fact("Held for", duration(last.duration_s)),
        ),
    )


def _waits(screen: Screen, status: StatusView) -> str:
    """Why the strategies do nothing, in their own words."""
    found: list[StrategyView] = accounts.only(screen, status.strategies)
    return "; ".join(f"{view.name}: {view.why_not}" for view in found if view.why_not)


def day(screen: Screen) -> Markup:
    """What the day has earned at one instant; below it what the breaker has judged at its own."""
    money_of: DayMoney | None = accounts.of_chosen(screen, "day")
    risks: dict[str | None, RiskView] | None = screen.value("risk")
    if money_of is None or not risks:
        return join(tag("h2", "Day"), empty("Not known yet."))
    closed, still_open = money_of.closed, money_of.open
    risk = risks.get(accounts.chosen(screen))
    whose = "all accounts, " if accounts.several(screen) else ""
    return join(
        tag("h2", "Day ", tag("span", f"{whose}at {screen.look.clock(money_of.as_of)}", cls="note")),
        tag("p", amount(money_of.total), cls="big"),
        gauges.day(money_of.total, risk.daily_loss_limit) if risk else None,
        facts(
            fact("Closed, net", amount(closed.net), f"{whole(closed.trades)} trades"),
            fact("Open, at mid", amount(still_open.mid), f"{whole(still_open.trades)} open"),
            fact("Commissions", money(closed.commissions), "of closed trades"),
            fact("Paid for open", amount(less(Decimal(0), still_open.commissions)), "commissions so far")
            if still_open.trades
            else None,
            fact("Of days before", amount(-money_of.carried), "held over night") if money_of.carried else None,
        ),
        _breaker(screen, risk) if risk else _by_account(screen, risks) if accounts.several(screen) else None,
    )


def _breaker(screen: Screen, risk: RiskView) -> Markup:
    """What it has judged of one account."""
    return join(
        tag("h2", "Breaker ", tag("span", f"judged at {screen.look.clock(risk.as_of)}", cls="note"), cls="between"),
        facts(
            fact("May still lose", money(risk.remaining), "then it trips"),
            fact("Equity", money(risk.equity)),
            fact("Drawdown", percent(risk.drawdown_pct), f"limit {percent(risk.max_drawdown_pct)}"),
        ),
    )


_ACCOUNTS = (
    Column("Account"),
    Column("Day's P&L", number=True),
    Column("May still lose", number=True),
)


def _by_account(screen: Screen, risks: dict[str | None, RiskView]) -> Markup:
    """A row for each account: each has a day, an equity and a breaker of its own."""
    days: dict[str | None, DayMoney] = screen.value("day")
    rows = []
    for account in accounts.traded(screen):
        day_of, risk = days.get(account), risks.get(account)
        tripped = tag("span", badge("✗ tripped", "bad"), cls="under-name") if risk and risk.breaker_active else None
        equity = tag("span", f"equity {money(risk.equity if risk else None)}", cls="note under-name")
        rows.append(
            Row(
                (
                    join(account, equity, tripped),
                    amount(day_of.total if day_of else None),
                    join(
                        money(risk.remaining if risk else None),
                        tag("span", f"drawdown {percent(risk.drawdown_pct if risk else None)}", cls="note under-name"),
                    ),
                )
            )
        )
    return join(
        tag("h2", "Accounts ", tag("span", "each with a breaker of its own", cls="note"), cls="between"),
        table("Day of each account", _ACCOUNTS, rows, empty("Not known yet.")),
    )


def market(screen: Screen) -> Markup:
    """The underlying, its range, and what the strategy thinks of it."""
    picture, status = screen.value("picture"), screen.value("status")
    if picture is None or status is None:
        return join(tag("h2", "Market"), empty("Not known yet."))
    looks: list[StrategyView] = accounts.only(screen, status.strategies)
    view = next((one for one in looks if one.symbol == picture.symbol), None)
    spot = picture.spot if picture.spot is not None else (picture.today[-1].close if picture.today else None)
    return join(
        tag("h2", picture.symbol, " ", tag("span", f"{picture.minutes} min bars", cls="note")),
        tag("p", price(spot), cls="big"),
        gauges.span(picture.low, picture.high, spot),
        facts(
            fact("Day's high", price(picture.high)),
            fact("Day's low", price(picture.low)),
            fact("Trend", direction(view.trend if view else None)),
            fact("RSI's EMA", price((view.indicators or {}).get("rsi_ema") if view else None)),
        ),
        tag("p", tag("b", "Why not: "), view.why_not, cls="why-not") if view and view.why_not else None,
    )


def equity_head(screen: Screen) -> Markup:
    """The heading of the curve."""
    picture = screen.value("picture")
    told = "" if picture is None or picture.day is None else picture.day.isoformat()
    told += ", all accounts" if accounts.several(screen) else ""
    story: DayStory | None = accounts.of_chosen(screen, "story")
    told += ", nothing to draw yet" if story is not None and not story.equity else ""
    peak, fall = best_and_fall([point.pnl for point in story.equity] if story else [])
    return tag(
        "h2",
        "P&L of the day ",
        tag("span", told, cls="note"),
        tag("span", f"peak {money(peak, sign=True)}, largest fall {money(fall)}", cls="note at-end") if fall else None,
    )


def best_and_fall(curve: Sequence[Decimal | None]) -> tuple[Decimal, Decimal]:
    """The highest that a day's P&L was, and the most that it fell from a high before; it begins at zero (USD)."""
    high = fall = Decimal(0)
    for pnl in curve:
        if pnl is not None:
            high, fall = max(high, pnl), max(fall, max(high, pnl) - pnl)
    return high, fall


_POSITIONS = (
    Column("Contract"),
    Column("Position", number=True),
    Column("Average", number=True),
    Column("Mark", number=True),
    Column("P&L", number=True),
)


def positions(screen: Screen) -> Markup:
    """What is held, contract by contract."""
    held: list[PositionView] = accounts.only(screen, screen.value("positions") or [])
    rows = [Row(_position(screen, position)) for position in held]
    if len(held) > 1:
        total = [position.unrealized_pnl for position in held]
        known = None if any(value is None for value in total) else sum((v for v in total if v is not None), Decimal(0))
        rows.append(Row(("All", *[""] * (len(_POSITIONS) - 2), amount(known)), "total"))
    return join(tag("h2", "Positions"), table("Positions", _POSITIONS, rows, empty("Nothing is held.")))


def _position(screen: Screen, position: PositionView) -> tuple[object, ...]:
    side = "long" if position.quantity > 0 else "short"
    name = contract(position.symbol, None, position.strike, position.right)
    expiry = tag("span", f"expires {position.expiry}", cls="note under-name") if position.expiry else None
    return (
        join(name, expiry, accounts.under(screen, position.account)),
        join(tag("span", f"{side} ", cls="note"), whole(position.quantity, sign=True)),
        price(position.avg_price),
        price(position.mark),
        amount(position.unrealized_pnl),
    )


def events(screen: Screen) -> Markup:
    """The last things that people were told."""
    status: StatusView | None = screen.value("status")
    recent = list(reversed(status.recent)) if status else []
    items = [
        tag(
            "li",
            tag("time", screen.look.clock(event.ts) + ("" if event.clock == "market" else f" {event.clock}")),
            badge(event.severity.lower(), event.severity.lower()),
            tag(
                "span",
                event.subject.removeprefix("HTBot Alert: "),
                accounts.named(screen, event.account),
                tag("span", event.summary, cls="note") if event.summary else None,
            ),
        )
        for event in recent
    ]
    shown = tag("ol", items, cls="events") if items else empty("Nothing has happened yet.")
    return join(tag("h2", "Latest"), shown)
