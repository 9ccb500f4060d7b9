"""One strategy's wishes among those of many: what fails there fails alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session as Transaction

from htbot.domain.errors import Retryable
from htbot.engine.guarding import guarded
from htbot.persistence.book import BookQuery
from htbot.persistence.records import StrategyInstance

_Made = TypeVar("_Made")
_LOCK_NOT_AVAILABLE = "55P03"


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


def not_traded(instance: StrategyInstance) -> str:
    """Why an instance does nothing whose account the desk does not trade."""
    return f"account {instance.account} is not traded here: name it in IB_ACCOUNTS"


def hold_account(transaction: Transaction, account: str) -> bool:
    """Hold an account until the transaction ends; False when others held it for longer than anybody waits.

    Raises:
        OperationalError: the record itself is away.
    """
    try:
        with transaction.begin_nested():
            BookQuery(transaction).hold_account(account)
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
            raise
        return False
    return True
