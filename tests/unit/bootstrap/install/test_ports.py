from __future__ import annotations

import random
import socket
import subprocess
import sys

import pytest

from htbot.bootstrap.install.ports import free_port, is_taken
from htbot.domain.errors import ConfigurationError

BETWEEN = range(30_000, 32_768)
"""Above the ports that instances draw from, below those that systems hand out."""
DRAW = """
import sys
from htbot.bootstrap.install.ports import free_port
print(free_port([int(port) for port in sys.argv[1:]]), flush=True)
input()
"""


def test_nobody_is_given_a_port_twice() -> None:
    """A desk and an API that drew the same number would refuse to start; 600 of 10,000 would all but surely meet."""
    ports = [free_port() for _ in range(600)]
    assert len(set(ports)) == len(ports)


def test_a_port_that_another_process_was_given_is_not_given_again() -> None:
    """Nobody listens on it yet."""
    two = sorted([port for port in random.sample(BETWEEN, 50) if not is_taken(port)][:2])
    drawing = [sys.executable, "-c", DRAW, *map(str, two)]
    with subprocess.Popen(drawing, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        ours = free_port(two)
        assert {ours, theirs} == set(two)
        named = f"{two[0]} and {two[1]}"
        with socket.create_server(("127.0.0.1", theirs)), pytest.raises(ConfigurationError, match=named):
            free_port(two)
        other.communicate(b"\n")
