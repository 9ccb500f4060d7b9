"""The strategies there are: built in, in `examples/strategies`, and in folders of one's own."""

from __future__ import annotations

from htbot.settings import Settings, load_settings, project_root
from htbot.strategies.registry import Entry, discover


def strategies(settings: Settings | None = None) -> dict[str, Entry]:
    """Every strategy by name: built in, in `examples/strategies`, and in the folders of HTBOT_STRATEGY_PATH.

    Raises:
        ConfigurationError: a folder or a file that cannot be used.
    """
    chosen = settings or load_settings()
    examples = project_root() / "examples" / "strategies"
    return discover([*([examples] if examples.is_dir() else []), *chosen.paths.strategy_folders])
