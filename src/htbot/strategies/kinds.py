"""Which types of strategy trade options: what the record and the desk need to know without loading any of them."""

from __future__ import annotations

ON_OPTIONS = frozenset({"spx_breakout", "strangle_momentum", "vertical_spread"})
"""Every other type trades plain instruments (a test holds this against the registry)."""
