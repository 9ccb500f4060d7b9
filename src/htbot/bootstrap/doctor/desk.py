"""Checks of the processes, the desk and its broker session."""

from __future__ import annotations

import socket
from datetime import timedelta

from htbot.bootstrap.doctor.finding import Seen, fail, ok, skip, warn
from htbot.bootstrap.doctor.site import Site
from htbot.services.schedule import schedule

_RESTART = "./restart.sh"
_QUOTES_OLD_S = 60.0
_FIGURES_OLD = timedelta(minutes=30)


def processes(site: Site) -> Seen:
    """Supervisord runs, and so does every program of the instance."""
    if site.programs is None:
        return fail("nothing runs", f"{_RESTART} starts it")
    down = [row for row in site.programs if row.state not in {"RUNNING", "STARTING"}]
    if down:
        told = ", ".join(f"{row.name} {row.state}" for row in down)
        return fail(told, f"see var/log/{down[0].name}.log, then {_RESTART}")
    return ok(", ".join(row.name for row in site.programs))


def versions(site: Site) -> Seen:
    """The desk runs this code, and so does every process that ever started here (FAULTS 43)."""
    from htbot.persistence.repositories import ProcessRepository
    from htbot.services.versions import DESK, own_version

    own = own_version()
    with site.database.transaction() as session:
        found, desk = ProcessRepository(session).all(), ProcessRepository(session).newest(DESK)
    others = [
        f"{process.name} (pid {process.pid}) is {process.version} at {process.revision}"
        for process in found
        if (process.version, process.revision) != (own.code, own.revision)
    ]
    if not others:
        return ok(f"htbot {own.code}, schema {own.revision}")
    told = f"{'; '.join(others)}; this is {own.code} at {own.revision}"
    desk_differs = desk is not None and (desk.version, desk.revision) != (own.code, own.revision)
    return (fail if desk_differs else warn)(told, _RESTART)


def worker(site: Site) -> Seen:
    """A worker of this machine has said that it is ready, with every task of the schedule (RULINGS 35)."""
    from htbot.persistence.repositories import WorkerRepository

    with site.database.transaction() as session:
        workers = WorkerRepository(session).all()
    if not workers:
        return fail("no worker ever said that it was ready", f"see var/log/worker.log, then {_RESTART}")
    newest = max(workers, key=lambda one: one.ready_at)
    missing = sorted({row.task for row in schedule()} - set(newest.tasks))
    if missing:
        return fail(f"{newest.name} does not know {', '.join(missing)}", _RESTART)
    elsewhere = "" if newest.host == socket.gethostname() else f" on {newest.host}"
    return ok(f"{len(newest.tasks)} tasks, pid {newest.pid}{elsewhere}")


def usage(site: Site) -> Seen:
    """No process takes more memory or files than it may."""
    from htbot.bootstrap.install.usage import excesses, usage_of

    instance = site.settings.paths.var.resolve()
    found = [excess.detail for excess in excesses(instance, site.settings.limits.memory_mb)]
    if found:
        return warn("; ".join(found), "the alarm restarts it, the desk between orders only; see var/log/alarm.log")
    largest = max(usage_of(instance), key=lambda one: one.memory_mb, default=None)
    return ok("nothing runs" if largest is None else f"the largest is {largest.program}, {largest.memory_mb:.0f} MiB")


def heartbeat(site: Site) -> Seen:
    """The desk speaks."""
    desk = site.desk
    told = "never spoke" if desk.heartbeat_age_s is None else f"spoke {desk.heartbeat_age_s:g} s ago"
    if desk.state != "running":
        return fail(f"{desk.state}: {told}", f"see var/log/desk.log, then {_RESTART}")
    return ok(told)


def session(site: Site) -> Seen:
    """The desk has its session, and originates orders."""
    desk = site.desk
    if desk.state != "running" or desk.clock is None:
        return skip("the desk does not speak")
    if desk.connection != "connected":
        return fail(desk.connection, "it connects again by itself; see the gateway and its login")
    if not desk.clock.trading_enabled:
        return fail(
            f"connected, and does not trade: {desk.clock.reason or 'no reason given'}",
            "see halts, breaker and reconciliation below; before the first comparison of the books it is normal",
        )
    return ok(f"connected, account {desk.account}")


def live_guard(site: Site) -> Seen:
    """What the settings say is what the desk does: nobody trades real money by mistake."""
    broker = site.settings.ib
    told = f"{broker.trading_mode}, {broker.host}:{broker.port}, account {broker.account or 'of the login'}"
    desk = site.desk if site.redis_trouble is None else None
    if desk is None or desk.clock is None or desk.state != "running":
        return ok(f"{told}; no desk to compare with")
    mode = desk.clock.mode.value
    if (mode == "live") != broker.is_live:
        return fail(f"the desk is {mode}, the settings say {broker.trading_mode}", _RESTART)
    if broker.accounts and desk.accounts not in {(), broker.accounts}:
        traded, wanted = ", ".join(desk.accounts), ", ".join(broker.accounts)
        return fail(f"the desk trades {traded}, the settings say {wanted}", _RESTART)
    return ok(f"{told}; so is the desk")


def market_data(site: Site) -> Seen:
    """Within a session the underlying is quoted."""
    if site.desk.state != "running":
        return skip("the desk does not speak")
    symbol = site.settings.strategy.symbol
    snapshot = site.live.snapshot(symbol)
    quote = None if snapshot is None else snapshot.quotes.get(snapshot.underlying_con_id)
    open_now = site.record_trouble is None and site.in_session
    if quote is None:
        told = f"{symbol} was never quoted"
        way_out = "see the subscriptions of the login, and var/log/desk.log"
        return fail(told, way_out) if open_now else ok(f"{told}; the exchange is closed")
    age_s = max((site.market_now - quote.as_of).total_seconds(), 0.0)
    told = f"{symbol} quoted {age_s:.0f} s of market time ago, data type {quote.data_type}"
    if not open_now:
        return ok(f"{told}; the exchange is closed")
    if age_s > _QUOTES_OLD_S:
        return fail(told, "a farm is down or another login took the data; see var/log/desk.log")
    return ok(told)


def account_figures(site: Site) -> Seen:
    """The broker has told what the account has; risk knows nothing without it."""
    from htbot.persistence.queries import watch

    with site.database.transaction() as transaction:
        known = watch.accounts(transaction)
    wanted = site.settings.ib.accounts or site.desk.accounts
    told_of = {one.account: one for one in known if one.net_liquidation is not None}
    missing = [account for account in wanted if account not in told_of]
    if missing or not told_of:
        whose = f" of {', '.join(missing)}" if wanted[1:] else ""
        way_out = "nothing is entered until the broker tells it; see its session"
        return fail(f"net liquidation is unknown{whose}", way_out)
    chosen = told_of[wanted[0]] if wanted else next(iter(told_of.values()))
    told = (
        f"{chosen.account}: net liquidation {chosen.net_liquidation}, buying power {chosen.buying_power or 'unknown'}"
    )
    if site.in_session and site.market_now - chosen.as_of > _FIGURES_OLD:
        return warn(f"{told}, as of {chosen.as_of.isoformat()}", "the broker has not told them lately; see its session")
    return ok(told)
