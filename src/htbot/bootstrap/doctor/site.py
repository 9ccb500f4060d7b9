"""The instance that is looked at: each server is asked once, and what it said is kept for all checks."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from htbot.domain.errors import HtbotError
from htbot.settings import Settings, project_root

if TYPE_CHECKING:
    from htbot.adapters.live import LiveReader
    from htbot.bootstrap.install.supervisor import ProgramState
    from htbot.domain.sessions import Session as TradingSession
    from htbot.persistence.engine import Database
    from htbot.services.desk_view import DeskView


class Site:
    """One instance by its settings. Close it when done."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._database: Database | None = None

    @property
    def root(self) -> Path:
        """The project's folder."""
        return project_root()

    @property
    def host_now(self) -> datetime:
        """Wall time, aware UTC."""
        return datetime.now(UTC)

    @property
    def market_now(self) -> datetime:
        """The desk's market time; without a desk the host's."""
        return self.desk.market_time or self.host_now

    @property
    def database(self) -> Database:
        """The record."""
        if self._database is None:
            from htbot.persistence.engine import Database, EngineOptions

            options = EngineOptions(application_name="htbot-doctor", pool_size=1, connect_timeout_s=3)
            self._database = Database(self.settings.database.url, options)
        return self._database

    @cached_property
    def record_trouble(self) -> str | None:
        """Why PostgreSQL does not answer, None when it does."""
        from sqlalchemy import text

        try:
            with self.database.transaction() as session:
                session.execute(text("SELECT 1"))
        except HtbotError as error:
            return str(error)
        return None

    @cached_property
    def live(self) -> LiveReader:
        """What the desk publishes."""
        from htbot.adapters.live import LiveReader

        return LiveReader(self.settings.redis.url)

    @cached_property
    def redis_trouble(self) -> str | None:
        """Why Redis does not answer, None when it does."""
        import redis

        try:
            self.live.ping()
        except (HtbotError, redis.RedisError) as error:
            return " ".join(str(error).split()) or type(error).__name__
        return None

    @cached_property
    def desk(self) -> DeskView:
        """The desk as it last spoke."""
        from htbot.services.desk_view import look

        return look(self.live, self.host_now)

    @cached_property
    def programs(self) -> list[ProgramState] | None:
        """Every program as supervisord sees it; None when it does not run."""
        from htbot.bootstrap.install.supervisor import Supervisor, socket_path

        try:
            return Supervisor(socket_path(self.settings.paths.run)).states()
        except OSError:
            return None

    @cached_property
    def sessions(self) -> list[TradingSession]:
        """Sessions of the exchange from the market's today on, as the record knows them."""
        from datetime import timedelta

        from htbot.domain.sessions import NEW_YORK
        from htbot.persistence.repositories import SessionRepository

        today = self.market_now.astimezone(NEW_YORK).date()
        with self.database.transaction() as session:
            return SessionRepository(session).between(today, today + timedelta(days=14))

    @property
    def in_session(self) -> bool:
        """Whether the exchange is open at this market time."""
        return bool(self.sessions) and self.sessions[0].contains(self.market_now)

    def close(self) -> None:
        """Close what was opened."""
        if self._database is not None:
            self._database.close()
