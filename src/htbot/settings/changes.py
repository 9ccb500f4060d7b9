"""Which settings would be read otherwise now."""

from __future__ import annotations

from htbot.settings.load import Settings


def changed_variables(running: Settings, now: Settings) -> list[str]:
    """Names of the variables whose values differ, by section; values are not told, since some are secret."""
    names = []
    for section in Settings.model_fields:
        before, after = getattr(running, section), getattr(now, section)
        for name, field in type(before).model_fields.items():
            if getattr(before, name) != getattr(after, name):
                names.append(str(field.validation_alias or name))
    return names
