"""What every section of the settings has in common, and how a field names its variable."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


class Section(BaseSettings):
    """A frozen group of settings.

    Values come from the one environment that `load_settings` has read and checked, never from `os.environ` behind its
    back; so a section built in a test sees only the arguments of that test.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", populate_by_name=True, validate_default=False)

    title: ClassVar[str]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only the arguments of the constructor count."""
        return (init_settings,)


def variable(name: str, comment: str, *, default: Any = None, aliases: tuple[str, ...] = (), **constraints: Any) -> Any:
    """A field that is read from the environment variable `name`.

    Args:
        name: canonical name of the variable.
        comment: one line for `.env.example`: meaning, unit, what happens when it is unset.
        default: value when the variable is unset or empty.
        aliases: other names that are accepted; values that differ are refused.
        constraints: passed to pydantic (`ge`, `le`, `pattern`, `repr`); `shown` is the default as `.env.example`
            prints it where it is not a plain value.
    """
    shown = constraints.pop("shown", None)
    extra: dict[str, Any] = {"aliases": list(aliases)}
    if shown is not None:
        extra["shown"] = shown
    return Field(default, validation_alias=name, description=comment, json_schema_extra=extra, **constraints)


def split_words(value: Any) -> Any:
    """The words of a text that commas separate; anything else as it is."""
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())
