"""All checks in order, and what they amount to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from htbot.bootstrap.doctor import desk, machine, servers, trading
from htbot.bootstrap.doctor.finding import Check, Finding, Needs, Seen, State, fail, ok, skip
from htbot.bootstrap.doctor.site import Site
from htbot.domain.errors import HtbotError
from htbot.settings import Settings, load_settings

SETTINGS = "HT-CFG-01"
CHECKS = (
    Check("HT-PY-01", "python", machine.python),
    Check("HT-PY-02", "packages", machine.packages),
    Check("HT-CFG-02", "env_file", machine.env_permissions),
    Check("HT-CFG-03", "state_folder", machine.var_permissions),
    Check("HT-CFG-04", "live_guard", desk.live_guard),
    Check("HT-SYS-01", "disk", machine.disk),
    Check("HT-SYS-02", "clock", machine.clock, Needs.RECORD),
    Check("HT-SYS-03", "ports", machine.ports),
    Check("HT-DB-01", "record", servers.record),
    Check("HT-DB-02", "schema", servers.schema, Needs.RECORD),
    Check("HT-RED-01", "redis", servers.redis),
    Check("HT-PROC-01", "processes", desk.processes),
    Check("HT-PROC-02", "versions", desk.versions, Needs.RECORD),
    Check("HT-PROC-03", "worker", desk.worker, Needs.RECORD),
    Check("HT-PROC-04", "usage", desk.usage),
    Check("HT-API-01", "api", servers.api),
    Check("HT-DESK-01", "desk", desk.heartbeat, Needs.REDIS),
    Check("HT-IB-01", "gateway", servers.gateway),
    Check("HT-IB-02", "broker_session", desk.session, Needs.REDIS),
    Check("HT-IB-03", "market_data", desk.market_data, Needs.REDIS),
    Check("HT-IB-04", "account_figures", desk.account_figures, Needs.RECORD),
    Check("HT-IB-05", "gateway_settings", servers.gateway_settings),
    Check("HT-HALT-01", "stop_file", trading.stop_file),
    Check("HT-HALT-02", "halts", trading.halts, Needs.RECORD),
    Check("HT-RISK-01", "breaker", trading.breaker, Needs.RECORD),
    Check("HT-REC-01", "reconciliation", trading.reconciliation, Needs.RECORD),
    Check("HT-CAL-01", "calendar", trading.calendar, Needs.RECORD),
    Check("HT-TASK-01", "tasks", trading.tasks, Needs.RECORD),
    Check("HT-TASK-02", "beat", trading.beat, Needs.RECORD),
    Check("HT-MAIL-01", "mail", servers.mail),
    Check("HT-MAIL-02", "outbox", trading.outbox, Needs.RECORD),
)
CODES = (SETTINGS, *(check.code for check in CHECKS))


def examine(settings: Settings | None = None) -> Iterator[Finding]:
    """Every check; without settings that can be read there is only the one of them."""
    try:
        read = settings or load_settings()
    except HtbotError as error:
        told = " · ".join(str(error).splitlines())
        yield _finding(SETTINGS, "settings", fail(told, "correct .env; htbot config check says the same"))
        return
    yield _finding(SETTINGS, "settings", ok(f"mode {read.mode}, broker {read.ib.host}:{read.ib.port}"))
    site = Site(read)
    try:
        for check in CHECKS:
            yield _finding(check.code, check.name, _looked(check, site))
    finally:
        site.close()


def verdict(findings: Iterable[Finding]) -> str:
    """`GO` when nothing fails, else `NO-GO`. What could not be looked at is the fault of something that fails."""
    return "NO-GO" if any(finding.state is State.FAIL for finding in findings) else "GO"


def _looked(check: Check, site: Site) -> Seen:
    try:
        trouble = _in_the_way(check.needs, site)
        return skip(f"{check.needs} does not answer") if trouble else check.look(site)
    except (HtbotError, OSError) as error:
        return fail(" ".join(str(error).split()), "see the runbook")


def _in_the_way(needs: Needs, site: Site) -> str | None:
    if needs is Needs.RECORD:
        return site.record_trouble
    return site.redis_trouble if needs is Needs.REDIS else None


def _finding(code: str, name: str, seen: Seen) -> Finding:
    return Finding(code, name, seen.state, seen.value, seen.way_out, f"docs/runbooks/{code}.md")
