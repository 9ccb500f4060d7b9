from __future__ import annotations

from tests.integration.persistence.conftest import enter  # noqa: F401 - a fixture
from tests.support.mailbox import *  # noqa: F403 - fixtures
from tests.support.postgres import *  # noqa: F403 - fixtures
from tests.support.valkey import *  # noqa: F403 - fixtures
