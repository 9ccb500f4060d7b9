"""*Strategies*: what trades, what is watched, with what settings; add, edit, enable, let trade, disable, remove."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from markupsafe import Markup
from nicegui import ui
from nicegui.elements.html import Html

from htbot.dashboard.controls import Question, ask, button, dialog, said
from htbot.dashboard.parts.markup import amount, badge, direction, empty, fact, facts, join, tag
from htbot.dashboard.parts.numbers import price, whole, words
from htbot.dashboard.parts.settings_form import SettingsForm
from htbot.dashboard.parts.trading import trade_link, trade_name
from htbot.persistence.queries.shapes import OpenTradeView
from htbot.persistence.records import OBSERVE, TRADE
from htbot.services.status_view import StatusView
from htbot.services.strategies import NewStrategy
from htbot.services.strategy_reads import InstanceView, StrategyStats, TypeView
from htbot.services.tokens import Role

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

TRADE_WORD = "TRADE"
MEANS = {
    OBSERVE: "observes: its signals are recorded and shown, nothing is sent",
    TRADE: "trades: its entries pass the risk gate and are sent",
}


async def build(screen: Screen) -> None:
    """The page."""
    types: Sequence[TypeView] = await screen.ask(screen.dashboard.people.strategy_reads.types) or ()
    with ui.element("div").classes("title with-button"):
        ui.html("<h1>Strategies</h1>", sanitize=False)
        if screen.may(Role.OPERATOR) and types:
            button("Add a strategy", partial(_ask_add, screen, types), "primary")
    screen.panel(traded, "card")
    ui.html(
        str(
            tag("h2", "Instances ", tag("span", "strategies on shares, funds and options, added by people", cls="note"))
        ),
        sanitize=False,
    )
    _instances(screen, types)


def traded(screen: Screen) -> Markup:
    """The strategy that trades; its settings stand in `.env`."""
    status: StatusView | None = screen.value("status")
    head = tag("h2", "Traded ", tag("span", "settings in .env, read at the start", cls="note"))
    views = status.strategies if status else []
    if not views:
        return join(head, empty("No strategy has looked at the market yet."))
    parts = [
        tag(
            "article",
            tag("h3", view.name, " ", badge(view.symbol)),
            facts(
                fact("Trend", direction(view.trend)),
                fact("High", price(view.high)),
                fact("Low", price(view.low)),
                fact("Last look", screen.look.clock(view.as_of)),
                *_counted(screen, view.name),
            ),
            _holds(screen, view.name),
            tag("p", tag("b", "Why not: "), view.why_not, cls="why-not") if view.why_not else None,
        )
        for view in views
    ]
    return join(head, parts)


def _holds(screen: Screen, name: str) -> Markup | None:
    """What a strategy holds, or is about to, with the way to its trade."""
    trades: list[OpenTradeView] = [one for one in screen.value("open_trades") or [] if one.strategy == name]
    held = [
        join(trade_link(one.id, trade_name(one)), " ", badge(one.state.lower(), "accent"), " ", amount(one.pnl_mid))
        for one in trades
    ]
    return tag("p", tag("b", "Holds: "), [join(one, " ") for one in held], cls="why-not holds") if held else None


def _counted(screen: Screen, name: str) -> list[Markup]:
    """Signals and trades of a strategy since the record began."""
    stats: list[StrategyStats] = screen.value("strategy_stats") or []
    found = next((one for one in stats if one.strategy == name), None)
    if found is None:
        return []
    return [
        fact(
            "Signals",
            whole(found.signals.enter + found.signals.leave),
            f"{whole(found.signals.accepted)} accepted",
        ),
        fact("Trades", whole(found.trades.closed), "closed"),
    ]


def _instances(screen: Screen, types: Sequence[TypeView]) -> None:
    """A card for each instance: its words change as they come, its buttons when it was changed."""
    box = ui.element("div").classes("grid instances")
    shown: list[tuple[str, str, bool, str]] | None = None
    words_of: dict[str, tuple[Html, str]] = {}

    def follow() -> None:
        nonlocal shown
        found: list[InstanceView] = screen.value("instances") or []
        present = [(one.name, one.config_hash, one.enabled, one.mode) for one in found]
        if present != shown:
            shown = present
            box.clear()
            with box:
                words_of.update({one.name: _card(screen, types, one) for one in found})
                if not found:
                    ui.html(
                        str(
                            empty(
                                "There is no instance.",
                                "Add one to see what it would do: it only observes until you let it trade.",
                            )
                        ),
                        sanitize=False,
                    )
        for one in found:
            element, before = words_of[one.name]
            drawn = str(instance(screen, one))
            if drawn != before:
                element.set_content(drawn)
                words_of[one.name] = (element, drawn)

    follow()
    screen.follow(follow)


def _card(screen: Screen, types: Sequence[TypeView], one: InstanceView) -> tuple[Html, str]:
    with ui.element("article").classes("card span-6"):
        drawn = str(instance(screen, one))
        element = ui.html(drawn, sanitize=False)
        if screen.may(Role.OPERATOR):
            with ui.element("div").classes("choices start"):
                switch = "Disable" if one.enabled else "Enable"
                button(switch, partial(_switch, screen, one), "small" if one.enabled else "small primary")
                if one.mode == TRADE:
                    button("Only observe", partial(_ask_mode, screen, one, OBSERVE), "small")
                else:
                    button("Let it trade", partial(_ask_mode, screen, one, TRADE), "small halt-button")
                button("Edit", partial(_ask_edit, screen, types, one), "small")
                button("Remove", partial(_ask_remove, screen, one), "small danger")
    return element, drawn


def _setting(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def instance(screen: Screen, one: InstanceView) -> Markup:
    """One instance and what it said last."""
    state = badge("● enabled", "good") if one.enabled else badge("○ disabled")
    settings = [tag("div", tag("dt", words(name)), tag("dd", _setting(value))) for name, value in one.settings.items()]
    said_last = one.why_not or ("a signal" if one.as_of else "it was not looked at yet")
    return join(
        tag("h3", one.name, " ", state, " ", badge(one.mode, "warn" if one.mode == TRADE else "accent")),
        tag("p", MEANS[one.mode].capitalize(), cls="note"),
        facts(
            fact("Type", words(one.type)),
            fact("Symbol", one.symbol, f"{one.minutes} min bars"),
            *([] if one.account is None else [fact("Account", one.account)]),
            fact("Last look", screen.look.clock(one.as_of)),
        ),
        tag("dl", settings, cls="settings") if settings else tag("p", "All settings are the defaults.", cls="note"),
        _holds(screen, one.name),
        tag("p", tag("b", "Said last: "), said_last, cls="why-not"),
    )


# --- acts -----------------------------------------------------------------------------------------------------------


async def _switch(screen: Screen, one: InstanceView) -> None:
    strategies = screen.dashboard.people.strategies
    done = await screen.act(
        Role.OPERATOR, lambda caller: strategies.switch(one.name, caller, enabled=not one.enabled), str(uuid4())
    )
    if done is not None:
        screen.tell(f"{one.name} is {'enabled' if done.enabled else 'disabled'}.", good=True)


def mode_question(one: InstanceView, mode: str, status: StatusView | None) -> Question:
    """What is asked before an instance trades, or trades no more."""
    anew = "It begins anew with the next evaluation: what it would have held is forgotten."
    if mode == OBSERVE:
        only = f"{one.name} then only {MEANS[OBSERVE]}."
        return Question(f"Let {one.name} only observe", (only, anew), "Only observe")
    where = "It is not known whose money that is." if status is None else _WHERE[status.mode == "live"]
    now = "It is enabled: that counts at once." if one.enabled else "It is disabled: that counts once it is enabled."
    told = (f"{one.name} then {MEANS[TRADE]}, on {one.symbol}. {where}", now, anew)
    return Question(f"Let {one.name} trade", told, "Let it trade", "danger", TRADE_WORD)


_WHERE = {True: "This desk trades real money.", False: "This desk trades a paper account."}


def _ask_mode(screen: Screen, one: InstanceView, mode: str) -> None:
    key, strategies = str(uuid4()), screen.dashboard.people.strategies

    async def change() -> None:
        done = await screen.act(Role.OPERATOR, lambda caller: strategies.set_mode(one.name, mode, caller), key)
        if done is not None:
            screen.tell(f"{one.name} now {MEANS[done.mode]}.", good=True)

    ask(mode_question(one, mode, screen.value("status")), change)


def _ask_remove(screen: Screen, one: InstanceView) -> None:
    key, strategies = str(uuid4()), screen.dashboard.people.strategies

    async def remove() -> None:
        if await screen.act(Role.OPERATOR, lambda caller: strategies.remove(one.name, caller), key) is not None:
            screen.tell(f"{one.name} was removed.", good=True)

    told = "It is forgotten; its signals and what it said stay in the record."
    ask(Question(f"Remove {one.name}", (told,), "Remove", "danger"), remove)


def _ask_edit(screen: Screen, types: Sequence[TypeView], one: InstanceView) -> None:
    key = str(uuid4())
    kind = next((found for found in types if found.name == one.type), None)
    with dialog(f"Edit {one.name}", broad=True) as opened:
        if kind is None:
            said(f"The type {one.type} is gone: its file was removed from the folders of strategies.")
            button("Close", opened.close)
            return
        said("A change begins it anew: what it would have held is forgotten.")
        form = SettingsForm(kind.settings, one.settings)
        form.show()

        async def save() -> None:
            if not form.fits():
                return
            strategies = screen.dashboard.people.strategies
            given, unset = form.given(), form.unset()
            done = await screen.act(
                Role.OPERATOR, lambda caller: strategies.change(one.name, given, caller, unset), key
            )
            if done is not None:
                opened.close()
                screen.tell(f"{one.name} was changed.", good=True)

        _save_row(opened, "Save", save)


def _ask_add(screen: Screen, types: Sequence[TypeView]) -> None:
    key = str(uuid4())
    by_name = {one.name: one for one in types}
    with dialog("Add a strategy", broad=True) as opened:
        kind = ui.select({name: words(name) for name in by_name}, value=types[0].name, label="Type").props("outlined")
        about = ui.html("", sanitize=False)
        name = ui.input("Name", validation={"give it a name": lambda text: bool(text.strip())})
        name.props('outlined hint="letters, digits, _ . and -"').without_auto_validation()
        symbol = ui.input("Symbol", validation={"as IB writes it": lambda text: bool(text.strip())})
        symbol.props('outlined hint="a share or an index, as SPY"').without_auto_validation()
        account = ui.input("Account").props('outlined hint="empty: the main one"')
        box = ui.element("div")
        form = SettingsForm(())

        def choose() -> None:
            nonlocal form
            chosen = by_name[str(kind.value)]
            about.set_content(str(tag("p", chosen.description.partition("\n")[0], cls="note")))
            box.clear()
            with box:
                form = SettingsForm(chosen.settings)
                form.show()

        choose()
        kind.on_value_change(choose)

        async def add() -> None:
            if not all([name.validate(), symbol.validate(), form.fits()]):
                return
            named = (str(name.value).strip(), str(kind.value), str(symbol.value))
            asked = NewStrategy(*named, form.given(), account=str(account.value or "").strip() or None)
            strategies = screen.dashboard.people.strategies
            done = await screen.act(Role.OPERATOR, lambda caller: strategies.add(asked, caller), key)
            if done is not None:
                opened.close()
                screen.tell(f"{done.name} was added and observes; enable it to have it watched.", good=True)

        _save_row(opened, "Add", add)


def _save_row(opened: ui.dialog, word: str, save: Any) -> None:
    with ui.element("div").classes("choices"):
        button("Cancel", opened.close)
        button(word, save, "primary strong")
