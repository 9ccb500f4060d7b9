"""Keeps secrets out of logs and messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "***"

# It begins at the beginning of a word only: from anywhere within, a word of n letters would take n * n steps.
_URL_PASSWORD = re.compile(r"(?P<before>(?<![a-z0-9+.-])[a-z0-9+.-]+://[^/\s:@]*:)[^/\s@]+(?=@)", re.IGNORECASE)
_BEARER = re.compile(r"(?P<before>\b(?:Bearer|X-API-Key:?)\s+)\S+", re.IGNORECASE)
_SECRET_KEY = re.compile(r"(?:^|_)(?:password|passwd|token|secret|api_?key|authorization|pin)$", re.IGNORECASE)
_SHORTEST = 6

_secrets: set[str] = set()


def hide_secret(value: str | None) -> None:
    """From now on, mask this value wherever it turns up; values shorter than six characters are left alone."""
    if value is not None and len(value) >= _SHORTEST:
        _secrets.add(value)


def masked(value: Any, key: str = "") -> Any:
    """The value with every secret replaced by `***`: known ones, passwords in URLs, bearer tokens, telling names."""
    if key and value is not None and _SECRET_KEY.search(key):
        return MASK
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, Mapping):
        return {name: masked(part, str(name)) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(part) for part in value]
    return value


def _masked_text(text: str) -> str:
    for secret in _secrets:
        text = text.replace(secret, MASK)
    text = _URL_PASSWORD.sub(rf"\g<before>{MASK}", text)
    return _BEARER.sub(rf"\g<before>{MASK}", text)
