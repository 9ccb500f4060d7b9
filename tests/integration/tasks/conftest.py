from __future__ import annotations

from tests.integration.persistence.conftest import *  # noqa: F403 - fixtures
