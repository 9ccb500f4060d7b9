from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from htbot.telemetry.pipe import unblocked

TALKER = """
import sys
from htbot.telemetry.logs import configure_logging, get_logger
configure_logging("talker")
log = get_logger("talker")
for number in range(2_500):
    log.info("said", number=number, padding="x" * 900)
print("done", flush=True)
sys.stdin.readline()
log.info("last")
"""


@pytest.mark.fault(18)
def test_a_reader_that_stands_still_stops_nobody_and_what_is_lost_is_counted() -> None:
    """Supervisord hangs on its disk: 2.5 MB of log that nobody reads."""
    with subprocess.Popen(
        [sys.executable, "-c", TALKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as talker:
        assert talker.stdin is not None
        assert talker.stdout is not None
        assert talker.stderr is not None
        assert talker.stdout.readline() == b"done\n"
        read = os.read(talker.stderr.fileno(), 1 << 22)
        talker.stdin.write(b"\n")
        talker.stdin.close()
        lines = (read + talker.stderr.read()).splitlines()
    *said, lost, last = [json.loads(line) for line in lines]
    assert [line["number"] for line in said] == list(range(len(said))), "what got through is whole and in order"
    assert 0 < len(said) < 2_500
    assert (lost["event"], lost["count"]) == ("log lines were lost", 2_500 - len(said))
    assert last["event"] == "last"


def test_a_file_or_a_terminal_is_left_as_it_is(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        assert unblocked(stream) is stream


def test_a_line_that_is_cut_is_ended_before_the_next() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        pipe = unblocked(stream)
        assert pipe is not stream
        long = "y" * 3_000_000 + "\n"  # more than any pipe holds
        pipe.write(long)
        got = os.read(reading, 1 << 22)
        assert 0 < len(got) < len(long)
        pipe.write("next\n")  # the rest of the first comes first, and does not fit either
        while len(got) < len(long):
            got += os.read(reading, 1 << 22)
            pipe.write("again\n")
    got += os.read(reading, 1 << 22)
    os.close(reading)
    first, told, *rest = got.decode().splitlines()
    assert first + "\n" == long
    assert json.loads(told)["event"] == "log lines were lost"
    assert set(rest) <= {"again"}


def test_nobody_at_the_other_end_is_an_error_for_the_handler() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        pipe = unblocked(stream)
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            pipe.write("lost\n")
