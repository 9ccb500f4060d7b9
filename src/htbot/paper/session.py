"""One client connection: what it negotiated, what it subscribed to, and the bytes that wait to be sent to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from htbot.paper.limits import MessageRate
from htbot.paper.wire import messages
from htbot.paper.wire.tables import Table, encode

STEPS_A_TURN = 50
_MOST_LONG_ANSWERS = 64
_OVER = object()
_MAX_UNSENT_BYTES = 64 * 1024 * 1024


class Pipe(Protocol):
    """The outgoing side of a socket."""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def close(self) -> None:
        """Send what is buffered, then close."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...

    def get_write_buffer_size(self) -> int:
        """Bytes that the socket has not taken yet."""
        ...

    def get_extra_info(self, name: str) -> Any:
        """What is known of the transport: `socket` is the socket."""
        ...


@dataclass(slots=True)
class Summary:
    """An account summary subscription: `currencies` of the ledger, and what was sent last by name, tag and currency."""

    group: str
    accounts: tuple[str, ...]
    tags: tuple[str, ...]
    currencies: tuple[str, ...] = ()
    sent: dict[tuple[str, str, str], str] = field(default_factory=dict)


@dataclass(slots=True)
class PnlLine:
    """A profit subscription; without a `con_id` it is about whole accounts."""

    accounts: tuple[str, ...]
    con_id: int | None = None


@dataclass(slots=True)
class Updates:
    """An account update subscription: values (by account, key and currency) and portfolio rows that were sent last."""

    accounts: tuple[str, ...]
    ledger_only: bool = False
    model: str = ""
    values: dict[tuple[str, str, str], str] = field(default_factory=dict)
    portfolio: dict[int, tuple[str, ...]] = field(default_factory=dict)


class Session:
    """A started or starting client. Messages gather in a buffer that leaves with `flush`, one write a turn.

    `reading` is clear while the client leaves too much of what was sent to it unread. A `deaf` session has an open
    socket, but is neither read nor told anything. `parts` are long answers that are told a piece a turn, while it is
    `in_time`; `loading` has the streams whose first answer is being made, by kind and request id.
    """

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self._outgoing: list[bytes] = []
        self.client_id = -1
        self.version = 0
        self.started = False
        self.stepped = False
        self.deaf = False
        self.answers = 0
        self.parts: deque[Iterator[None]] = deque()
        self.in_time: Callable[[], bool] = lambda: True
        self.loading: dict[tuple[str, int], Any] = {}
        self.reading = asyncio.Event()
        self.reading.set()
        self.wants_pace = False
        self.rate = MessageRate()
        self.market_data_type = 1
        self.lines: dict[int, Any] = {}
        self.streams: dict[tuple[str, int], Any] = {}
        self.wants_positions = False
        self.position_multis: dict[int, tuple[str, ...]] = {}
        self.updates: Updates | None = None
        self.update_multis: dict[int, Updates] = {}
        self.summaries: dict[int, Summary] = {}
        self.pnl: dict[int, PnlLine] = {}
        self.display_groups: dict[int, int] = {}

    @property
    def wants_data(self) -> bool:
        """Whether it has a subscription that lives on market time."""
        return bool(self.lines or self.streams)

    def forget_data(self) -> None:
        """End every subscription that lives on market time, without a word."""
        self.lines.clear()
        self.streams.clear()

    def send(self, table: Table, values: Mapping[str, Any]) -> None:
        """Queue a message in the layout of the negotiated version."""
        self._outgoing.append(encode(table, values, self.version))

    def send_raw(self, data: bytes) -> None:
        """Queue bytes as they are."""
        self._outgoing.append(data)

    def error(self, request_id: int, code: int, text: str) -> None:
        """Queue an error message; id -1 is about no request."""
        self.send(messages.ERROR, {"id": request_id, "code": code, "text": text})

    def tell_in_parts(self, answer: Iterator[None]) -> None:
        """Give an answer that may be long: each step of it queues a little, so that nobody else waits for its end.

        What is short is queued at once, in its place among the other answers; with too many long ones all are.
        """
        self.parts.append(answer)
        self.tell_part(None if len(self.parts) > _MOST_LONG_ANSWERS else STEPS_A_TURN)

    def tell_part(self, steps: int | None = STEPS_A_TURN) -> None:
        """Go on with the long answers by some steps; None ends them all, and so does a stepped client."""
        left = None if self.stepped else steps
        while self.parts and left != 0 and (left is None or self.in_time()):
            if next(self.parts[0], _OVER) is _OVER:
                self.parts.popleft()
            elif left is not None:
                left -= 1

    def flush(self) -> None:
        """Write everything that is queued, in one piece. A client that does not read may not fill the memory."""
        if self.deaf:
            self._outgoing.clear()
        elif self._outgoing:
            data = b"".join(self._outgoing)
            self._outgoing.clear()
            self.pipe.write(data)
            if self.pipe.get_write_buffer_size() > _MAX_UNSENT_BYTES:
                self.pipe.abort()

    def close(self) -> None:
        """Write what is queued and close the socket."""
        self.flush()
        self.pipe.close()
