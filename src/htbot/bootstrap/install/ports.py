"""Ports on loopback: is one taken, which one is free, does a server answer."""

from __future__ import annotations

import os
import random
import socket
from collections import deque
from collections.abc import Sequence

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
_claims: deque[int] = deque()
_MOST_CLAIMS = 64
"""Descriptors of the latest claims; whoever wanted an earlier port listens there by now."""


def free_port(among: Sequence[int] = _PRIVATE_RANGE) -> int:
    """A port that nobody listens on, that this process has not been given before, nor another that may still want it.

    Two instances that are set up at the same time draw from the same ports, and each listens on its own only later.
    """
    for port in random.sample(among, min(200, len(among))):
        if port not in _handed_out and not is_taken(port) and _claim(port):
            _handed_out.add(port)
            return port
    raise ConfigurationError(f"no free port between {min(among)} and {max(among)} on 127.0.0.1")


def _claim(port: int) -> bool:
    """Whether no other process has been given the port lately: a name that the kernel frees when its process ends."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0htbot-port-{port}")
    except OSError:
        claim.close()
        return False
    if len(_claims) == _MOST_CLAIMS:
        os.close(_claims.popleft())
    _claims.append(claim.detach())
    return True


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
