from __future__ import annotations

from tests.integration.persistence.conftest import *  # noqa: F403 - fixtures
from tests.support.mailbox import *  # noqa: F403 - fixtures
from tests.support.valkey import *  # noqa: F403 - fixtures
