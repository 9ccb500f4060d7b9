"""Messages that nobody of ours has put into the queue (FAULTS 58)."""

from __future__ import annotations

import importlib
import pickle

import pytest
from kombu import Connection, Consumer, Exchange, Queue
from kombu.exceptions import ContentDisallowed


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('a message was unpickled')",)


@pytest.fixture
def settings_of_worker(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    return importlib.import_module("htbot.tasks.app").make_app("memory://", 512).conf


@pytest.mark.fault(58)
def test_a_pickled_message_is_not_read(settings_of_worker: object) -> None:
    accepted = settings_of_worker.accept_content  # type: ignore[attr-defined]
    assert list(accepted) == ["json"]
    exchange = Exchange("default", type="direct")
    queue = Queue("default", exchange, routing_key="default")
    read: list[object] = []
    with Connection("memory://") as connection:
        connection.Producer().publish(
            pickle.dumps(Bomb()), exchange=exchange, routing_key="default", declare=[queue],
            content_type="application/x-python-serialize", content_encoding="binary",
        )  # fmt: skip
        consumer = Consumer(connection, [queue], accept=accepted, callbacks=[lambda body, _: read.append(body)])
        with consumer, pytest.raises(ContentDisallowed):
            connection.drain_events(timeout=1)
    assert read == []


@pytest.mark.fault(58)
def test_nobody_controls_a_worker_from_afar(settings_of_worker: object) -> None:
    assert settings_of_worker.worker_enable_remote_control is False  # type: ignore[attr-defined]
    assert settings_of_worker.task_serializer == "json"  # type: ignore[attr-defined]
    assert settings_of_worker.result_backend is None  # type: ignore[attr-defined]
