"""Sentences that say why nothing happened: alike when they differ in numbers only."""

from __future__ import annotations

import re

_NUMBERS = re.compile(r"[\d.,:]+")


def kind_of(reason: str) -> str:
    """What a reason has in common with those of the same rule: the sentence without its numbers."""
    return _NUMBERS.sub("", reason)
