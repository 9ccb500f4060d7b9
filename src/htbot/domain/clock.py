"""Market time as a port: decisions never read the host's clock themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Source of market time (aware UTC)."""

    def now(self) -> datetime:
        """The present market time."""
        ...
