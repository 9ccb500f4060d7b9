"""Commands of the scheduler: whether strategies are asked, and whether anything may be entered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from htbot.cli.control import Key
from htbot.cli.opening import actor, people
from htbot.cli.output import Json, plain, print_facts, print_json

if TYPE_CHECKING:
    from htbot.domain.scheduler import SchedulerSetting
    from htbot.services.callers import Caller
    from htbot.services.scheduler import Scheduler, SchedulerStatus

scheduler = typer.Typer(help="Pause or stop entries; exits and guards go on. No halt, and lifts none.")


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(scheduler, name="scheduler", no_args_is_help=True)


@scheduler.command("status")
def status(as_json: Json = False) -> None:
    """The state and who set it, whether anything could be entered now, and what the day has come to."""
    with people() as opened:
        found = opened.scheduler.status()
    if as_json:
        print_json(found)
    else:
        _print_status(found)


@scheduler.command("pause")
def pause(key: Key = None, as_json: Json = False) -> None:
    """Enter nothing: strategies are asked and refused, exits go on."""
    _act(lambda service, caller: service.pause(caller), key, as_json)


@scheduler.command("resume")
def resume(key: Key = None, as_json: Json = False) -> None:
    """End a pause. Halts stay: htbot resume lifts them."""
    _act(lambda service, caller: service.resume(caller), key, as_json)


@scheduler.command("stop")
def stop(key: Key = None, as_json: Json = False) -> None:
    """Ask no strategy for an entry; exits and guards go on."""
    _act(lambda service, caller: service.stop(caller), key, as_json)


@scheduler.command("start")
def start(key: Key = None, as_json: Json = False) -> None:
    """Run, from whatever state."""
    _act(lambda service, caller: service.start(caller), key, as_json)


def _act(deed: Callable[[Scheduler, Caller], SchedulerSetting], key: str | None, as_json: bool) -> None:
    from htbot.services.callers import Caller

    with people() as opened:
        setting = deed(opened.scheduler, Caller(actor(), key))
    print_json(setting) if as_json else print(f"the scheduler is {setting.state}. {setting.state.means}")


def words_of(setting: SchedulerSetting) -> str:
    """The state, who set it since when, and what it comes to."""
    by = f" by {setting.set_by}" if setting.set_by else ""
    since = f" since {plain(setting.since)}" if setting.since else ""
    return f"{setting.state}{by}{since}. {setting.state.means}"


def _print_status(found: SchedulerStatus) -> None:
    from htbot.domain.scheduler import SchedulerSetting

    stats = found.stats
    print_facts(
        [
            ("Scheduler", words_of(SchedulerSetting(found.state, found.since, found.set_by))),
            ("Could enter now", "yes" if found.can_run else f"no: {found.why_not}"),
            ("Market", f"{'open' if found.is_market_hours else 'closed'} at {plain(found.market_time)} New York"),
            ("Connected", found.ibkr_connected),
            ("Looks today", f"{stats.evaluations_run}, the last at {plain(stats.last_evaluation)}"),
            (
                "Signals",
                f"{stats.signals_generated}, {stats.trades_rejected} refused, {stats.signals_observed} observed",
            ),
            ("Trades", f"{stats.trades_executed}, {stats.monitored_positions} open"),
            ("Failed tasks", stats.errors),
        ]
    )
