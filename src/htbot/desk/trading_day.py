"""Today's session, from the table that the worker fills: the desk reads rows and no exchange calendar."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from htbot.desk.threads import DatabaseThread
from htbot.domain.sessions import NEW_YORK, Session
from htbot.persistence.repositories import SessionRepository

ONE_DAY = timedelta(days=1)


class TradingDay:
    """The session of the New York day, read once a day, again and again while the table is empty."""

    def __init__(self, database: DatabaseThread) -> None:
        self._database = database
        self._day: date | None = None
        self.session: Session | None = None

    @property
    def known(self) -> bool:
        """False until the table has answered."""
        return self._day is not None

    async def refresh(self, now: datetime) -> None:
        """Read the day's session when the day has changed."""
        day = now.astimezone(NEW_YORK).date()
        if day == self._day:
            return
        near = await self._database.insist(lambda db: SessionRepository(db).between(day, day + timedelta(days=7)))
        self.session = next((session for session in near if session.day == day), None)
        self._day = day if near else None

    def over(self, now: datetime) -> date:
        """The latest day whose session is over."""
        today = now.astimezone(NEW_YORK).date()
        closed = self.session is not None and self.session.day == today and now >= self.session.closes
        return today if closed else today - ONE_DAY

    def is_open(self, instant: datetime) -> bool:
        """Regular hours. Without a table of sessions nobody knows, and an exit is not held up by that."""
        return not self.known or (self.session is not None and self.session.contains(instant))
