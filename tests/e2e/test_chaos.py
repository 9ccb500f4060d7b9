"""Chaos in short: the real stack under load and a dozen faults of a fixed seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from htbot.bootstrap.chaos.run import ChaosFailed, ChaosOptions, run

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.fault(24)
@pytest.mark.ruling(33)
def test_nothing_is_sent_twice_lost_or_unknown(tmp_path: Path) -> None:
    try:
        shape = run(ChaosOptions(intents=50, faults=12, seed=4, parent=tmp_path)).shape()
    except ChaosFailed as failed:
        pytest.fail(f"{failed}: {failed.result.shape()}")
    assert shape["intents"] >= 50
    assert shape["faults"] == 12
    assert (shape["duplicates"], shape["lost_closes"], shape["unknown"]) == (0, 0, 0)
    assert shape["share_trades"] > 0, "nothing is said of shares"
    assert shape["protective_orders"] > 0
    assert shape["orphans"] == 0
    assert shape["ledger_equals_broker"] is True
    assert shape["recovery_p99_s"] <= 30
    assert list(tmp_path.iterdir()) == []
    assert marked_processes(tmp_path) == []


def marked_processes(parent: Path) -> list[str]:
    """Processes whose environment names an instance below a folder."""
    mark, found = f"HTBOT_INSTANCE={parent}".encode(), []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:
            continue  # it ended while we looked, or is somebody else's
    return found
