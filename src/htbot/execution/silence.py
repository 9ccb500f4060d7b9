"""How long the broker may say nothing about an order before that means something. Host seconds: IO waits are real."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Silence:
    """An order that is not answered within `answer_within_s` is in doubt; after `settle_s`, not shown is not there.

    The settle time must be longer than the broker takes to list an order that has reached it.
    """

    answer_within_s: float = 10.0
    settle_s: float = 10.0


DEFAULT_SILENCE = Silence()
