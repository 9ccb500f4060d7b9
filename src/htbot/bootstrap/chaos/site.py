"""The instance under test: its stack, its proxy, its processes and where its two books are."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htbot.bootstrap.chaos.proxy import ProxyThread
from htbot.bootstrap.install.processes import MARK, belongs_to, is_alive, parent_of, processes_of
from htbot.bootstrap.install.stack import Stack
from htbot.bootstrap.install.supervisor import ProgramState
from htbot.domain.errors import Retryable
from htbot.paper.faults.talk import ask
from htbot.settings import Settings


class NotNow(Retryable):
    """What is to be broken is not there at this moment."""


@dataclass(frozen=True, slots=True)
class Site:
    """One started instance."""

    stack: Stack
    proxy: ProxyThread

    @property
    def settings(self) -> Settings:
        """As the instance runs."""
        return self.stack.settings

    @property
    def books(self) -> Path:
        """The gateway's own file."""
        return self.settings.paths.paper / "gateway.sqlite"

    def states(self) -> list[ProgramState]:
        """All programs.

        Raises:
            NotNow: supervisord does not answer, or is on its way out.
        """
        try:
            return self.stack.supervisor().states()
        except (OSError, xmlrpc.client.Error, http.client.HTTPException) as error:
            raise NotNow(f"supervisord does not answer: {error}") from error

    def pid(self, program: str) -> int:
        """Pid of a running program.

        Raises:
            NotNow: it does not run, or supervisord does not.
        """
        pid = next((row.pid for row in self.states() if row.name == program), 0)
        if not pid or not is_alive(pid):
            raise NotNow(f"{program} does not run")
        return pid

    def send(self, program: str, number: signal.Signals) -> int:
        """Signal a program; its pid."""
        pid = self.pid(program)
        self.signal_pid(pid, number)
        return pid

    def signal_pid(self, pid: int, number: signal.Signals) -> None:
        """Signal a process of this instance; one that is gone is left alone, and so is a stranger under its number."""
        if belongs_to(pid, self.stack.instance):
            os.kill(pid, number)

    def children(self, pid: int) -> list[int]:
        """Child processes."""
        return [child for child in processes_of(self.stack.instance) if parent_of(child) == pid]

    def spawn(self, *module: str) -> subprocess.Popen[bytes]:
        """Start a copy of a program beside the supervised one, with the instance's environment and mark."""
        environ = {**self.stack.environ, MARK: str(self.stack.instance), "SPT_NOENV": "1"}
        with (self.settings.paths.log / f"second-{module[0]}.txt").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *module],
                env=environ, cwd=self.stack.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def ask_gateway(self, fault: str, **fields: object) -> Any:
        """Arm a fault of the gateway through its control port."""
        texts = {name: str(value) for name, value in fields.items()}
        return ask(self.settings.paths.paper, {"do": "add", "fault": fault, "fields": texts})

    def clear_gateway(self) -> None:
        """Remove every fault of the gateway."""
        ask(self.settings.paths.paper, {"do": "clear", "number": None})
