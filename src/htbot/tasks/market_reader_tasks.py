"""Reading the market: `read_market` every 30 seconds of market time, and its steps on their own."""

from __future__ import annotations

from htbot.services.schedule import READ_MARKET
from htbot.tasks.app import app
from htbot.tasks.base import Run, refused, register


def look_at_market(run: Run) -> str:
    """Let every strategy on options decide at the run's instant, and store what came of it."""
    trouble = refused(run)
    if trouble is not None:
        return f"refused: {trouble}"
    reader = run.parts.reader
    snapshot = run.snapshot(reader.symbol)
    if snapshot is None:
        return "no snapshot of this instant"
    told = run.parts.seats.read(run.transaction, snapshot, run.as_of, run.published)
    run.trouble = "; ".join(f"{name}: {why}" for name, why in told.failed.items())
    return told.words or "failed"


def _get_trend(run: Run) -> str:
    reader = run.parts.reader
    snapshot = run.snapshot(reader.symbol)
    if snapshot is None:
        return "no snapshot of this instant"
    return f"trend {reader.get_trend(run.transaction, snapshot.world_id, run.as_of):+d}"


def _find_high_low_day(run: Run) -> str:
    reader = run.parts.reader
    snapshot = run.snapshot(reader.symbol)
    if snapshot is None:
        return "no snapshot of this instant"
    day = reader.find_high_low_day(run.transaction, snapshot.world_id, run.as_of)
    return f"high {day.high}, low {day.low}"


read_market = register(app, READ_MARKET, look_at_market)
get_trend = register(app, "htbot.tasks.market_reader_tasks.get_trend", _get_trend)
find_high_low_day = register(app, "htbot.tasks.market_reader_tasks.find_high_low_day", _find_high_low_day)
