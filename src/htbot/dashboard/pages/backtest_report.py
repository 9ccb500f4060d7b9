"""One backtest: how far it is, its figures, its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from htbot.bootstrap.backtest_jobs import JobView
from htbot.dashboard.controls import button
from htbot.dashboard.pages.backtest import TONES, over
from htbot.dashboard.parts.gauges import progress
from htbot.dashboard.parts.markup import badge, empty, fact, facts, join, tag
from htbot.dashboard.parts.numbers import percent, words
from htbot.dashboard.session import PATH
from htbot.services.tokens import Role

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen


def build(screen: Screen) -> None:
    """The page."""
    screen.panel(heading, "title")
    screen.panel(state, "card")
    if screen.may(Role.OPERATOR):
        _stop_button(screen)
    screen.panel(report, "report")


def _job(screen: Screen) -> JobView | None:
    wanted = screen.parameters.get("job_id", "")
    return next((job for job in screen.value("backtests") or [] if job.id == wanted), None)


def heading(screen: Screen) -> Markup:
    """Strategy and symbol."""
    job = _job(screen)
    name = f"{words(job.order.strategy)} on {job.order.symbol}" if job else "Backtest"
    return join(tag("p", tag("a", "Backtests", href=f"{PATH}/backtest"), cls="note"), tag("h1", name))


def state(screen: Screen) -> Markup:
    """How far it is, or what came of it."""
    job = _job(screen)
    if job is None:
        return empty("There is no such backtest.", "The newest twenty are kept.")
    told = tag("p", over(job.order), cls="note")
    head = tag("h2", badge(job.state, TONES.get(job.state, "")), " ", percent(100 * job.share, 0))
    if job.state == "done":
        return join(head, told, facts(*(fact(name.capitalize(), value) for name, value in job.summary), cls="summary"))
    failed = tag("p", job.error, cls="trouble stale") if job.error else None
    return join(head, told, progress(job.share), failed)


def report(screen: Screen) -> Markup:
    """The report in a frame of its own."""
    job = _job(screen)
    if job is None or job.report is None:
        return Markup("")
    address = f"{PATH}/reports/{job.id}"
    link = tag("a", "Open the report alone", href=address, target="_blank", rel="noopener")
    return join(tag("p", link, cls="note"), tag("iframe", src=address, title="Report of the backtest"))


def _stop_button(screen: Screen) -> None:
    jobs = screen.dashboard.people.backtests

    async def stop() -> None:
        job = _job(screen)
        if job is not None and await screen.act(Role.OPERATOR, lambda caller: jobs.stop(job.id, caller)) is not None:
            screen.tell("The backtest was stopped.", good=True)

    one = button("Stop it", stop, "danger small")

    def follow() -> None:
        job = _job(screen)
        one.set_visibility(job is not None and job.state == "running")

    follow()
    screen.follow(follow)
