"""Settings: the only reader of the environment and of `.env`.

`load_settings()` returns one frozen `Settings` with a section per subsystem, or raises `ConfigurationError` whose text
has one line per mistake.
"""

from __future__ import annotations

from htbot.settings.load import Settings, load_settings, project_root

__all__ = ["Settings", "load_settings", "project_root"]
