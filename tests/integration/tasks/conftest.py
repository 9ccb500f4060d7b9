from __future__ import annotations

from tests.integration.persistence.conftest import *  # noqa: F403 - fixtures
from tests.support.valkey import redis_url, valkey_server  # noqa: F401 - fixtures
