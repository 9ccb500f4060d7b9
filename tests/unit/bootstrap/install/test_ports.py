from __future__ import annotations

from htbot.bootstrap.install.ports import free_port


def test_nobody_is_given_a_port_twice() -> None:
    """A desk and an API that drew the same number would refuse to start; 600 of 10,000 would all but surely meet."""
    ports = [free_port() for _ in range(600)]
    assert len(set(ports)) == len(ports)
