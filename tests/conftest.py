"""What is told of a change must not depend on luck: the same examples each time, and no clock.

`HYPOTHESIS_PROFILE=long` gives every property 10,000 examples, others each time (`--hypothesis-seed` repeats them), but
for those that say a number of their own.

Eight thousand collected tests are a heap that collecting garbage would walk through again and again, and nothing of it
is garbage: it waits while they are collected, and looks at what is made later only.
"""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

_SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, **_SLOW)
settings.register_profile("long", max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "10000")), **_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "same")

gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()
