"""How many examples a property gets."""

from __future__ import annotations

from hypothesis import settings

# At least 300, and as many as the profile says (tests/conftest.py).
some_hundred = settings(max_examples=max(300, settings.default.max_examples if settings.default else 0), deadline=None)
