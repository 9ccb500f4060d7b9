"""Checks of what forbids trading, of the calendar, and of the work that has to be done meanwhile."""

from __future__ import annotations

from htbot.bootstrap.doctor.finding import Seen, fail, ok, skip, warn
from htbot.bootstrap.doctor.site import Site
from htbot.domain.sessions import NEW_YORK

_BEAT_OLD_S = 120.0
_PERIODS = 4
_GRACE_S = 30.0
_OFTEN_S = 600
"""A task with a longer period may not have been due yet."""
_BACKLOG = 20


def stop_file(site: Site) -> Seen:
    """No file halts, and nobody else could take it away."""
    from htbot.services.kill_switch import KillSwitch

    switch = KillSwitch(site.settings.paths.kill_switch_file)
    switch.require_safe()
    if switch.present():
        return fail(switch.told(), f"read why, then htbot resume, or rm {switch.path} when a person made it")
    return ok(f"no {switch.path}")


def halts(site: Site) -> Seen:
    """No halt is in force."""
    return _in_force(site, "halt", "htbot resume, once the reason is gone")


def breaker(site: Site) -> Seen:
    """The circuit breaker has not tripped."""
    return _in_force(site, "breaker", "htbot risk shows what fell; htbot resume --breaker, or the next session ends it")


def _in_force(site: Site, kind: str, way_out: str) -> Seen:
    from htbot.persistence.queries import watch

    with site.database.transaction() as session:
        found = [row for row in watch.halts(session, site.market_now) if row.kind == kind]
    if found:
        return fail("; ".join(f"{row.source}: {row.reason}" for row in found), way_out)
    return ok("none")


def reconciliation(site: Site) -> Seen:
    """Books and broker agreed at the last stored comparison, and no order is in doubt."""
    from htbot.domain.orders import OrderState
    from htbot.persistence.queries import measures
    from htbot.persistence.queries import reconciliation as comparisons

    with site.database.transaction() as session:
        run = comparisons.latest_run(session, None)
        doubtful = measures.counts(session).open_orders.get(OrderState.UNKNOWN.value, 0)
    if doubtful:
        return fail(f"{doubtful} orders in doubt", "the desk looks them up; htbot orders shows them")
    if run is None:
        return ok("not compared yet")
    told = f"{run.verdict} at {run.as_of.astimezone(NEW_YORK):%Y-%m-%d %H:%M} New York, {run.matched} contracts match"
    if run.differing:
        details = "; ".join(item.detail for item in run.items[:3])
        return fail(f"{told}, {run.differing} do not: {details}", "htbot reconciliation shows all; look into TWS")
    if run.foreign:
        return warn(
            f"{told}, {run.foreign} things are not htbot's", "entries in those symbols stop; see htbot reconciliation"
        )
    return ok(told)


def calendar(site: Site) -> Seen:
    """The table of sessions reaches into the future; says what today is."""
    ahead = site.sessions
    if not ahead:
        return fail(
            "no session is known for the next 14 days", ".venv/bin/python -m htbot.bootstrap.sessions fills them"
        )
    now = site.market_now
    today, first = now.astimezone(NEW_YORK).date(), ahead[0]
    following = next(one for one in ahead if one.opens > now or one is ahead[-1])
    next_one = f"next opens {following.opens.astimezone(NEW_YORK):%a %Y-%m-%d %H:%M} New York"
    if following.early_close:
        next_one += ", a half day"
    if first.day != today:
        kind = "weekend" if today.weekday() >= 5 else "holiday"
        return ok(f"{today} is a {kind}; {next_one}")
    closes = f"{first.closes.astimezone(NEW_YORK):%H:%M}"
    half = "a half day" if first.early_close else "a full day"
    state = "open" if site.in_session else "closed"
    return ok(f"{today} is {half} until {closes}, {state} now; {next_one}")


def tasks(site: Site) -> Seen:
    """Every periodic task ran lately, and none failed the last time."""
    from htbot.marketdata.clock_state import Mode
    from htbot.persistence.queries import watch
    from htbot.services.schedule import schedule

    desk = site.desk
    if desk.state != "running" or desk.clock is None or desk.clock.mode is Mode.STEPPED:
        return skip("only a running desk has a schedule to keep")
    with site.database.transaction() as session:
        last = {task.name: task for task in watch.tasks(session, site.host_now)}
    speed = desk.clock.speed or 1.0
    late: list[str] = []
    for row in schedule(site.settings.schedule.poll_seconds):
        name, task = row.task.rpartition(".")[2], last.get(row.task)
        if task is None:
            late += [f"{name} never ran"] if row.period_s <= _OFTEN_S else []
        elif task.state == "FAILED":
            late.append(f"{name} failed: {task.error}")
        elif task.age_s > row.period_s * _PERIODS / speed + _GRACE_S:
            late.append(f"{name} last began {task.age_s:.0f} s ago")
    if late:
        return fail("; ".join(late), "see var/log/worker.log and var/log/beat.log, then ./restart.sh")
    return ok(", ".join(f"{task.name.rpartition('.')[2]} {task.age_s:.0f} s ago" for task in last.values()))


def beat(site: Site) -> Seen:
    """Beat sends and a worker takes: the task that needs no desk ran lately."""
    from htbot.persistence.queries import watch
    from htbot.services.schedule import DELIVER_ALERTS

    with site.database.transaction() as session:
        ages = [task.age_s for task in watch.tasks(session, site.host_now) if task.name == DELIVER_ALERTS]
    if not ages:
        return fail("no task ever ran", "see var/log/beat.log and var/log/worker.log, then ./restart.sh")
    told = f"the last task began {ages[0]:.0f} s ago"
    if ages[0] > _BEAT_OLD_S and not _stepped(site):
        return fail(told, "see var/log/beat.log, var/log/worker.log and Redis, then ./restart.sh")
    return ok(told)


def _stepped(site: Site) -> bool:
    from htbot.marketdata.clock_state import Mode

    clock = site.desk.clock
    return clock is not None and clock.mode is Mode.STEPPED


def outbox(site: Site) -> Seen:
    """Messages get out."""
    from htbot.persistence.queries import measures
    from htbot.persistence.repositories import AlertRepository
    from htbot.persistence.states import AlertState

    with site.database.transaction() as session:
        counts = measures.counts(session).alerts
        waiting = AlertRepository(session).first_waiting()
    pending, dead = counts[AlertState.PENDING], counts[AlertState.DEAD]
    told = f"{pending} wait, {dead} were given up, {counts[AlertState.SENT]} sent"
    way_out = "htbot alerts shows the server's words; see the settings of mail"
    if waiting is not None and waiting.attempts:
        return fail(f"{told}; the first was tried {waiting.attempts} times: {waiting.last_error}", way_out)
    if pending > _BACKLOG:
        return warn(told, "a worker sends them every 30 seconds; see its tasks")
    return warn(told, way_out) if dead else ok(told)
