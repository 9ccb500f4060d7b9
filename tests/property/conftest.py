"""`HYPOTHESIS_PROFILE=long` gives every property 10,000 examples, but for those that say a number of their own."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("long", max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "10000")), deadline=None)
if os.environ.get("HYPOTHESIS_PROFILE"):
    settings.load_profile(os.environ["HYPOTHESIS_PROFILE"])
