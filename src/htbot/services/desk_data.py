"""Asking the desk for what is in no snapshot, with the errors that callers can act on (RULINGS 37)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis

from htbot.domain.errors import Retryable
from htbot.services.callers import DeskAway
from htbot.services.desk_view import DeskView, Live, look

CONNECTED = "connected"
Ask = Callable[[str, Mapping[str, object]], Any]
"""Kind and parameters of a request; the answer as JSON gives it (`htbot.adapters.live.LiveReader.ask`)."""


@dataclass(frozen=True, slots=True)
class DeskData:
    """The way to the desk; `host_now` is wall time."""

    live: Live
    ask: Ask
    host_now: Callable[[], datetime]

    def view(self) -> DeskView:
        """The desk as it last spoke."""
        return look(self.live, self.host_now())

    def require(self) -> DeskView:
        """The desk, connected to the broker.

        Raises:
            DeskAway: it is not.
            Retryable: nobody knows, Redis does not answer.
        """
        desk = self.view()
        if desk.state == "unknown":
            raise Retryable("redis does not answer: nobody knows what the desk sees")
        if desk.state != "running" or desk.connection != CONNECTED:
            raise DeskAway(f"the desk is not connected to the broker ({desk.connection})")
        return desk

    def get(self, kind: str, **params: object) -> Any:
        """The desk's answer to a request for data.

        Raises:
            DeskAway: it is not connected.
            Retryable: Redis, the desk or the broker does not answer in time.
            CallerMistake: the desk does not know what was asked for.
        """
        self.require()
        try:
            return self.ask(kind, params)
        except redis.RedisError as error:
            raise Retryable(f"redis does not answer: {type(error).__name__}") from error
