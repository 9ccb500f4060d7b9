from __future__ import annotations

from tests.support.mailbox import *  # noqa: F403 - a fixture
