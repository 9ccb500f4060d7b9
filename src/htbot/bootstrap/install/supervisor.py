"""The process manager: its configuration from the template, its start, and talking to it."""

from __future__ import annotations

import configparser
import hashlib
import io
import os
import resource
import shlex
import string
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from htbot.domain.errors import ConfigurationError

_LONGEST_SOCKET_PATH = 100
"""The kernel's limit is 107 bytes; supervisord adds a suffix while it binds."""
_SHORT_FOLDER = Path("/tmp")  # noqa: S108 - what is made in it belongs to this user alone, or is refused


@dataclass(frozen=True, slots=True)
class ProgramState:
    """A program as supervisord sees it: `RUNNING`, `STARTING`, `BACKOFF`, `FATAL` ...; its start in epoch seconds."""

    name: str
    state: str
    pid: int
    started_at: int


def socket_path(run: Path) -> Path:
    """Where supervisord listens: in `var/run`, or in a private temporary folder when that path is too long."""
    path = run / "supervisor.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(run)).hexdigest()[:16]
    inside = Path(f"htbot-{os.getuid()}-{digest}") / "supervisor.sock"
    temporary = Path(tempfile.gettempdir()) / inside
    return temporary if len(os.fsencode(temporary)) <= _LONGEST_SOCKET_PATH else _SHORT_FOLDER / inside


def render(template: Path, values: Mapping[str, str | tuple[str, ...]], programs: Collection[str]) -> str:
    """The configuration for these programs.

    `$name` is replaced by its value, a word or several; in commands each word is quoted.

    Raises:
        ConfigurationError: the template names a value that does not exist.
    """
    config = configparser.RawConfigParser()
    config.optionxform = str  # type: ignore[assignment,method-assign]
    config.read_string(template.read_text(encoding="utf-8"))
    words = {name: (value,) if isinstance(value, str) else value for name, value in values.items()}
    plain = {name: " ".join(value).replace("%", "%%") for name, value in words.items()}
    quoted = {name: shlex.join(value).replace("%", "%%") for name, value in words.items()}
    rendered = configparser.RawConfigParser()
    rendered.optionxform = str  # type: ignore[assignment,method-assign]
    for section in config.sections():
        kind, _, program = section.partition(":")
        if kind in {"program", "eventlistener"} and program not in programs:
            continue
        rendered.add_section(section)
        for key, value in config.items(section):
            try:
                filled = string.Template(value).substitute(quoted if key == "command" else plain)
            except (KeyError, ValueError) as error:
                raise ConfigurationError(f"{template.name}: {section} {key}: unknown name {error}") from error
            rendered.set(section, key, filled)
    text = io.StringIO()
    rendered.write(text)
    return text.getvalue()


def start(configuration: Path, environ: Mapping[str, str], root: Path) -> None:
    """Start supervisord in the background; it has its pid file and its socket when this returns.

    Raises:
        ConfigurationError: supervisord refused its configuration, or processes may open too few files here.
    """
    _, hardest = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hardest))  # a dump would have the secrets in it
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(configuration)],
        env=dict(environ), cwd=root, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        umask=0o077,  # its own is for the programs: it opens its log before
    )  # fmt: skip
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        cause = next((line for line in lines if line.startswith("Error")), lines[-1])
        if "file descriptors" in cause:
            allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            raise ConfigurationError(
                f"a process may open {allowed} files here, htbot needs 1024 (minfds): raise it with ulimit -Hn 1024"
            )
        raise ConfigurationError(f"supervisord did not start: {cause}")


class Supervisor:
    """A running supervisord."""

    def __init__(self, socket: Path) -> None:
        """Talk to the one that listens on this socket."""
        self._socket = socket

    def states(self) -> list[ProgramState]:
        """All programs, in order of priority.

        Raises:
            OSError: supervisord does not run.
        """
        found = self._call("getAllProcessInfo")
        return [ProgramState(row["name"], row["statename"], row["pid"], row["start"]) for row in found]

    def start(self, program: str) -> None:
        """Start a program and do not wait for it; one that runs already is left alone."""
        try:
            self._call("startProcess", program, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise

    def stop(self, program: str) -> None:
        """Ask a program to stop and do not wait for it; one that does not run is left alone."""
        try:
            self._call("stopProcess", program, False)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise

    def end(self, program: str) -> None:
        """Ask a running program to end in its orderly way; it is started again, as after every end.

        Unlike a stop and a start it is one call: whoever asks may be the program itself.
        """
        self._call("signalProcess", program, "TERM")

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)
