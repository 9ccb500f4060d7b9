from __future__ import annotations

import importlib
import socket

import pytest
from celery.exceptions import WorkerShutdown
from celery.signals import worker_ready
from celery.worker import state


@pytest.mark.ruling(35)
def test_a_worker_asks_postgresql_again_until_it_is_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that starts while PostgreSQL restarts would else never say which tasks it has."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DATABASE_URL", f"postgresql://htbot@127.0.0.1:{unused.getsockname()[1]}/htbot")
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        importlib.import_module("htbot.tasks.app")  # connects its receivers
        monkeypatch.setattr(state, "should_stop", 0)
        with pytest.raises(WorkerShutdown):
            worker_ready.send(sender=None)
