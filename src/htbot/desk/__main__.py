"""`python -m htbot.desk`: the process that owns the broker's session."""

from __future__ import annotations

import gc

gc.disable()  # nothing of what is imported is ever thrown away, and looking for it takes a sixth of the start

import asyncio
import logging
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import uvloop

from htbot.adapters.ib.session import IbAddress, IbSession
from htbot.adapters.live import LiveWriter
from htbot.bootstrap.desk import (
    DeskWorld,
    data_lines,
    desk_world,
    flood_limits,
    history_days,
    reserved_database,
    throttled,
    trading_hours,
    underlying_of,
)
from htbot.bootstrap.limits import breaker_limits, broker_silence, patience
from htbot.desk import turns
from htbot.desk.barrier import Barrier
from htbot.desk.bulletin import Bulletin
from htbot.desk.clock import DeskClock
from htbot.desk.desk import Desk, DeskParts, DeskPlan
from htbot.desk.doorbell import Doorbell
from htbot.desk.halts import PATIENCE_S, HaltParts, HaltWatch
from htbot.desk.heartbeat import beat
from htbot.desk.inbox import Inbox
from htbot.desk.journal import Journal
from htbot.desk.line import Line
from htbot.desk.pace import PacedPace, SteppedPace, run
from htbot.desk.requests import RequestDesk
from htbot.desk.threads import DatabaseThread
from htbot.desk.upkeep import UpkeepPlan
from htbot.desk.watch import MarketWatch, WatchPlan
from htbot.domain.errors import ConfigurationError, StopTrading
from htbot.execution.silence import STEPPED_SILENCE
from htbot.marketdata.clock_state import Mode
from htbot.services.anchors import FILE_NAME, AnchorFile
from htbot.services.halt_journal import HaltJournal
from htbot.services.kill_switch import KillSwitch
from htbot.services.schedule import schedule
from htbot.services.versions import begin_desk, own_version
from htbot.settings import Settings, load_settings
from htbot.settings.strategy import NO_STRATEGY
from htbot.telemetry.failpoints import arm
from htbot.telemetry.logs import configure_logging

gc.freeze()
gc.enable()

EXIT_ERROR, EXIT_CONFIGURATION = 1, 4
# An orderly end stays well within the 30 s after which a supervisor may lose patience.
WIND_DOWN_S = 20.0
_LOOK_AGAIN_S = 1.0
_log = logging.getLogger(__name__)


def host_now() -> datetime:
    """Wall time, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a desk process owns beside the desk itself."""

    orders_database: DatabaseThread
    market_database: DatabaseThread
    journal: Journal
    live: LiveWriter
    halts: HaltWatch


def build_parts(settings: Settings, *, stepped: bool) -> Parts:
    """Connections and files; a STOP path that anybody may touch is refused."""
    KillSwitch(settings.paths.kill_switch_file).require_safe()
    orders_database = DatabaseThread("orders", reserved_database(settings, "orders"))
    live = LiveWriter(settings.redis.app_url)
    halts = HaltParts(
        HaltJournal(settings.paths.desk / "halts.jsonl"), own_version(), live, None if stepped else PATIENCE_S
    )
    return Parts(
        orders_database=orders_database,
        market_database=DatabaseThread("market", reserved_database(settings, "market")),
        journal=Journal(settings.paths.desk / "journal.jsonl"),
        live=live,
        halts=HaltWatch(settings.paths.kill_switch_file, orders_database, halts),
    )


def desk_plan(settings: Settings, *, stepped: bool) -> DeskPlan:
    """What this desk is for."""
    return DeskPlan(
        account=settings.ib.account,
        more_accounts=settings.ib.accounts[1:],
        client_id=settings.ib.client_id,
        hours=trading_hours(settings),
        world_required=settings.ib.builtin_paper,
        upkeep=UpkeepPlan(
            limits=breaker_limits(settings),
            flatten=settings.risk.breaker_flatten,
            anchors=AnchorFile(settings.paths.desk / FILE_NAME),
            facts={"version": own_version().code, "mode": settings.mode},
        ),
        patience=patience(settings),
        silence=STEPPED_SILENCE if stepped else broker_silence(settings),
        flood=flood_limits(settings),
    )


def build_desk(settings: Settings, world: DeskWorld, parts: Parts) -> Desk:
    """The desk for the broker and the clock of the settings."""
    stepped = world.mode is Mode.STEPPED
    inbox = Inbox()
    address = IbAddress(
        settings.ib.host, settings.ib.port, settings.ib.client_id, stepped=stepped, throttled=throttled(settings)
    )
    plan = WatchPlan(
        underlying=underlying_of(settings),
        bar_minutes=settings.strategy.bar_minutes,
        history_days=history_days(settings.strategy.bar_minutes),
        strikes_out=0 if settings.strategy.name == NO_STRATEGY else settings.strategy.long_index + 1,
        sessions_of=history_days,
        most_lines=data_lines(settings),
    )
    return Desk(
        DeskParts(
            plan=desk_plan(settings, stepped=stepped),
            clock=DeskClock(world.mode, world.speed),
            session=IbSession(address, inbox.tell, turns.undisturbed),
            inbox=inbox,
            bulletin=Bulletin(parts.live, parts.orders_database),
            orders_database=parts.orders_database,
            market_database=parts.market_database,
            journal=parts.journal,
            halts=parts.halts,
            watch=MarketWatch(plan, exact=stepped),
        )
    )


async def serve(settings: Settings) -> None:
    """Run the desk until SIGTERM."""
    world = desk_world(settings)
    stepped = world.mode is Mode.STEPPED
    parts = build_parts(settings, stepped=stepped)
    desk = build_desk(settings, world, parts)
    loop, clock = asyncio.get_running_loop(), desk.clock
    parts.halts.listen_for_signal(loop, lambda: clock.now() if clock.known else host_now())
    doorbell = Doorbell(settings.database.app_url, f"desk:{settings.ib.host}:{settings.ib.port}")
    await doorbell.ensure()
    name = f"desk:{settings.ib.host}:{settings.ib.port}"
    await parts.orders_database.insist(lambda db: begin_desk(db, name, own_version(), host_now()))
    rows = schedule(settings.schedule.poll_seconds)
    pace = SteppedPace(Barrier(parts.live, parts.market_database, rows, doorbell)) if stepped else PacedPace(doorbell)
    gc.collect()
    gc.freeze()  # what was made for good: a full collection need not look at it while a close is on its way
    requests = RequestDesk(desk, parts.live)
    line = Line(desk, settings.paths.run, settings.paths.kill_switch_file)
    lanes = (requests.serve(), beat(), line.serve(), _keep_for_good(desk))
    served, *beside = [asyncio.ensure_future(lane) for lane in lanes]
    try:
        await _until_told(asyncio.ensure_future(run(desk, pace)), desk)
    finally:
        requests.stop()
        served.cancel()
        for lane in beside:
            lane.cancel()
        desk.parts.session.disconnect()
        doorbell.close()
        await parts.live.close()
        parts.journal.close()
        parts.orders_database.close()
        parts.market_database.close()


async def _keep_for_good(desk: Desk) -> None:
    """What taking over has made stays: a full collection of it takes 10 ms, in which nobody has the interpreter."""
    while not desk.enabled:  # noqa: ASYNC110 - it is so at a look of a second
        await asyncio.sleep(_LOOK_AGAIN_S)
    gc.freeze()


async def _until_told(work: asyncio.Future[None], desk: Desk) -> None:
    """Wait for the work. SIGTERM and SIGINT end it in an orderly way, a second one at once."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        if told.is_set() or desk.clock.stepped:  # a stepped world does not move on while its desk ends
            work.cancel()
        told.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, tell)
    ending = asyncio.ensure_future(_heard(told))
    try:
        await asyncio.wait([work, ending], return_when=asyncio.FIRST_COMPLETED)
        if not work.done() and not desk.clock.stepped:
            await _wind_down(desk, work)
        await work
    except asyncio.CancelledError:
        _log.info("told to stop: working closes and positions stay at the broker")
    finally:
        ending.cancel()


async def _heard(told: asyncio.Event) -> None:
    await told.wait()


async def _wind_down(desk: Desk, work: asyncio.Future[None]) -> None:
    ending = asyncio.ensure_future(desk.wind_down())
    await asyncio.wait([work, ending], timeout=WIND_DOWN_S, return_when=asyncio.FIRST_COMPLETED)
    if not ending.done():
        _log.warning("not everything could be ended within %.0f s: what is left is looked up at the start", WIND_DOWN_S)
    ending.cancel()
    work.cancel()


def main() -> int:
    """Exit code 0 after SIGTERM, 1 when trading must stop, 4 when the settings are refused."""
    try:
        settings = load_settings()
        configure_logging("desk", level=settings.paths.log_level)
        turns.begin()
        if settings.paths.failpoints is not None:
            arm(settings.paths.failpoints)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except ConfigurationError as error:
        print(f"desk: {error}", file=sys.stderr)
        return EXIT_CONFIGURATION
    except StopTrading as error:
        _log.critical("trading stops: %s", error)
        return EXIT_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
