"""Ports on loopback: is one taken, which one is free, does a server answer."""

from __future__ import annotations

import random
import socket

from htbot.domain.errors import ConfigurationError

_PRIVATE_RANGE = range(20_000, 30_000)
"""Below the range that systems hand out to outgoing connections, so that a remembered port stays free."""


def is_taken(port: int, host: str = "127.0.0.1") -> bool:
    """Whether another program listens on the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False


_handed_out: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that this process has not been given before."""
    for port in random.sample(_PRIVATE_RANGE, 200):
        if port not in _handed_out and not is_taken(port):
            _handed_out.add(port)
            return port
    raise ConfigurationError("no free port between 20000 and 29999 on 127.0.0.1")


def require_free(variable: str, port: int, host: str = "127.0.0.1") -> None:
    """Refuse a configured port that another program holds.

    Raises:
        ConfigurationError: names the variable, the port and the way out.
    """
    if is_taken(port, host):
        raise ConfigurationError(
            f"{variable}={port} is taken by another program: stop it or set {variable} to a free port"
        )


def answers(host: str, port: int, timeout_s: float = 1.0) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False
