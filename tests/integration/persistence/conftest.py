from __future__ import annotations

from tests.support.postgres import (  # noqa: F401 - fixtures
    database,
    database_url,
    empty_database_url,
    postgres_server,
    record_template,
)
