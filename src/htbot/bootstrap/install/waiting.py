"""Waits for the parts of a starting instance, and stops waiting for one that has failed for good."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import redis

from htbot.bootstrap.install.checks import Record, api_answers, api_status, gateway_version
from htbot.bootstrap.install.outcome import NotReady
from htbot.bootstrap.install.processes import wait_until
from htbot.bootstrap.install.supervisor import Supervisor
from htbot.bootstrap.install.valkey import require_noeviction
from htbot.domain.errors import ConfigurationError
from htbot.services.desk_view import RUNNING
from htbot.settings import Settings

PATIENCE_S = 150.0
"""A busy host takes minutes over what takes seconds; a program that has failed is seen at once, whatever this is."""
_FAILED_STARTS = 3


class Waiting:
    """Each method returns when its part is there, or raises `NotReady` that says what is missing."""

    def __init__(self, settings: Settings, supervisor: Supervisor) -> None:
        """Wait for an instance whose supervisord already runs."""
        self._settings = settings
        self._supervisor = supervisor
        self._failed_starts: dict[str, set[int]] = {}

    def for_redis(self, patience_s: float = PATIENCE_S) -> None:
        """Redis or Valkey lets us in, and keeps what it is given.

        Raises:
            ConfigurationError: it refuses us, or would throw queued tasks away when its memory is full.
        """
        chosen = self._settings.redis
        first = "CELERY_BROKER_URL" if chosen.configured_url is None and not chosen.embedded else "REDIS_URL"
        for url, name in {chosen.broker_url: "CELERY_BROKER_URL", chosen.url: first}.items():
            client = redis.Redis.from_url(url, socket_timeout=2)
            try:
                self._until_redis_answers(client, patience_s)
                if not chosen.embedded:
                    require_noeviction(name, client)
            except redis.RedisError as error:
                raise ConfigurationError(f"{name}: {error}") from error
            finally:
                client.close()

    def _until_redis_answers(self, client: redis.Redis, patience_s: float) -> None:
        def answered() -> bool:
            self.raise_for_failed(("redis", "postgres"))
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        if not wait_until(answered, patience_s):
            raise NotReady(f"Redis did not answer in {patience_s:.0f} s")

    def for_gateway(self, patience_s: float) -> int:
        """The gateway shakes hands; returns its protocol version."""
        host, port = self._settings.ib.host, self._settings.ib.port
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return gateway_version(host, port)
            except (OSError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise NotReady(f"the gateway at {host}:{port} does not answer: {error}") from error
                self.raise_for_failed(("paper",))
                time.sleep(0.1)

    def for_registration(self, record: Record, since: datetime, patience_s: float = PATIENCE_S) -> list[str]:
        """A worker has registered its tasks since then; returns their names (RULINGS 35)."""
        deadline = time.monotonic() + patience_s
        while (tasks := record.registered_tasks(since)) is None:
            self.raise_for_failed(("worker",))
            if time.monotonic() > deadline:
                log = self._settings.paths.log / "worker.log"
                raise NotReady(f"the worker registered no tasks in {patience_s:.0f} s: see {log}")
            time.sleep(0.1)
        return tasks

    def for_api(self, patience_s: float = PATIENCE_S) -> None:
        """`GET /ready` says 200."""

        def ready() -> bool:
            self.raise_for_failed(("api", "desk"))
            return api_answers(self._settings)

        if not wait_until(ready, patience_s, every_s=0.1):
            raise NotReady(f"{self._settings.api.url}/ready did not answer 200 in {patience_s:.0f} s")

    def for_desk(self, started_s: float, patience_s: float = PATIENCE_S) -> None:
        """The desk has spoken since it was started: what one before it said last still stands in Redis.

        Args:
            started_s: monotonic seconds at which the programs were started.
            patience_s: how long it may take.
        """

        def spoke() -> bool:
            self.raise_for_failed(("api", "desk"))
            desk = api_status(self._settings).get("desk") or {}
            age_s = desk.get("heartbeat_age_s")
            return desk.get("state") == RUNNING and age_s is not None and age_s <= time.monotonic() - started_s

        if not wait_until(spoke, patience_s, every_s=0.1):
            log = self._settings.paths.log / "desk.log"
            raise NotReady(f"the desk did not say a word in {patience_s:.0f} s: see {log}")

    def raise_for_failed(self, programs: Sequence[str]) -> None:
        """Stop waiting for a program that supervisord has given up, or that ended at once three times."""
        for row in self._supervisor.states():
            if row.name not in programs or row.state not in {"FATAL", "BACKOFF"}:
                continue
            failed = self._failed_starts.setdefault(row.name, set())
            failed.add(row.started_at)
            if row.state == "FATAL" or len(failed) >= _FAILED_STARTS:
                raise NotReady(f"{row.name} does not start: {self._last_words(row.name)}")

    def _last_words(self, program: str) -> str:
        """Last line that the program wrote, to its log or past it."""
        logs = [self._settings.paths.log / f"{program}{suffix}" for suffix in (".txt", ".log")]
        written = sorted(
            (log for log in logs if log.exists() and log.stat().st_size), key=lambda log: log.stat().st_mtime
        )
        if not written:
            return "it wrote nothing"
        return written[-1].read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]
