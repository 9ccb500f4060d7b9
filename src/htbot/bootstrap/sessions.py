"""`python -m htbot.bootstrap.sessions`: fill the table of sessions from the exchange calendar.

A program of its own, because the calendar's library brings pandas: over 100 MB that no long-lived process should keep.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta

from htbot.adapters.calendar import load_sessions
from htbot.domain.errors import HtbotError
from htbot.persistence.engine import Database, EngineOptions
from htbot.persistence.repositories import SessionRepository
from htbot.settings import load_settings

# From the first year of data that may be replayed to a year ahead.
FIRST = date(2010, 1, 1)
AHEAD = timedelta(days=365)


def main() -> int:
    """Store every session; 0 when done."""
    try:
        settings = load_settings()
        table = load_sessions(FIRST, datetime.now(UTC).date() + AHEAD, settings.paths.var / "cache")
        database = Database(settings.database.app_url, EngineOptions(application_name="htbot-sessions", pool_size=1))
        with database.transaction() as transaction:
            SessionRepository(transaction).upsert(table.all())
        database.close()
    except HtbotError as error:
        print(f"sessions: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
