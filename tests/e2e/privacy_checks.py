"""What a whole running instance keeps to itself: ports, files, secrets (FAULTS 56, 57, 59, 62)."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
from tests.e2e.running import Instance

from htbot.bootstrap.install.processes import processes_of
from htbot.settings.endpoint import read_endpoint


def keeps_to_itself(instance: Instance) -> None:
    """All of it, at one moment of a running instance."""
    processes = living(instance)
    assert {"desk", "api", "worker", "beat"} <= {row.name for row in instance.stack.states()}
    addresses = set(listening(processes.values()))
    assert {ipaddress.ip_address(address).is_loopback for address, _ in addresses} == {True}
    assert {port for _, port in addresses} >= {instance.stack.settings.api.port, instance.stack.settings.ib.port}
    assert [port for _, port in addresses if answers_as_supervisor(port)] == []
    paths = instance.stack.settings.paths
    opened = open_to_others(paths.var) - {paths.kill_switch_file}  # which a person has made
    assert not opened, opened
    assert [pid for pid, one in processes.items() if dumps_core(one)] == []
    secrets = secrets_of(instance)
    assert len(secrets) == 7
    assert [
        secret for secret in secrets for told in everything_told(instance, processes.values()) if secret in told
    ] == []


def living(instance: Instance) -> dict[int, psutil.Process]:
    """The instance's processes with their children by pid. Some end at any time: PostgreSQL has one per connection."""
    found: dict[int, psutil.Process] = {}
    for pid in processes_of(instance.stack.instance):
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(pid)
            found |= {one.pid: one for one in (parent, *parent.children(recursive=True))}
    return found


def listening(processes: Iterable[psutil.Process]) -> Iterator[tuple[str, int]]:
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            for connection in one.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM:
                    yield connection.laddr.ip, connection.laddr.port


def dumps_core(process: psutil.Process) -> bool:
    try:
        return process.rlimit(psutil.RLIMIT_CORE)[0] != 0
    except psutil.NoSuchProcess:
        return False


def answers_as_supervisor(port: int) -> bool:
    """Whether somebody without a password could stop our programs there."""
    question = b"<?xml version='1.0'?><methodCall><methodName>supervisor.getState</methodName></methodCall>"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/RPC2", question, {"Content-Type": "text/xml"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return b"statename" in answer.read()
    except (OSError, ValueError):
        return False


def open_to_others(folder: Path) -> set[Path]:
    """Files and sockets that somebody else on this machine could open."""
    found: set[Path] = set()
    below = (Path(at, name) for at, folders, files in os.walk(folder) for name in (*folders, *files))
    for path in (folder, *below):
        with suppress(FileNotFoundError):  # PostgreSQL's come and go
            if not path.is_symlink() and stat.S_IMODE(path.lstat().st_mode) & 0o077:
                found.add(path)
    return found


def secrets_of(instance: Instance) -> list[str]:
    """Token and passwords."""
    settings = instance.stack.settings
    found = [settings.api.token.get_secret_value()] if settings.api.token else []
    for folder in (settings.paths.postgres, settings.paths.redis):
        endpoint = read_endpoint(folder)
        found += [endpoint.password, *endpoint.roles.values()] if endpoint else []
    return found


def everything_told(instance: Instance, processes: Iterable[psutil.Process]) -> Iterator[str]:
    """Logs, mails, command lines, and what the API says of itself."""
    paths = instance.stack.settings.paths
    for folder in (paths.log, paths.mail, paths.desk):
        for path in folder.rglob("*"):
            if path.is_file():
                with suppress(FileNotFoundError):  # a mail is written beside its place
                    yield path.read_text(encoding="utf-8", errors="replace")
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            yield " ".join(one.cmdline())
    api = instance.stack.settings.api
    token = api.token.get_secret_value() if api.token else ""
    with httpx.Client(base_url=api.url, headers={"X-API-Key": token}, timeout=60) as client:
        for path in ("/", "/health", "/ready", "/status", "/metrics", "/openapi.json", "/docs", "/alerts", "/nothing"):
            answer = client.get(path)
            yield answer.text + str(answer.headers)
