"""Acts that are done once per idempotency key, and answered the same each time (INTERFACE, REST).

The key, the act and its answer are one transaction: either all of them are in the record or none is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from htbot.persistence.repositories import CommandRepository
from htbot.persistence.states import CommandState
from htbot.services.callers import Caller, take

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Act:
    """What is asked for, by whom, at which market time; `params` tell two acts of one kind apart."""

    kind: str
    params: Mapping[str, Any]
    caller: Caller
    at: datetime


def once(session: Session, act: Act, answer_type: type[_Answer], work: Callable[[], _Answer]) -> _Answer:
    """Do the work, or answer as the first call with this key was answered. Without a key it is simply done.

    Args:
        session: the caller's transaction; what `work` raises leaves nothing behind, and the key may be used again.
        act: names the row of the key.
        answer_type: shape of the answer, so that it can be read back.
        work: does it in the same transaction.

    Raises:
        Conflict: the key was used for another act before.
    """
    if act.caller.key is None:
        return work()
    command, created = take(session, act.kind, act.params, act.caller, act.at)
    shape = TypeAdapter(answer_type)
    if not created:
        return shape.validate_python(command.result["answer"])
    answer = work()
    told = {"answer": shape.dump_python(answer, mode="json")}
    CommandRepository(session).advance(command.id, CommandState.PENDING, CommandState.DONE, act.at, told)
    return answer
