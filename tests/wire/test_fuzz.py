"""The short form of `python -m tests.fuzz.frames`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from tests.fuzz.frames import Failed, attacked
from tests.fuzz.requests import TABLES, frame, whole
from tests.support.paper_process import PaperProcess

from htbot.paper.wire.tables import decode

START = "2026-03-04T10:00:00-05:00"
FRAMES = 2500


@pytest.fixture
def process(tmp_path: Path) -> Iterator[PaperProcess]:
    process = PaperProcess(tmp_path / "state", tmp_path, start=START, seed=3, speed=1.0)
    process.start()
    yield process
    process.kill()


async def test_the_gateway_stands(process: PaperProcess) -> None:
    report = await attacked(process, FRAMES, seed=20260304)
    assert report.frames == FRAMES
    assert report.probes


async def test_a_gateway_that_dies_is_seen(process: PaperProcess) -> None:
    process.kill()
    with pytest.raises((Failed, OSError)):
        await attacked(process, FRAMES, seed=1)


def test_a_seed_gives_the_same_frames_of_every_request() -> None:
    assert [frame(178, Random(1)) for _ in range(3)] == [frame(178, Random(1)) for _ in range(3)]
    for version in (157, 178):
        for table in TABLES:
            fields = whole(table, version, Random(5))
            assert fields[0] == str(table.message_id)
            decode(table, fields[1:], version)
