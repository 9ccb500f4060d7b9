"""What a server that the desk leans on refuses, and since when: told on the desk's line, where the alarm asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Trouble:
    """The last refusal, and when the first one of its row was; nothing while the server takes what it is given."""

    text: str | None = None
    monotonic: Callable[[], float] = time.monotonic
    _since_s: float = 0.0

    def refused(self, text: str) -> None:
        """The server has refused something, or did not answer."""
        if self.text is None:
            self._since_s = self.monotonic()
        self.text = text

    def over(self) -> None:
        """It has taken something."""
        self.text = None

    def told(self) -> dict[str, object] | None:
        """Text and seconds of the trouble; None when there is none."""
        if self.text is None:
            return None
        return {"text": self.text, "seconds": round(self.monotonic() - self._since_s, 1)}
