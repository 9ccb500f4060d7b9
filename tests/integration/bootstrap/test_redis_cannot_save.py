"""A Redis whose folder is gone takes no SIGTERM: supervisor kills it, and the next start is clean (FAULTS 13)."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.install.processes import is_alive, wait_until
from htbot.bootstrap.install.stack import Stack
from htbot.bootstrap.isolation import isolated_environ
from htbot.settings import project_root

WAITS_S = 2


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Redis alone under supervisor, as htbot runs it but for how long it may take to end."""
    root = tmp_path / "root"
    root.mkdir()
    template = (project_root() / "supervisord.conf").read_text()
    short = re.sub(r"(\[program:redis\][^\[]*stopwaitsecs=)\d+", rf"\g<1>{WAITS_S}", template)
    assert short != template
    (root / "supervisord.conf").write_text(short)
    shutil.copy(project_root() / "redis.conf", root)
    made = Stack(root, isolated_environ(dict(os.environ), tmp_path / "var"))
    yield made
    made.stop_all()


def bring_up(stack: Stack) -> int:
    """Start it; its pid."""
    with stack.exclusive():
        stack.start_servers(("redis",))
        stack.waiting().for_redis()
    return stack.states()[0].pid


@pytest.mark.fault(13)
def test_it_is_killed_when_it_does_not_stop(stack: Stack) -> None:
    pid = bring_up(stack)
    shutil.rmtree(stack.settings.paths.redis)
    with redis.Redis.from_url(stack.settings.redis.url) as client:
        client.set("htbot:any", "thing")  # what it would save at its end
    stack.supervisor().stop("redis")
    log = stack.settings.paths.log / "redis.txt"
    assert wait_until(lambda: "can't exit" in log.read_text(), PATIENCE_S), "it refuses to end"
    assert is_alive(pid)
    assert wait_until(lambda: not is_alive(pid), WAITS_S + PATIENCE_S)
    assert "killing 'redis'" in (stack.settings.paths.log / "supervisord.txt").read_text()
    stack.stop_all()
    assert bring_up(stack) != pid
