from __future__ import annotations

from tests.support.mailbox import *  # noqa: F403 - fixtures
from tests.support.postgres import *  # noqa: F403 - fixtures
