"""*Orders & fills*: what was sent to the broker, step by step of its ladder, and each execution."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard import accounts
from htbot.dashboard.controls import button, dialog, said
from htbot.dashboard.parts.markup import Column, Row, badge, empty, filtered_title, join, moment, table, tag
from htbot.dashboard.parts.numbers import UNKNOWN, money, price, whole
from htbot.dashboard.parts.trading import contract, kind_of, leg_series, legs_in_words, trade_link
from htbot.domain.orders import OrderState, PriceStyle
from htbot.persistence.queries.ladders import LadderStep
from htbot.persistence.queries.shapes import FillView, OrderView
from htbot.services.tokens import Role

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

WORKING = frozenset({OrderState.SENDING, OrderState.SUBMITTED, OrderState.PARTIAL, OrderState.PENDING_CANCEL})
_ORDERS = (
    Column("Sent"),
    Column("Strategy"),
    Column("Purpose"),
    Column("State"),
    Column("Legs", wide=True),
    Column("Quantity", number=True),
    Column("Ladder", number=True, text=True),
    Column("Average", number=True),
    Column("Filled", number=True),
    Column("Trade"),
)
_FILLS = (
    Column("Time"),
    Column("Strategy"),
    Column("Side"),
    Column("Contract"),
    Column("Quantity", number=True),
    Column("Price", number=True),
    Column("Commission", number=True),
    Column("Quote", minor=True),
    Column("Trade"),
)


def build(screen: Screen) -> None:
    """The page."""
    ui.html(str(filtered_title("Orders & fills")), sanitize=False).classes("title")
    with ui.element("section").classes("card").props('aria-label="Orders"'):
        screen.panel(orders)
        if screen.may(Role.OPERATOR):
            _cancel_buttons(screen)
    screen.panel(fills, "card")


def orders(screen: Screen) -> Markup:
    """Orders at the broker, the newest first. Limits are per unit, signed as IB's: negative receives."""
    found: list[OrderView] = accounts.rows(screen, "orders")
    steps: dict[str, list[LadderStep]] = screen.value("ladders") or {}
    rows = [_order(screen, order, steps.get(order.ref, ())) for order in reversed(found)]
    head = tag("h2", "Orders ", tag("span", "limits per unit, negative receives", cls="note"))
    return join(
        head, table("Orders", accounts.columns(screen, _ORDERS), rows, empty("No order was sent yet."), sortable=True)
    )


def _order(screen: Screen, order: OrderView, steps: Sequence[LadderStep]) -> Row:
    limits = [price(step.limit) for step in steps] or [price(order.limit)]
    if order.style == PriceStyle.MARKET:
        limits = ["at the market"]
    last = tag("b", limits[-1])
    state = join(badge(order.status.lower().replace("_", " "), tone(order.status)), _error(order))
    cells = (
        moment(screen.look.clock(order.submitted_at), screen.look.day(order.submitted_at)),
        order.strategy,
        kind_of(order),
        state,
        join(tag("span", leg_series(order.legs), cls="note over-name"), legs_in_words(order.legs)),
        f"{order.action.capitalize()} {order.quantity}",
        join(*(f"{limit} → " for limit in limits[:-1]), last),
        price(order.avg_price),
        f"{whole(order.filled)} of {whole(order.quantity)}",
        trade_link(order.trade_id, "why"),
    )
    return Row(accounts.cells(screen, order.account, cells), "" if is_working(order) else "settled")


def _error(order: OrderView) -> Markup | None:
    return tag("span", f" {order.error}", cls="note loss") if order.error else None


def tone(status: str) -> str:
    """The class of an order's state."""
    if status == OrderState.FILLED:
        return "good"
    if status in {OrderState.REJECTED, OrderState.UNKNOWN}:
        return "bad"
    return "accent" if status in WORKING else ""


def is_working(order: OrderView) -> bool:
    """Whether the broker may still fill it."""
    return order.status in WORKING


def fills(screen: Screen) -> Markup:
    """Executions of single legs, the newest first."""
    found: list[FillView] = accounts.rows(screen, "fills")
    orders = {order.ref: order for order in accounts.rows(screen, "orders")}
    rows = [
        Row(accounts.cells(screen, fill.account, _fill(screen, fill, orders.get(fill.ref)))) for fill in reversed(found)
    ]
    nothing = empty("Nothing was filled yet.")
    return join(tag("h2", "Fills"), table("Fills", accounts.columns(screen, _FILLS), rows, nothing, sortable=True))


def _fill(screen: Screen, fill: FillView, order: OrderView | None) -> tuple[object, ...]:
    return (
        moment(screen.look.clock(fill.ts), screen.look.day(fill.ts)),
        order.strategy if order else UNKNOWN,
        badge(fill.side, "long" if fill.side == "BUY" else "short"),
        contract(fill.symbol, fill.expiry, fill.strike, fill.right),
        whole(fill.quantity),
        price(fill.price),
        money(fill.commission),
        "modelled" if fill.modelled else "recorded",
        trade_link(order.trade_id, "why") if order else UNKNOWN,
    )


def _cancel_buttons(screen: Screen) -> None:
    """A button for each working order; an exit has one too, and the desk sends the next exit by itself."""
    box = ui.element("div").classes("choices start")
    shown: list[str] = []

    def follow() -> None:
        found: list[OrderView] = accounts.rows(screen, "orders")
        refs = [order.ref for order in found if is_working(order)]
        if refs == shown:
            return
        shown[:] = refs
        box.clear()
        with box:
            for ref in refs:
                button(f"Cancel {ref.rpartition('-')[2]}", partial(_ask_cancel, screen, ref), "small", f"Cancel {ref}")

    follow()
    screen.follow(follow)


def _ask_cancel(screen: Screen, ref: str) -> None:
    key = str(uuid4())
    with dialog("Cancel order") as opened:
        said(f"The broker is asked to cancel {ref}.")

        async def cancel() -> None:
            opened.close()
            commands = screen.dashboard.people.commands
            if await screen.act(Role.OPERATOR, lambda caller: commands.cancel(ref, caller), key) is not None:
                screen.tell(f"The cancel of {ref} was ordered.", good=True)

        with ui.element("div").classes("choices"):
            button("Keep it", opened.close)
            button("Cancel the order", cancel, "danger strong")
