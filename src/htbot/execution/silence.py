"""How long the broker may say nothing about an order before that means something. Host seconds: IO waits are real."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Silence:
    """An order that is not answered within `answer_within_s` is in doubt; after `settle_s`, not shown is not there.

    The settle time must be longer than the broker takes to list an order that has reached it. A sender that was held up
    for longer than `lease_s` between claim and socket may have been replaced: it does not send.
    """

    answer_within_s: float = 10.0
    settle_s: float = 10.0
    lease_s: float = 5.0


DEFAULT_SILENCE = Silence()
# Market time waits for a stepped desk, however busy its host is: there the watchdog alone judges a sender.
STEPPED_SILENCE = Silence(lease_s=inf)
