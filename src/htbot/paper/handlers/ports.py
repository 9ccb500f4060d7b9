"""The shape of a request handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from htbot.paper.gateway import Gateway, Pace
from htbot.paper.session import Session


@dataclass(frozen=True, slots=True)
class Context:
    """Where a request is handled."""

    gateway: Gateway
    pace: Pace
    session: Session
    frame: tuple[str, ...]


Handler = Callable[[Context, dict[str, Any]], None]
