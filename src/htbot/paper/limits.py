"""What clients may do, and how many messages a second (TWS_PROTOCOL sections 7 and 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_CLIENTS = 32
MESSAGES_PER_SECOND = 50
_OFFENCES = 3

PaceRule = Literal["warn", "reject", "queue", "off"]


@dataclass(frozen=True, slots=True)
class ClientRules:
    """Rules for every client.

    `master_client_id` sees the orders and executions of all clients; `read_only` refuses whatever is about orders;
    `hold_s`: how long the id of a client whose connection broke without an end stays taken (error 326).
    `pace` is what becomes of messages beyond 50 a second: `warn` answers error 100 and does them all the same,
    `reject` answers error 100, does not do them and ends the connection in the third second in a row, `queue` reads
    them later, as TWS does for clients that connect with `+PACEAPI`, `off` counts nothing.
    """

    master_client_id: int | None = None
    read_only: bool = False
    hold_s: float = 1.0
    pace: PaceRule = "warn"


READ_ONLY_REFUSES = frozenset(
    {
        "placeOrder",
        "cancelOrder",
        "reqGlobalCancel",
        "exerciseOptions",
        "reqOpenOrders",
        "reqAllOpenOrders",
        "reqAutoOpenOrders",
        "reqCompletedOrders",
        "replaceFA",
    }
)


class MessageRate:
    """Counts a client's messages in seconds of the host that begin with its first message.

    `over` is the number of messages in the running second when that is beyond the limit, else 0; `offences` counts
    the seconds in a row with too many.
    """

    def __init__(self, limit: int = MESSAGES_PER_SECOND) -> None:
        self._limit = limit
        self._began = float("-inf")
        self._count = 0
        self.over = 0
        self.offences = 0

    def count(self, now: float) -> None:
        """One more message."""
        if now - self._began >= 1.0:
            if self.over == 0 or now - self._began >= 2.0:
                self.offences = 0
            self._began, self._count, self.over = now, 0, 0
        self._count += 1
        if self._count > self._limit:
            self.offences += self.over == 0
            self.over = self._count

    @property
    def hopeless(self) -> bool:
        """Too many, again and again."""
        return self.offences >= _OFFENCES

    def wait_s(self, now: float) -> float:
        """How long a further message must wait to be within the limit."""
        full = self._count >= self._limit
        return max(0.0, self._began + 1.0 - now) if full else 0.0
