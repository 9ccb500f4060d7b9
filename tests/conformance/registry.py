"""The table of checks: every check is a row of the page."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from .client import NotInClient

PASS, ABSENT, FAIL = "PASS", "not in this client", "FAIL"


@dataclass(frozen=True, slots=True)
class Row:
    """A request and one thing that must be true of its answer; `part` is the heading it stands under."""

    part: str
    request: str
    behaviour: str


@dataclass(frozen=True, slots=True)
class Check:
    """`run` returns None when all is well, the code when IB's answer is an error, and raises AssertionError else."""

    row: Row
    run: Callable[[Any], Any]
    since: int = 0
    """Lowest server version that has it."""


@dataclass(frozen=True, slots=True)
class Result:
    """One cell of the page."""

    part: str
    request: str
    behaviour: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, object]:
        return asdict(self)


class Checks(list[Check]):
    """Checks in the order in which they are run."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._part = part

    def __call__(self, request: str, behaviour: str, since: int = 0) -> Callable[[Callable[..., Any]], Any]:
        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            self.append(Check(Row(self._part, request, behaviour), function, since))
            return function

        return add


class Subject(Protocol):
    """What a check is run with: a client, or a desk of the `IB` class."""

    @property
    def server_version(self) -> int: ...

    @property
    def events(self) -> Sequence[object]: ...

    def sound(self, position: int) -> None: ...

    def tidy(self) -> None: ...


def absent(check: Check) -> Result:
    """The result of a check that a library has no use for."""
    return Result(check.row.part, check.row.request, check.row.behaviour, ABSENT)


def outcome_of(check: Check, client: Subject) -> Result:
    """Run a check; whatever goes wrong in it is its failure, the checks after it go on."""
    began = time.monotonic()
    outcome, reason = ABSENT, ""
    if client.server_version >= check.since:
        outcome, reason = _judged(check, client)
    row = check.row
    return Result(row.part, row.request, row.behaviour, outcome, reason, round(time.monotonic() - began, 2))


def _judged(check: Check, client: Subject) -> tuple[str, str]:
    position = len(client.events)
    try:
        code = check.run(client)
        client.sound(position)
    except NotInClient as error:
        return ABSENT, str(error)
    except AssertionError as error:
        client.tidy()
        return FAIL, str(error) or _where(error)
    except Exception as error:  # noqa: BLE001 - a library raises what it likes
        client.tidy()
        return FAIL, f"{type(error).__name__}: {error} at {_where(error)}"
    return (PASS if code is None else f"IB answers with error {code}"), ""


def _where(error: BaseException) -> str:
    """The line of a bare assertion."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"line {trace.tb_lineno} of {trace.tb_frame.f_code.co_filename.rpartition('/')[2]}"
