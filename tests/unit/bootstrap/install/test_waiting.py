"""A start is ready when the desk has spoken, not when what one before it said still stands in Redis."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from htbot.bootstrap.install.outcome import NotReady
from htbot.bootstrap.install.supervisor import ProgramState, Supervisor
from htbot.bootstrap.install.waiting import Waiting
from htbot.settings import load_settings

LONG_AGO_S = 1_000_000.0


class NoPrograms(Supervisor):
    def __init__(self) -> None:
        super().__init__(Path())

    def states(self) -> list[ProgramState]:
        return []


@contextmanager
def api(answers: list[object]) -> Iterator[int]:
    """`GET /status` with the desk's part of each answer in turn, the last one for ever; its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            desk = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"desk": desk}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def waiting(folder: Path, port: int) -> Waiting:
    return Waiting(load_settings(folder, {"HTBOT_API_PORT": str(port)}), NoPrograms())


def test_a_start_waits_for_a_word_that_is_younger_than_itself(tmp_path: Path) -> None:
    old, silent = {"state": "running", "heartbeat_age_s": LONG_AGO_S}, {"state": "running", "heartbeat_age_s": None}
    answers: list[object] = [None, silent, old, {"state": "running", "heartbeat_age_s": 0.0}]
    with api(answers) as port:
        waiting(tmp_path, port).for_desk(time.monotonic())
    assert len(answers) == 1, "every word before it was no reason to go on"


def test_a_desk_that_says_nothing_is_named_with_its_log(tmp_path: Path) -> None:
    with api([{"state": "running", "heartbeat_age_s": LONG_AGO_S}]) as port, pytest.raises(NotReady) as told:
        waiting(tmp_path, port).for_desk(time.monotonic(), patience_s=0.0)
    assert "the desk did not say a word" in str(told.value)
    assert "desk.log" in str(told.value)
