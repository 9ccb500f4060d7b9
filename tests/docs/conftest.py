from __future__ import annotations

from tests.support.postgres import *  # noqa: F403 - fixtures
