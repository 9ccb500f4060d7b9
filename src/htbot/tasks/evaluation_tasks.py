"""Evaluating strategies on plain instruments: `evaluate_bars` every 30 seconds of market time, split by symbol.

The scheduled task looks whether anything is watched and sends the parts, each of which is a message of its own for
whichever worker is free.
"""

from __future__ import annotations

from htbot.persistence.repositories import StrategyRepository
from htbot.services.bar_look import Look
from htbot.services.schedule import EVALUATE_BARS, EVALUATE_PART
from htbot.tasks.app import app
from htbot.tasks.base import Run, outdated, register, stopped


def look_at_bars(run: Run) -> str:
    """Send the parts, when anything is watched."""
    trouble, _exits_only = _refused(run)
    if trouble is not None:
        return f"refused: {trouble}"
    if not StrategyRepository(run.transaction).any_looked_at():
        return "nothing is watched"
    parts = run.parts.settings.schedule.evaluation_parts
    run.follow_ups += [(EVALUATE_PART, f"{part}/{parts}") for part in range(1, parts + 1)]
    return f"{parts} parts"


def look_at_part(run: Run) -> str:
    """The part that the key names, at the run's instant; bars are committed before the desk publishes an instant."""
    trouble, exits_only = _refused(run)
    if trouble is not None:
        return f"refused: {trouble}"
    snapshot = run.snapshot(run.parts.reader.symbol)
    if snapshot is None:
        return "no snapshot of this instant"
    part, parts = (int(number) for number in run.key.split("/"))
    look = Look(snapshot.world_id, snapshot.account, run.as_of, part, parts, snapshot, exits_only)
    return run.parts.evaluator.evaluate(run.transaction, look)


def _refused(run: Run) -> tuple[str | None, bool]:
    """Why nothing is looked at; and True while the scheduler is stopped: only what is held is, for its exits."""
    stop = stopped(run)
    if stop is not None and not StrategyRepository(run.transaction).any_looked_at(holding=True):
        return stop, True
    return outdated(run), stop is not None


evaluate_bars = register(app, EVALUATE_BARS, look_at_bars)
evaluate_part = register(app, EVALUATE_PART, look_at_part)
