"""One strategy's work and wishes among those of many: what fails there fails alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session as Transaction

from htbot.domain.errors import HtbotError, Retryable

_log = logging.getLogger(__name__)
_Made = TypeVar("_Made")


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


def alone(
    transaction: Transaction,
    why_not: dict[str, str],
    name: str,
    act: Callable[[], _Made],
    told: str = "its wish failed: ",
) -> _Made | None:
    """Act on a wish in a savepoint; what fails leaves nothing behind, is told in `why_not`, and the others go on.

    None when it failed. The strategy stays enabled: its next look wishes the same again.

    Raises:
        Retryable, OperationalError, InterfaceError: the record itself is away, for all of them.
    """
    failed: dict[str, str] = {}
    away: list[Exception] = []

    def saved() -> _Made:
        try:
            with transaction.begin_nested():
                return act()
        except (Retryable, OperationalError, InterfaceError) as error:
            away.append(error)
            raise

    done = guarded(failed, name, saved)
    if away:
        raise away[0]
    if failed:
        why_not[name] = told + failed[name]
    return done
