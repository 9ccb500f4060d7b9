"""Profit and loss: `mark_pnl` every 30 seconds of market time."""

from __future__ import annotations

from htbot.services.schedule import MARK_PNL
from htbot.tasks.app import app
from htbot.tasks.base import Run, register


def _mark_pnl(run: Run) -> str:
    snapshot = run.snapshot(run.parts.reader.symbol)
    if snapshot is None:
        return "no snapshot of this instant"
    asked = run.parts.marker.mark(run.transaction, snapshot, run.as_of)
    return f"{asked} exits asked for" if asked else "marked"


mark_pnl = register(app, MARK_PNL, _mark_pnl)
