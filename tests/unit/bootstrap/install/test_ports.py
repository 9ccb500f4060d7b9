from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from htbot.bootstrap.install.ports import free_port
from htbot.domain.errors import ConfigurationError

TWO = range(30_500, 30_502)
DRAW = f"""
from htbot.bootstrap.install.ports import free_port
print(free_port(range({TWO.start}, {TWO.stop})), flush=True)
input()
"""


def test_nobody_is_given_a_port_twice() -> None:
    """A desk and an API that drew the same number would refuse to start; 600 of 10,000 would all but surely meet."""
    ports = [free_port() for _ in range(600)]
    assert len(set(ports)) == len(ports)


def test_a_port_that_another_process_was_given_is_not_given_again() -> None:
    """Nobody listens on it yet."""
    with subprocess.Popen([sys.executable, "-c", DRAW], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        ours = free_port(TWO)
        assert {ours, theirs} == set(TWO)
        with socket.create_server(("127.0.0.1", theirs)), pytest.raises(ConfigurationError, match="30500 and 30501"):
            free_port(TWO)
        other.communicate(b"\n")
