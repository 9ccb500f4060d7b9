"""One strategy's work among that of many: what fails there fails alone, live and in a backtest."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from htbot.domain.errors import HtbotError

_log = logging.getLogger(__name__)
_Made = TypeVar("_Made")


def failure(why: str) -> str:
    """What a look says of a strategy that has failed in it, and is asked again at the next."""
    return f"failed: {why}"


def guarded(failed: dict[str, str], name: str, work: Callable[[], _Made]) -> _Made | None:
    """Let a strategy work; whatever it raises ends it alone, is told in `failed`, and the others go on."""
    try:
        return work()
    except HtbotError as error:
        failed[name] = " ".join(str(error).split())
    except Exception as error:  # noqa: BLE001 - anybody's code (docs/decisions/0020)
        _log.warning("strategy %s failed", name, exc_info=True)
        failed[name] = " ".join(f"{type(error).__name__}: {error}".split())
    return None
