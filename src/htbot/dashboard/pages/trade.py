"""One trade and why: the ten steps from tick to alert, each with the values that were stored when it happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard import accounts
from htbot.dashboard.parts.markup import Column, Row, amount, badge, empty, fact, facts, join, table, tag
from htbot.dashboard.parts.numbers import duration, money, price, whole, words
from htbot.dashboard.parts.rules import gate
from htbot.dashboard.parts.trading import both_prices, contract, trade_name
from htbot.dashboard.session import PATH
from htbot.persistence.queries.shapes import TradeView
from htbot.persistence.queries.why import Step, WhyView

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_NAMES = {"pnl": "P&L"}
_LEGS = (
    Column("Leg"),
    Column("Contract"),
    Column("Quantity", number=True),
    Column("Entry", number=True),
    Column("Exit", number=True),
)


async def build(screen: Screen) -> None:
    """The page."""
    trade_id = screen.parameters.get("trade_id", "")
    queries = screen.dashboard.people.queries
    why: WhyView | None = await screen.ask(queries.why, trade_id)
    found: TradeView | None = None if why is None else await screen.ask(queries.trade, trade_id)
    title = trade_id if found is None else trade_name(found)
    back = tag("p", tag("a", "Trades", href=f"{PATH}/trades"), cls="note")
    ui.html(str(join(back, tag("h1", title))), sanitize=False).classes("title")
    if found is not None:
        screen.panel(lambda screen: result(screen, newest(screen, found)), "card")
    steps = empty("There is no such trade.") if why is None else ten_steps(screen, why)
    ui.html(str(steps), sanitize=False).classes("card")


def newest(screen: Screen, trade: TradeView) -> TradeView:
    """The trade as it is now: by the list that is read again and again, which old ones have left."""
    lists: Mapping[str | None, list[TradeView]] = screen.value("trades") or {}
    return next((one for found in lists.values() for one in found if one.id == trade.id), trade)


def result(screen: Screen, trade: TradeView) -> Markup:
    """What came of it."""
    look = screen.look
    rows = [
        Row(
            (
                leg.side.capitalize(),
                contract(leg.symbol, leg.expiry, leg.strike, leg.right),
                leg.quantity,
                price(leg.fill),
                price(leg.exit_fill),
            )
        )
        for leg in trade.legs
    ]
    return join(
        facts(
            _earned(trade),
            both_prices(trade),
            *_ending(screen, trade),
            fact("Most it gained", amount(trade.max_gain)),
            fact("Opened", look.moment(trade.opened_at)),
            fact("Commissions", money(trade.commissions)),
            fact("Strategy", trade.strategy),
            *((fact("Account", trade.account),) if len(accounts.traded(screen)) > 1 else ()),
            fact("Settings", trade.config_hash, "hash of what it traded by"),
        ),
        table("Legs", _LEGS, rows, empty("It has no legs.")),
    )


def _earned(trade: TradeView) -> Markup:
    """What it has earned, or what is closed of it has so far."""
    so_far = " so far" if trade.closed_at is None and trade.closed else ""
    return fact(f"Net P&L{so_far}", amount(trade.net_pnl), f"gross {money(trade.gross_pnl, sign=True)}")


def _ending(screen: Screen, trade: TradeView) -> tuple[Markup, ...]:
    """How and when it ended, or what is still held of it."""
    if trade.closed_at is None:
        held = f"{whole(trade.quantity - trade.closed)} of {whole(trade.quantity)}"
        return fact("State", badge(trade.state.lower(), "accent")), fact("Held", held)
    return (
        fact("Closed by", words(trade.exit_reason or "")),
        fact("Closed", screen.look.moment(trade.closed_at), f"after {duration(trade.duration_s)}"),
    )


def ten_steps(screen: Screen, why: WhyView) -> Markup:
    """Each step with its time, its sentence, and its values to open."""
    steps = [_step(screen, number, step) for number, step in enumerate(why.steps, 1)]
    return join(tag("h2", "Why, in ten steps"), tag("ol", steps, cls="steps"))


def _step(screen: Screen, number: int, step: Step) -> Markup:
    head = (
        tag("span", number, cls="number", aria_hidden="true"),
        tag("b", _NAMES.get(step.step, step.step.capitalize())),
        tag("time", screen.look.clock(step.at)),
        tag("span", step.summary, cls="summary"),
    )
    if not step.values:
        return tag("li", tag("div", *head, cls="head"))
    return tag("li", tag("details", tag("summary", *head, cls="head"), _values(step)))


def _values(step: Step) -> Markup:
    """A decision is shown as its gate; anything else as it was stored."""
    if step.step == "decision":
        return gate(step.values.values())
    return tag("pre", json.dumps(_readable(step.values), indent=2, ensure_ascii=False), tabindex="0")


def _readable(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", {}, [])}
