"""The paper gateway as a process of its own, to be killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import deque
from pathlib import Path
from threading import Thread

from tests.support.waiting import PATIENCE_S

_PROGRAM = """
import json, sys
from datetime import datetime
from pathlib import Path
from htbot.bootstrap.paper import PaperOptions, run
from htbot.paper.faults.control import ControlPort

options = json.loads(sys.argv[1])
for name in ("state_dir", "calendar_dir"):
    options[name] = Path(options[name])
options["data"] = tuple(Path(path) for path in options.get("data", ()))
if "faults" in options:
    options["faults"] = Path(options["faults"])
if "control" in options:
    options["control"] = ControlPort(**options["control"])
if "start" in options:
    options["start"] = datetime.fromisoformat(options["start"])
run(PaperOptions(**options), lambda gateway, port: print(port, flush=True))
"""


class PaperProcess:
    """A gateway on a free port of loopback; the state folder outlives it."""

    def __init__(self, state_dir: Path, calendar_dir: Path, **options: object) -> None:
        self._options = {"state_dir": str(state_dir), "calendar_dir": str(calendar_dir), "port": 0, **options}
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self._reading: Thread | None = None

    def start(self) -> int:
        """Start and wait until it serves; the port."""
        command = [sys.executable, "-c", _PROGRAM, json.dumps(self._options)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.strip().isdigit():
            self.kill()
            raise RuntimeError(f"the gateway did not start: {line!r}")
        self.port = int(line)
        # its log goes the same way: a full pipe would stop it
        self._reading = Thread(target=deque, args=(self._process.stdout, 0), daemon=True)
        self._reading.start()
        return self.port

    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return None if self._process is None else self._process.poll()

    def memory_mb(self) -> float:
        """Memory that it holds (resident)."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def kill(self) -> None:
        """kill -9, at whatever it is doing."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        process.send_signal(number)
        code = process.wait(timeout=PATIENCE_S)
        if self._reading is not None:
            self._reading.join(timeout=PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()
        self._process = None
        return code
