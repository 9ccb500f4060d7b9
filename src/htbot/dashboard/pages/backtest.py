"""*Backtest*: a strategy over files or the synthetic market, in a process of its own, with its report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from markupsafe import Markup
from nicegui import ui

from htbot.bootstrap.backtest_job import BacktestOrder
from htbot.bootstrap.backtest_jobs import JobView
from htbot.bootstrap.catalogue import strategies
from htbot.dashboard.controls import button
from htbot.dashboard.parts.gauges import progress
from htbot.dashboard.parts.markup import Column, Row, badge, empty, join, table, tag
from htbot.dashboard.parts.numbers import UNKNOWN, percent, words
from htbot.dashboard.parts.settings_form import SettingsForm
from htbot.dashboard.session import PATH
from htbot.services.tokens import Role
from htbot.strategies.registry import Entry, schema

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_COLUMNS = (
    Column("Started, host time"),
    Column("Strategy", wide=True),
    Column("Over"),
    Column("State"),
    Column("Progress"),
    Column("Net profit", number=True),
    Column("By", minor=True),
)
TONES = {"done": "good", "failed": "bad", "running": "accent"}


async def build(screen: Screen) -> None:
    """The page."""
    ui.html("<h1>Backtest</h1>", sanitize=False).classes("title")
    if screen.may(Role.OPERATOR):
        catalogue = await screen.ask(strategies) or {}
        files = await screen.ask(screen.dashboard.people.backtests.files) or []
        with ui.element("section").classes("card").props('aria-label="New backtest"'):
            _Form(screen, catalogue, files).show()
    screen.panel(jobs, "card")


def jobs(screen: Screen) -> Markup:
    """What was run, the newest first."""
    found: list[JobView] = screen.value("backtests") or []
    rows = [Row(_job(screen, job)) for job in found]
    return join(tag("h2", "Runs"), table("Backtests", _COLUMNS, rows, empty("No backtest was run here yet.")))


def _job(screen: Screen, job: JobView) -> tuple[object, ...]:
    summary = dict(job.summary)
    done = join(progress(job.share), tag("span", percent(100 * job.share, 0)))
    return (
        tag("time", screen.look.moment(job.at)),
        tag("a", f"{words(job.order.strategy)} on {job.order.symbol}", href=f"{PATH}/backtest/{job.id}"),
        over(job.order),
        join(
            badge(job.state, TONES.get(job.state, "")), tag("span", f" {job.error}", cls="note") if job.error else None
        ),
        done,
        summary.get("net profit", UNKNOWN).partition(", ")[0] if job.state == "done" else UNKNOWN,
        job.by.partition(":")[2],
    )


def over(order: BacktestOrder) -> str:
    """The market and the days."""
    files = ", ".join(path.rpartition("/")[2] for path in order.data) or "synthetic market"
    days = f"{order.start or 'begin'} to {order.end or 'end'}" if order.start or order.end else "all days"
    return f"{files}, {days}"


class _Form:
    """The order of a new backtest."""

    def __init__(self, screen: Screen, catalogue: Mapping[str, Entry], files: list[str]) -> None:
        self._screen = screen
        self._catalogue = catalogue
        self._files = files
        self._key = str(uuid4())
        self._settings = SettingsForm(())

    def show(self) -> None:
        """Put it on the page."""
        plain = {name: entry.plain for name, entry in sorted(self._catalogue.items())}
        options = {name: f"{words(name)} ({'plain' if flat else 'options'})" for name, flat in plain.items()}
        first = next((name for name, flat in plain.items() if not flat), next(iter(options), None))
        with ui.element("div").classes("fields"):
            self._strategy = ui.select(options, value=first, label="Strategy").props("outlined dense")
            self._symbol = ui.input("Symbol", value="SPX", validation=_needed).props("outlined dense")
            self._data = ui.select(self._files, multiple=True, label="Files", value=[]).props(
                "outlined dense use-chips"
            )
            self._data.props('hint="none: synthetic market"')
            self._start = ui.input("First day", validation=_is_day).props(
                'outlined dense hint="YYYY-MM-DD; none: from the first"'
            )
            self._end = ui.input("Last day", validation=_is_day).props(
                'outlined dense hint="YYYY-MM-DD; none: to the last"'
            )
            self._cash = ui.input("Cash, USD", value="100000", validation=_is_money).props("outlined dense")
        with ui.expansion("Settings of the strategy").classes("settings-box").props("dense"):
            box = ui.element("div").classes("wide")

        def choose() -> None:
            box.clear()
            with box:
                self._settings = SettingsForm(_settings_of(str(self._strategy.value), self._catalogue))
                self._settings.show()

        choose()
        self._strategy.on_value_change(choose)
        with ui.element("div").classes("choices start"):
            button("Run", self._run, "primary strong")
        where = f"Files are those in {self._screen.dashboard.people.backtests.data}."
        ui.html(str(tag("p", where, cls="note")), sanitize=False)

    async def _run(self) -> None:
        fields = (self._symbol, self._start, self._end, self._cash)
        troubles = [one for one in fields if not one.validate()]
        if troubles or not self._settings.fits():
            return
        order = BacktestOrder(
            strategy=str(self._strategy.value),
            symbol=str(self._symbol.value).strip().upper(),
            data=tuple(self._data.value),
            start=_day(self._start.value),
            end=_day(self._end.value),
            cash=Decimal(str(self._cash.value)),
            settings={name: str(value) for name, value in self._settings.given().items()},
        )
        jobs = self._screen.dashboard.people.backtests
        started = await self._screen.act(Role.OPERATOR, lambda caller: jobs.start(order, caller), self._key)
        if started is not None:
            self._key = str(uuid4())
            self._screen.tell("The backtest has begun.", good=True)


def _settings_of(name: str, catalogue: Mapping[str, Entry]) -> list[dict[str, Any]]:
    """What the strategy takes; the underlying is the form's own field."""
    if name not in catalogue:
        return []
    described: Any = schema(name, catalogue)["settings"]
    return [one for one in described if one["name"] != "symbol"]


def _needed(text: str) -> str | None:
    return None if text.strip() else "as IB writes it"


def _is_day(text: str | None) -> str | None:
    try:
        _day(text)
    except ValueError:
        return "a day, as 2026-03-02"
    return None


def _day(text: str | None) -> date | None:
    stripped = (text or "").strip()
    return date.fromisoformat(stripped) if stripped else None


def _is_money(text: str) -> str | None:
    try:
        amount = Decimal(str(text).strip())
    except InvalidOperation:
        return "an amount of USD"
    return None if amount.is_finite() and amount > 0 else "more than 0"
