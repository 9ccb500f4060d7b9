"""The disk of the logs is full: the program goes on, later its log too, and a person is told (FAULTS 18)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import PATIENCE_S

from htbot.alerts.message import Message
from htbot.bootstrap.install import supervisor
from htbot.bootstrap.install.processes import wait_until
from htbot.bootstrap.install.rounds import Rounds, full_disks
from htbot.settings import project_root

DISK_KB, FILE_KB = 1024, 32
TRADER = """
import os, sys, time
from pathlib import Path
from htbot.telemetry.logs import configure_logging, get_logger

configure_logging("desk")
log, acted = get_logger("desk"), Path(sys.argv[1])
for number in range(1_000_000):
    log.info("acted", number=number, padding="x" * 400)
    beside = acted.with_suffix(".new")
    beside.write_text(f"{os.getpid()} {number}")
    beside.replace(acted)  # read at any time: whole
    time.sleep(0.002)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """The logs of a desk on a disk of their own, kept by supervisord as htbot sets it up, in smaller files."""
    trader, acted = tmp_path / "trader.py", tmp_path / "acted"
    trader.write_text(TRADER)
    template = tmp_path / "supervisord.conf"
    small = re.sub(r"maxbytes=\d+MB", f"maxbytes={FILE_KB}KB", (project_root() / "supervisord.conf").read_text())
    template.write_text(small.replace("autostart=false", "autostart=true"))
    with small_disk(tmp_path / "log", DISK_KB) as made:
        values = {name: str(tmp_path) for name in ("root", "run")}
        values |= {"log": str(made.folder), "socket": str(tmp_path / "supervisor.sock")}
        python = (sys.executable, str(trader), str(acted))
        configuration = tmp_path / "rendered.conf"
        configuration.write_text(supervisor.render(template, {**values, "python": python}, ["desk"]))
        made.start(sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(configuration))
        yield made


@pytest.mark.fault(18)
@pytest.mark.slow
def test_the_program_goes_on_and_its_log_when_there_is_room(disk: SmallDisk, tmp_path: Path) -> None:
    acted = tmp_path / "acted"

    def goes_on(by: int) -> bool:
        since = number(acted)
        return wait_until(lambda: number(acted) >= since + by, PATIENCE_S)

    assert wait_until((disk.seen / "desk.log.2").exists, PATIENCE_S), "files are rotated"
    pid = acted.read_text().split()[0]
    disk.fill()
    full_at = number(acted)
    assert goes_on(500), "200 KiB that cannot be written: more than the pipe to supervisord holds"

    told: list[Message] = []

    def tell(message: Message) -> bool:
        told.append(message)
        return True

    rounds = Rounds([lambda: full_disks([disk.seen], 1)])
    for _ in range(3):
        rounds.look(tell)
    [message] = told
    assert message.title == "A disk is nearly full"

    disk.free()
    assert wait_until(lambda: newest(disk) > full_at + 500, PATIENCE_S), "its log goes on"
    assert acted.read_text().split()[0] == pid, "it never ended"
    files = list(disk.seen.glob("desk.log*"))
    assert len(files) <= 11
    assert all(file.stat().st_size < 2 * FILE_KB * 1024 for file in files)


def number(acted: Path) -> int:
    words = acted.read_text().split() if acted.exists() else []
    return int(words[1]) if len(words) == 2 else 0


def newest(disk: SmallDisk) -> int:
    """The number in the last whole line of the log."""
    for line in reversed((disk.seen / "desk.log").read_text(errors="replace").splitlines()[:-1]):
        if line.startswith("{") and line.endswith("}"):
            return int(json.loads(line).get("number", 0))
    return 0
