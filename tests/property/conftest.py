"""The long form of properties: `--hypothesis-profile=long`."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("long", max_examples=5000, print_blob=True)
