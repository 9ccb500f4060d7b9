"""*Risk*: the breaker, what halts, and every rule of the gate with its limit and its value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from markupsafe import Markup
from nicegui import ui

from htbot.dashboard import accounts
from htbot.dashboard.controls import button, dialog, said, tell_answer
from htbot.dashboard.parts import gauges
from htbot.dashboard.parts.markup import Column, Row, amount, badge, empty, fact, facts, join, table, tag
from htbot.dashboard.parts.numbers import UNKNOWN, money, percent, words
from htbot.services.risk_rules import RuleView
from htbot.services.risk_view import RiskView
from htbot.services.status_view import StatusView
from htbot.services.tokens import Role

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_HALTS = (Column("Kind"), Column("Account"), Column("By"), Column("Since"), Column("Reason", wide=True))
_RULES = (
    Column("Rule", wide=True),
    Column("Now", text=True),
    Column("Limit", text=True),
    Column("Value", text=True),
    Column("As of", number=True),
)
_SOURCE = re.compile(r"\s*\((?:RULINGS|FAULTS|spec|ARCHITECTURE)[^)]*\)")


def build(screen: Screen) -> None:
    """The page."""
    ui.html("<h1>Risk</h1>", sanitize=False).classes("title")
    with ui.element("div").classes("grid"):
        with ui.element("section").classes("card span-7").props('aria-label="Breaker"'):
            screen.panel(breaker)
            if screen.may(Role.ADMIN):
                _reset_button(screen)
        screen.panel(halts, "card span-5")
        screen.panel(rules, "card")


def breaker(screen: Screen) -> Markup:
    """What stops a bad day, and how far it is from it."""
    risks: dict[str | None, RiskView] = screen.value("risk") or {}
    return join([_breaker(screen, account, risks.get(account)) for account in accounts.looked_at(screen)])


def _breaker(screen: Screen, account: str | None, risk: RiskView | None) -> Markup:
    whose = accounts.label(screen, account or "")
    if risk is None:
        return join(tag("h2", "Breaker", whose), empty("Not known yet."))
    state = badge("✗ tripped", "bad") if risk.breaker_active else badge("✓ armed", "good")
    fallen = float(risk.drawdown_pct) if risk.drawdown_pct is not None else None
    drawdown = f"drawdown {percent(risk.drawdown_pct)} of at most {percent(risk.max_drawdown_pct)}"
    told = tag("p", risk.breaker_reason, cls="trouble stale") if risk.breaker_reason else None
    return join(
        tag("h2", "Breaker ", state, whose, cls="between" if whose else None),
        told,
        tag("p", amount(risk.daily_pnl), cls="big"),
        gauges.day(risk.daily_pnl, risk.daily_loss_limit),
        facts(
            fact("May still lose today", money(risk.remaining)),
            fact("Loss limit of a day", money(risk.daily_loss_limit)),
            fact("Drawdown", percent(risk.drawdown_pct), f"limit {percent(risk.max_drawdown_pct)}"),
            fact("Equity", money(risk.equity), f"began with {money(risk.start_equity)}"),
            fact("Peak", money(risk.peak_equity), f"of the day {money(risk.intraday_peak)}"),
            fact("Judged", screen.look.clock(risk.as_of)),
        ),
        tag("div", gauges.level(fallen, risk.max_drawdown_pct, drawdown), cls="under"),
    )


def halts(screen: Screen) -> Markup:
    """Every reason in force why nothing is entered."""
    status: StatusView | None = screen.value("status")
    now = accounts.chosen(screen)
    found = [halt for halt in (status.halt if status else None) or [] if now is None or halt.account in {None, now}]
    rows = [
        Row(
            (
                badge(halt.kind, "warn"),
                halt.account or "all",
                halt.set_by or halt.source,
                screen.look.clock(halt.since),
                halt.reason or "no reason given",
            )
        )
        for halt in found
    ]
    nothing = empty("Nothing halts.", "Entries leave when every rule below lets them.")
    return join(tag("h2", "Halts"), table("Halts", _HALTS, rows, nothing))


def rules(screen: Screen) -> Markup:
    """The gate as it stands: now where it can be said without a spread, else as the last decision said."""
    found: dict[str | None, list[RuleView]] = screen.value("rules") or {}
    shown = [(account, found[account]) for account in accounts.looked_at(screen) if account in found]
    same = list(zip(*(of_one for _, of_one in shown), strict=True))  # a rule as each account meets it
    refusing = sum(1 for every in same if any(rule.passed is False for rule in every))
    note = f"{len(same)} rules, {refusing} would refuse" if same else ""
    rows = [row for every in same for row in _rows(screen, [account or "" for account, _ in shown], every)]
    head = tag("h2", "Rules of the gate ", tag("span", note, cls="note"))
    return join(head, table("Rules of the gate", accounts.columns(screen, _RULES), rows, empty("Not known yet.")))


def _rows(screen: Screen, whose: Sequence[str], every: Sequence[RuleView]) -> Iterator[Row]:
    """A rule as each account meets it; those that meet it alike share a row, and the name stands once."""
    alike: dict[RuleView, list[str]] = {}
    newest: dict[RuleView, RuleView] = {}
    for account, rule in zip(whose, every, strict=True):
        said = replace(rule, as_of=None)
        alike.setdefault(said, []).append(account)
        newest.setdefault(said, rule)
    for number, (said, those) in enumerate(alike.items()):
        cells = _rule(screen, newest[said])
        told = cells if number == 0 else (tag("span", words(said.rule), cls="note"), *cells[1:])
        yield Row(accounts.cells(screen, "all" if len(alike) == 1 else ", ".join(those), told))


def _rule(screen: Screen, rule: RuleView) -> tuple[object, ...]:
    known = {True: badge("✓ passes", "good"), False: badge("✗ refuses", "bad"), None: badge("not asked yet")}
    reason = tag("span", f" {rule.reason}", cls="note") if rule.reason else None
    when = {"now": "now", "decision": screen.look.clock(rule.as_of)}.get(rule.source, UNKNOWN)
    return (
        join(tag("b", words(rule.rule)), tag("span", f" {_SOURCE.sub('', rule.description)}", cls="note")),
        join(known[rule.passed], reason),
        rule.limit or UNKNOWN,
        rule.value or UNKNOWN,
        when,
    )


def _reset_button(screen: Screen) -> None:
    """Lifts a trip: role admin, and the PIN (RULINGS 14)."""
    one = button("Reset the breaker", lambda: _ask_reset(screen), "danger small under")

    def follow() -> None:
        risks: dict[str | None, RiskView] = screen.value("risk") or {}
        one.set_visibility(any(risk.breaker_active for risk in risks.values()))

    follow()
    screen.follow(follow)


def _ask_reset(screen: Screen) -> None:
    key = str(uuid4())
    with dialog("Reset the breaker") as opened:
        said("The day and the equity are judged anew from where they stand now. Halts of people stay.")
        pin = ui.input("PIN", password=True).props('outlined autofocus autocomplete="off" maxlength=64')

        async def reset() -> None:
            opened.close()
            commands, told = screen.dashboard.people.commands, str(pin.value or "") or None
            answer = await screen.act(Role.ADMIN, lambda caller: commands.reset_breaker(caller, told), key)
            tell_answer(screen, answer, "The breaker is armed again.")

        pin.on("keydown.enter", reset)
        with ui.element("div").classes("choices"):
            button("Cancel", opened.close)
            button("Reset", reset, "danger strong")
