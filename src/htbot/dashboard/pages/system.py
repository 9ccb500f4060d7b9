"""*System*: the scheduler and the broker session with their switches, and whether everything else is there.

Processes, tasks with their age, streams, the comparison with the broker, and the ends of the logs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup
from nicegui import ui

from htbot.bootstrap.programs import ProgramView
from htbot.dashboard import accounts, steering
from htbot.dashboard.parts.markup import Column, Row, badge, empty, fact, facts, join, table, tag
from htbot.dashboard.parts.numbers import age, duration, whole, words
from htbot.persistence.queries.reconciliation import ReconciliationView
from htbot.persistence.queries.shapes import TaskView
from htbot.services.day_picture import StreamView
from htbot.services.log_files import LEVELS, LogFiles, LogLine
from htbot.services.queries import Readiness
from htbot.services.status_view import StatusView
from htbot.services.strategy_reads import InstanceView

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen

_PROGRAMS = (Column("Program"), Column("State"), Column("Running for", number=True), Column("Process", number=True))
_TASKS = (
    Column("Task"),
    Column("State"),
    Column("Age", number=True),
    Column("Last run, market time"),
    Column("Error", wide=True),
)
_STREAMS = (Column("Symbol"), Column("Stream"), Column("Age or last look", number=True), Column("State", wide=True))
_DIFFERENCES = (
    Column("Kind"),
    Column("Contract or order", wide=True),
    Column("Ours", number=True),
    Column("Broker", number=True),
    Column("Detail", wide=True),
)
_LINES = 120
_LOG_EVERY = 2


def build(screen: Screen) -> None:
    """The page."""
    ui.html("<h1>System</h1>", sanitize=False).classes("title")
    with ui.element("div").classes("grid"):
        steering.scheduler_card(screen)
        steering.broker_card(screen)
        screen.panel(health, "card span-7")
        screen.panel(reconciliation, "card span-5")
        screen.panel(programs, "card span-5")
        screen.panel(tasks, "card span-7")
        screen.panel(streams, "card")
        with ui.element("section").classes("card").props('aria-label="Logs"'):
            _logs(screen)


def health(screen: Screen) -> Markup:
    """What must be there, and whether it is."""
    readiness: Readiness | None = screen.value("readiness")
    status: StatusView | None = screen.value("status")
    if readiness is None or status is None:
        return join(tag("h2", "Health"), empty("Not known yet."))
    verdict = badge("✓ ready", "good") if readiness.ready else badge("✗ not ready", "bad")
    checks = [fact(words(name).capitalize(), _state(state)) for name, state in readiness.checks.items()]
    return join(
        tag("h2", "Health ", verdict),
        facts(
            *checks,
            fact("Heartbeat", age(status.desk.heartbeat_age_s), "of the desk"),
            fact("World", status.world or "—"),
            fact("Accounts" if len(status.accounts) > 1 else "Account", ", ".join(status.accounts) or "—"),
        ),
    )


def _state(state: str) -> Markup:
    good = state in {"ok", "running", "connected"}
    return tag("span", tag("span", "● " if good else "▲ ", aria_hidden="true"), state, cls="gain" if good else "loss")


def reconciliation(screen: Screen) -> Markup:
    """Whether our books are the broker's."""
    found: dict[str | None, ReconciliationView] = screen.value("reconciliation") or {}
    runs = [(account, found.get(account)) for account in accounts.looked_at(screen)]
    return join([_compared(screen, account, run) for account, run in runs])


def _compared(screen: Screen, account: str | None, run: ReconciliationView | None) -> Markup:
    whose = accounts.label(screen, account or "")
    cls = "between" if whose else None
    if run is None:
        head = tag("h2", "Books and broker", whose, cls=cls)
        return join(head, empty("They were not compared yet.", "The desk does it once it is connected."))
    agree = run.verdict == "AGREE"
    rows = [
        Row((words(one.kind.lower()), one.symbol or one.ref or one.con_id, one.ours, one.broker, one.detail))
        for one in run.items
    ]
    return join(
        tag(
            "h2",
            "Books and broker ",
            badge(f"{'✓' if agree else '✗'} {run.verdict.lower()}", "good" if agree else "bad"),
            whose,
            cls=cls,
        ),
        facts(
            fact("Compared", screen.look.clock(run.as_of), words(run.cause)),
            fact("Alike", whole(run.matched)),
            fact("Different", whole(run.differing)),
            fact("Not ours", whole(run.foreign)),
        ),
        table("Differences", _DIFFERENCES, rows, Markup("")),
    )


def programs(screen: Screen) -> Markup:
    """The processes of this instance."""
    found: list[ProgramView] | None = screen.value("programs")
    trouble = screen.reading("programs").trouble
    rows = [
        Row(
            (
                program.name,
                badge(program.state.lower(), "good" if program.state == "RUNNING" else "bad"),
                duration(program.running_s),
                program.pid or "—",
            )
        )
        for program in found or ()
    ]
    return join(tag("h2", "Processes"), table("Processes", _PROGRAMS, rows, empty(trouble or "Not known yet.")))


def tasks(screen: Screen) -> Markup:
    """The last run of each periodic task."""
    status: StatusView | None = screen.value("status")
    rows = [_task(screen, task) for task in (status.tasks if status else ())]
    return join(tag("h2", "Tasks"), table("Tasks", _TASKS, rows, empty("No task has run yet.")))


def _task(screen: Screen, task: TaskView) -> Row:
    tones = {"DONE": "good", "FAILED": "bad"}
    cells = (
        words(task.name.rpartition(".")[2]),
        badge(task.state.lower(), tones.get(task.state, "accent")),
        age(task.age_s),
        screen.look.clock(task.last_run),
        task.error,
    )
    return Row(cells)


def streams(screen: Screen) -> Markup:
    """Market data: the underlying's quotes as the desk has them, and the bars that watched strategies wait for."""
    told: StreamView | None = screen.value("stream")
    watched: list[InstanceView] = [one for one in screen.value("instances") or [] if one.enabled]
    rows = []
    if told is not None:
        quoted = f"{whole(told.quotes)} of {whole(told.lines)} lines quoted, {whole(told.options)} options listed"
        since = f"watched since {screen.look.clock(told.watching_since)}"
        rows.append(Row((told.symbol, "quotes", age(told.age_s), f"{quoted}, {since}")))
    for one in watched:
        bars = f"{one.minutes} min bars for {one.name}"
        rows.append(Row((one.symbol, bars, screen.look.clock(one.as_of), one.why_not or "")))
    nothing = empty("No market data yet.", "The desk publishes them once it is connected.")
    return join(tag("h2", "Streams"), table("Streams", _STREAMS, rows, nothing))


def _logs(screen: Screen) -> None:
    """The newest lines, filtered; read only while the page is open."""
    files: LogFiles = screen.dashboard.people.logs
    with ui.element("div").classes("filters"):
        ui.html(str(tag("h2", "Logs ", tag("span", "times of the host", cls="note"))), sanitize=False)
        programs = {"": "all programs"} | {name: name for name in files.programs()}
        program = ui.select(programs, value="", label="Program").props("outlined dense options-dense")
        least = ui.select(list(LEVELS), value="info", label="Least level").props("outlined dense options-dense")
    shown = ui.html("", sanitize=False)
    turns = 0

    async def read() -> None:
        lines = await screen.ask(files.tail, _LINES, program.value or None, str(least.value))
        drawn = str(log_lines(screen, lines or []))
        if drawn != shown.content:
            shown.set_content(drawn)

    program.on_value_change(read)
    least.on_value_change(read)

    async def follow() -> None:
        nonlocal turns
        turns += 1
        if turns % _LOG_EVERY == 1:
            await read()

    ui.timer(1.0, follow)


def log_lines(screen: Screen, lines: list[LogLine]) -> Markup:
    """Time, program, level and words of each."""
    if not lines:
        return empty("Nothing of that level was written.")
    items = [
        tag(
            "li",
            tag("time", screen.look.clock(line.at)),
            tag("span", line.program, cls="program"),
            badge(line.level, {"warning": "warn", "error": "bad", "critical": "bad"}.get(line.level, "")),
            tag("span", line.event, cls="event"),
        )
        for line in lines
    ]
    return tag("ol", items, cls="log", tabindex="0", aria_label="Log lines")
