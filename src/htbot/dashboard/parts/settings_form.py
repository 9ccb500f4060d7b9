"""A form for the settings of a strategy: a field for each, checked as it is typed by what the strategy declares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.validation_element import ValidationElement
from nicegui.elements.mixins.value_element import ValueElement

from htbot.dashboard.parts.numbers import words

Setting = Mapping[str, Any]
_SHORT = {name.lower(): name for name in ("RSI", "EMA", "SMA", "MACD", "ROC", "USD")} | {"pnl": "P&L", "pct": "%"}
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


def trouble_of(setting: Setting, text: str) -> str | None:
    """Why a text does not fit a setting; None when it does. An empty one is the default."""
    text = text.strip()
    if not text:
        return None
    kind = setting["type"]
    if kind in {"integer", "number", "decimal"}:
        return _number_trouble(setting, text, whole=kind == "integer")
    if kind == "time" and not _TIME.fullmatch(text):
        return "a time of New York, as 10:00"
    return None


def _number_trouble(setting: Setting, text: str, *, whole: bool) -> str | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return "a whole number" if whole else "a number"
    if not value.is_finite() or (whole and value != value.to_integral_value()):
        return "a whole number" if whole else "a number"
    if "low" in setting and not Decimal(str(setting["low"])) <= value <= Decimal(str(setting["high"])):
        return f"{setting['low']:,} to {setting['high']:,}"
    return None


def default_of(setting: Setting) -> str:
    """What counts when nothing is given."""
    default = setting["default"]
    if setting["type"] == "time" and default is not None:
        return str(default)[: len("HH:MM")]
    return "none" if default is None else "yes" if default is True else "no" if default is False else str(default)


def label_of(setting: Setting) -> str:
    """Its name as people read it, a unit apart: Stop loss, USD."""
    told = " ".join(_SHORT.get(word, word) for word in words(setting["name"]).split())
    name = told[:1].upper() + told[1:]
    return f"{name.removesuffix(' USD')}, USD" if name.endswith(" USD") else name


def text_of(value: object) -> str:
    """A value as it stands in a field."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def hint_of(setting: Setting) -> str:
    """What it is, what counts when nothing is given, and what may be given: a choice is made from those there are."""
    said, unit = setting["meaning"], setting["unit"]
    if unit and unit not in said:
        said = f"{said} ({unit})" if said else unit
    typed = "choices" not in setting and setting["type"] != "boolean"
    return "; ".join(
        part for part in (said, f"default {default_of(setting)}{_range(setting)}" if typed else "") if part
    )


@dataclass
class SettingsForm:
    """Fields of one type of strategy, in the NiceGUI element that is open; only what is filled in is given."""

    settings: Sequence[Setting]
    values: Mapping[str, object] = field(default_factory=dict)
    fields: dict[str, ValueElement[Any]] = field(default_factory=dict)

    def show(self) -> None:
        """Put the fields there."""
        with ui.element("div").classes("fields"):
            for setting in self.settings:
                self.fields[setting["name"]] = self._field(setting)

    def _field(self, setting: Setting) -> ValueElement[Any]:
        name, label = setting["name"], label_of(setting)
        value = text_of(self.values.get(name))
        made: ui.select | ui.input
        choices = ["true", "false"] if setting["type"] == "boolean" else setting.get("choices")
        if choices is not None:
            options = {"": f"default: {default_of(setting)}"} | {str(one): words(str(one)) for one in choices}
            made = ui.select(options, value=value, label=label).props("outlined dense options-dense")
        else:
            check: Callable[[Any], str | None] = lambda text: trouble_of(setting, str(text or ""))  # noqa: E731
            made = ui.input(label, value=value, validation=check).props("outlined dense")
        made.props["hint"] = hint_of(setting)
        return made

    def fits(self) -> bool:
        """Whether each field does."""
        checked = [one for one in self.fields.values() if isinstance(one, ValidationElement)]
        troubles = [one for one in checked if not one.validate()]  # each is asked, so that each shows its trouble
        return not troubles

    def given(self) -> dict[str, object]:
        """Names and texts of what is filled in."""
        texts = {name: str(one.value or "").strip() for name, one in self.fields.items()}
        return {name: text for name, text in texts.items() if text}

    def unset(self) -> list[str]:
        """Settings that had a value and have none now."""
        given = self.given()
        return [name for name in self.values if name in self.fields and name not in given]


def _range(setting: Setting) -> str:
    return f", {setting['low']:,} to {setting['high']:,}" if "low" in setting else ""
