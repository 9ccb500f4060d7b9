"""How long open trades were without a guard: nothing at the broker stops a spread, so this is counted and shown."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from htbot.persistence.repositories import DeskStateRepository
from htbot.persistence.repositories.desk_state import LAST_INSTANT, UNPROTECTED_S


class Protection:
    """Market seconds in which something was held that the guard could not see or could not close."""

    def __init__(self) -> None:
        self.unprotected_s = 0.0
        self._looked_at: datetime | None = None
        self._stored_s = 0.0

    def begin(self, session: Session, now: datetime, *, held: bool) -> None:
        """Go on counting where an earlier desk has stopped; what is held had no guard since then."""
        state = DeskStateRepository(session)
        last = state.get(LAST_INSTANT)
        self.unprotected_s = float(state.get(UNPROTECTED_S) or 0)
        if held and last is not None:
            self.unprotected_s += max(0.0, (now - datetime.fromisoformat(last)).total_seconds())
        self._looked_at = now

    def look(self, now: datetime, *, exposed: bool) -> None:
        """A look at everything that is held; `exposed` says whether it was without a guard since the last one."""
        if exposed and self._looked_at is not None:
            self.unprotected_s += max(0.0, (now - self._looked_at).total_seconds())
        self._looked_at = now

    def to_store(self) -> str | None:
        """The count for the record, None while it has not changed."""
        if self.unprotected_s == self._stored_s:
            return None
        self._stored_s = self.unprotected_s
        return f"{self.unprotected_s:.1f}"
