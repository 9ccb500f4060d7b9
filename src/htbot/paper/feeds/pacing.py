"""How often history may be asked for (TWS_PROTOCOL section 8), by the host's clock: pacing is about the wire."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Literal

from htbot.paper.errors import RequestError, no_history

_WINDOW_S, _WINDOW_REQUESTS = 600.0, 60
_IDENTICAL_S = 15.0
_BURST_S, _BURST_REQUESTS = 2.0, 6
_DOUBLE = "BID_ASK"

Policy = Literal["on", "strict", "off"]


class HistoryPacing:
    """Requests of each client: 60 in ten minutes, none twice in 15 s, fewer than 6 for one series in 2 s.

    BID_ASK counts twice. `strict` is all of that for every request. `on` watches bars of 30 seconds and less alone, and
    leaves the rule of two seconds out: IB takes so long to answer that a client which waits for its answers
    cannot break it, here it would.
    """

    def __init__(self, policy: Policy, clock: Callable[[], float] = monotonic) -> None:
        self._policy = policy
        self._clock = clock
        self._asked: dict[int, deque[tuple[float, Hashable, Hashable]]] = {}

    def check(self, client_id: int, series: tuple[object, ...], identity: Hashable, *, small: bool) -> None:
        """Count a request; `series` names contract, exchange and kind (last), `identity` the whole request.

        Raises:
            RequestError: 162 when it comes too soon; such a request is not counted.
        """
        if self._policy == "off" or not (small or self._policy == "strict"):
            return
        now = self._clock()
        asked = self._asked.setdefault(client_id, deque())
        while asked and now - asked[0][0] > _WINDOW_S:
            asked.popleft()
        self._check(asked, now, series, identity)
        asked.extend([(now, series, identity)] * (2 if series[-1] == _DOUBLE else 1))

    def forget(self, client_id: int) -> None:
        """A client is gone."""
        self._asked.pop(client_id, None)

    def _check(
        self, asked: deque[tuple[float, Hashable, Hashable]], now: float, series: Hashable, identity: Hashable
    ) -> None:
        recent = [row for row in asked if now - row[0] < _IDENTICAL_S]
        if any(row[2] == identity for row in recent):
            raise _violation("identical requests within 15 seconds")
        burst = sum(row[1] == series and now - row[0] < _BURST_S for row in recent)
        if self._policy == "strict" and burst >= _BURST_REQUESTS - 1:
            raise _violation("six or more requests for the same contract, exchange and type within 2 seconds")
        if len(asked) >= _WINDOW_REQUESTS:
            raise _violation("more than 60 requests in ten minutes")


def _violation(what: str) -> RequestError:
    return no_history(f"Historical data request pacing violation: {what}")
