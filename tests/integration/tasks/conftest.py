from __future__ import annotations

from tests.support.postgres import (  # noqa: F401 - fixtures
    database,
    database_url,
    postgres_server,
    record_template,
    shared_database,
    shared_database_url,
)
from tests.support.valkey import redis_url, valkey_server  # noqa: F401 - fixtures
