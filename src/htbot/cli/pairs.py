"""Options of the form name=value."""

from __future__ import annotations

from collections.abc import Sequence

from htbot.domain.errors import ConfigurationError


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Names and values of an option that may be given several times.

    Raises:
        ConfigurationError: a text without a name or an equals sign.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ConfigurationError(f"{option} {text}: write name=value")
        found[name.strip()] = value.strip()
    return found
