"""One strategy's wishes among those of many: what fails there fails alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
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

    None when it failed. The strategy stays enabled: its next look wishes the same again. So it is where others have
    held a lock for longer than anybody waits: that is one strategy's trouble.

    Raises:
        Retryable, OperationalError, InterfaceError: the record itself is away, for all of them.
    """

    def saved() -> _Made:
        with transaction.begin_nested():
            return act()

    return _tried(why_not, name, saved, told)


def apart(
    begin: Callable[[], AbstractContextManager[Transaction]],
    why_not: dict[str, str],
    name: str,
    act: Callable[[Transaction], _Made],
) -> _Made | None:
    """The same in a transaction of its own, which is committed when this returns: whatever fails after it, it is done.

    Raises:
        Retryable, OperationalError, InterfaceError: the record itself is away, for all of them.
    """

    def committed() -> _Made:
        with begin() as transaction:
            return act(transaction)

    return _tried(why_not, name, committed, "its wish failed: ")


def _tried(why_not: dict[str, str], name: str, act: Callable[[], _Made], told: str) -> _Made | None:
    failed: dict[str, str] = {}
    away: list[Exception] = []

    def watched() -> _Made:
        try:
            return act()
        except (Retryable, OperationalError, InterfaceError) as error:
            if not _is_lock(error):
                away.append(error)
            raise

    done = guarded(failed, name, watched)
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
        if not _is_lock(error):
            raise
        return False
    return True


def _is_lock(error: BaseException) -> bool:
    """Whether others have held a lock for too long, and nothing else is wrong with the record."""
    cause = error.__cause__ if isinstance(error, Retryable) else error
    return getattr(getattr(cause, "orig", None), "pgcode", None) == _LOCK_NOT_AVAILABLE
