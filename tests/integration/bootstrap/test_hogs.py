"""A process that leaks is told as degraded and restarted, the desk between orders only (FAULTS 46)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import PATIENCE_S

from htbot.alerts.message import Message
from htbot.bootstrap.install import supervisor
from htbot.bootstrap.install.processes import MARK, is_alive, read_pid, wait_until
from htbot.bootstrap.install.rounds import Hogs, Rounds
from htbot.bootstrap.install.supervisor import Supervisor
from htbot.bootstrap.install.usage import Degraded, usage_of
from htbot.domain.errors import ConfigurationError, Retryable
from htbot.settings import project_root

LIMIT_MB = 64
LEAK = """
import signal, sys, time
from pathlib import Path
def told(*_):
    Path(sys.argv[1], "told").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
leaked = []
while len(leaked) < 100 and Path(sys.argv[1], "leak").exists():
    leaked.append(bytes(range(256)) * 4096)
while True:
    time.sleep(60)
"""


@dataclass
class DeskSays:
    """The desk's line: what it says of its orders and of the record."""

    under_way: list[str] | None = None
    unwritten: int = 0
    troubles: dict[str, Any] = field(default_factory=dict)
    away: bool = False

    def ask(self, request: dict[str, str]) -> dict[str, Any]:
        assert request == {"do": "status"}
        if self.away:
            raise Retryable("the desk does not answer")
        return {"under_way": self.under_way, "unwritten": self.unwritten, "troubles": self.troubles}


@dataclass
class Place:
    """Programs of a name that leak, under supervisord."""

    folder: Path
    supervisor: Supervisor

    def pid(self, program: str) -> int:
        return next(row.pid for row in self.supervisor.states() if row.name == program)

    def leaking(self, program: str) -> bool:
        return any(usage.program == program and usage.memory_mb > LIMIT_MB for usage in usage_of(self.folder))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "leak").touch()
    (tmp_path / "leak.py").write_text(LEAK)
    text = (project_root() / "supervisord.conf").read_text().replace("autostart=false", "autostart=true")
    (tmp_path / "template.conf").write_text(text)
    values: dict[str, str | tuple[str, ...]] = {name: str(tmp_path) for name in ("root", "run", "log")}
    values |= {"socket": str(tmp_path / "s.sock"), "python": (sys.executable, str(tmp_path / "leak.py"), str(tmp_path))}
    configuration = tmp_path / "rendered.conf"
    configuration.write_text(supervisor.render(tmp_path / "template.conf", values, ["desk", "api"]))
    supervisor.start(configuration, {**os.environ, MARK: str(tmp_path)}, tmp_path)
    assert wait_until(lambda: read_pid(tmp_path / "supervisord.pid") is not None, PATIENCE_S)
    pid = int((tmp_path / "supervisord.pid").read_text())
    yield Place(tmp_path, Supervisor(tmp_path / "s.sock"))
    os.kill(pid, 15)
    assert wait_until(lambda: not is_alive(pid), PATIENCE_S)


def look(hogs: Hogs) -> list[str]:
    """One round; the titles of what is there."""
    told: list[Message] = []

    def tell(message: Message) -> bool:
        told.append(message)
        return True

    Rounds([hogs]).look(tell)
    return [message.title for message in told]


@pytest.mark.fault(46)
@pytest.mark.slow
def test_a_leak_ends_with_a_restart_and_the_desks_between_orders_only(place: Place) -> None:
    assert wait_until(lambda: place.leaking("desk") and place.leaking("api"), PATIENCE_S)
    desk, api = place.pid("desk"), place.pid("api")
    degraded = Degraded(place.folder, LIMIT_MB)
    assert [line.partition(" holds ")[0] for line in sorted(degraded())] == [f"api (pid {api})", f"desk (pid {desk})"]

    says = DeskSays()
    hogs = Hogs(place.folder, LIMIT_MB, says)  # type: ignore[arg-type]
    (place.folder / "leak").unlink()  # the next one does not
    assert sorted(look(hogs)) == ["api takes too much and is restarted", "desk takes too much"]
    assert wait_until(lambda: place.pid("api") not in {0, api}, PATIENCE_S)
    assert (place.folder / "told").exists(), "it was asked to end, not killed"

    for busy in (
        DeskSays(under_way=["htbot-a-b-20221126-E1"]),
        DeskSays(under_way=[], unwritten=1),
        DeskSays(under_way=[], troubles={"postgres": {"text": "away", "seconds": 1}}),
        DeskSays(under_way=[], away=True),
    ):
        says.__dict__.update(vars(busy))
        assert look(hogs) == ["desk takes too much"]
    assert place.pid("desk") == desk
    says.__dict__.update(vars(DeskSays(under_way=[])))
    assert look(hogs) == ["desk takes too much and is restarted"]
    assert wait_until(lambda: place.pid("desk") not in {0, desk}, PATIENCE_S)
    assert look(hogs) == []
    assert Degraded(place.folder, LIMIT_MB)() == ()


@pytest.mark.fault(46)
def test_a_process_short_of_files_is_degraded(tmp_path: Path) -> None:
    code = "import os, resource; resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
    code += "held = [os.open('/dev/null', 0) for _ in range(15)]\nprint(flush=True); input()"
    environ = {**os.environ, MARK: str(tmp_path), "SUPERVISOR_PROCESS_NAME": "api"}
    with subprocess.Popen([sys.executable, "-c", code], env=environ, stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        [line] = Degraded(tmp_path, 4096)()
        process.communicate(b"\n")
    assert line == f"api (pid {process.pid}) has 18 files open, the limit is 20"


@pytest.mark.fault(46)
def test_too_few_files_for_anybody_is_a_refusal_to_start(tmp_path: Path) -> None:
    """In a user namespace nobody can raise a hard limit, root of a container included."""
    code = (
        "import resource, sys; from pathlib import Path; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "from htbot.bootstrap.install import supervisor; folder = Path(sys.argv[1])\n"
        "names = ('root', 'run', 'log', 'socket', 'python')\n"
        "text = supervisor.render(Path(sys.argv[2]), dict.fromkeys(names, str(folder)), [])\n"
        "(folder / 'c.conf').write_text(text)\n"
        "try: supervisor.start(folder / 'c.conf', {}, folder)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    inside = ["unshare", "--user", "--map-root-user", "--"]
    if subprocess.run([*inside, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("not run: this host gives nobody a user namespace")
    done = subprocess.run(
        [*inside, sys.executable, "-c", code, str(tmp_path), str(project_root() / "supervisord.conf")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == (
        f"{ConfigurationError.__name__} a process may open 256 files here, htbot needs 1024 (minfds):"
        " raise it with ulimit -Hn 1024\n"
    )
