"""One face for four client libraries: call a request by its name, read the callbacks by their names.

A driver runs a library as it is, on a thread of its own, and writes down every callback that its decoder makes. Checks
are then written once. Names and arguments are those of IB's EClient and EWrapper; where a library differs the driver
says the older name (`tickPrice` without size, `error` without a time, `commissionReport`).
"""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

MESSAGES_PER_SECOND = 45
PATIENCE_S = 60.0
"""Four clients with a gateway each share two cores with everything else."""
REFUSED = (OSError, TimeoutError, AssertionError, CancelledError)
"""What a library raises when a connection is not to be."""
WARNINGS = {2104, 2106, 2107, 2108, 2119, 2158}


class NotInClient(Exception):
    """The library has no such request or message."""


@dataclass(frozen=True, slots=True)
class Event:
    """One callback."""

    name: str
    args: tuple[Any, ...]
    at: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        return f"{self.name}{self.args!r}"[:200]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came for one request id."""

    id: int
    events: list[Event]

    def of(self, *names: str) -> list[tuple[Any, ...]]:
        """Arguments after the id of the callbacks so named."""
        return [event.args[1:] for event in self.events if event.name in names]

    def has(self, name: str) -> bool:
        return any(event.name == name for event in self.events)

    @property
    def code(self) -> int | None:
        """First error code for the id."""
        codes = self.codes
        return codes[0] if codes else None

    @property
    def codes(self) -> list[int]:
        return [args[0] for args in self.of("error")]


class Client(ABC):
    """A library under test. `kinds` makes its nouns: `client.make("Contract", symbol="SPY")`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.client_id = self.port = 0
        self._arrived = threading.Condition()
        self._sent: deque[float] = deque(maxlen=MESSAGES_PER_SECOND)
        self._ids = 1_000_000
        self._order_id = 0
        self._open_lines: set[int] = set()
        handler = _Complaints(self)
        logging.getLogger().addHandler(handler)

    # --- what a library gives -----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def server_version(self) -> int: ...

    @property
    @abstractmethod
    def connection_time(self) -> str | None: ...

    @abstractmethod
    def open(self, port: int, client_id: int) -> None:
        """Connect; the library is ready or has failed when this is back."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def make(self, noun: str, **values: Any) -> Any:
        """One of the library's own objects with attributes set."""

    @abstractmethod
    def _call(self, method: str, *args: Any) -> None: ...

    @abstractmethod
    def another(self) -> Client:
        """A second client of the same library, not connected."""

    def opened_again(self, client_id: int, seconds: float = PATIENCE_S) -> Client:
        """A client with an id that was used a moment ago.

        The reader of ibapi holds its socket for up to a second after the end, and may then break it.
        """
        deadline = time.monotonic() + seconds
        while True:
            client = self.another()
            try:
                client.open(self.port, client_id)
                client.settle()
            except REFUSED:
                client.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                return client

    # --- what checks use ----------------------------------------------------------------------------------------

    def heard(self, name: str, *args: Any) -> None:
        """A callback, from the library's thread."""
        with self._arrived:
            self.events.append(Event(name, args))
            self._arrived.notify_all()

    def call(self, method: str, *args: Any) -> int:
        """Send a request; the position in `events` from which its answers come."""
        if len(self._sent) == MESSAGES_PER_SECOND:
            time.sleep(max(0.0, self._sent[0] + 1.0 - time.monotonic()))
        self._sent.append(time.monotonic())
        position = len(self.events)
        self._call(method, *args)
        if method == "reqMktData" and not args[3] and not args[4]:
            self._open_lines.add(args[0])
        elif method == "cancelMktData":
            self._open_lines.discard(args[0])
        return position

    def tidy(self) -> None:
        """Cancel the lines that a failed check has left behind."""
        for request_id in sorted(self._open_lines):
            self.call("cancelMktData", request_id)

    def until(self, found: Callable[[], Any], what: str, timeout: float = PATIENCE_S) -> Any:
        """The first true value of `found`, asked again after each callback."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                value = found()
                if value:
                    return value
                rest = deadline - time.monotonic()
                if rest <= 0:
                    tail = "; ".join(str(event) for event in self.events[-4:])
                    raise AssertionError(f"no {what} within {timeout:g} s; last: {tail}")
                self._arrived.wait(rest)

    def since(self, position: int, *names: str) -> list[Event]:
        """Callbacks from a position on, of these names or all."""
        return [event for event in self.events[position:] if not names or event.name in names]

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    def request(
        self, method: str, *args: Any, until: str | Callable[[Answer], Any], timeout: float = PATIENCE_S
    ) -> Answer:
        """Send `method(id, *args)`; wait for the named callback, a condition, or an error of the id."""
        request_id = self.new_id()
        position = self.call(method, request_id, *args)

        def answer() -> Answer:
            events = [event for event in self.events[position:] if event.args and _about(event) == request_id]
            return Answer(request_id, events)

        def done() -> Answer | None:
            got = answer()
            if got.codes and got.codes[-1] not in {2152, 10167, 10090}:
                return got
            good = got.has(until) if isinstance(until, str) else until(got)
            return got if good else None

        return self.until(done, f"{until if isinstance(until, str) else 'answer'} after {method}", timeout)

    def more(self, request_id: int, position: int = 0) -> Answer:
        """Everything about an id from a position on."""
        return Answer(request_id, [e for e in self.events[position:] if e.args and _about(e) == request_id])

    def plain(self, method: str, *args: Any, until: str, timeout: float = PATIENCE_S) -> list[Event]:
        """Send a request that has no id and wait for a callback; everything since."""
        position = self.call(method, *args)
        self.until(lambda: self.since(position, until), f"{until} after {method}", timeout)
        return self.since(position)

    def errors(self, position: int = 0, about: int | None = None) -> list[int]:
        """Codes told since a position, warnings of farms apart."""
        found = self.since(position, "error")
        return [e.args[1] for e in found if e.args[1] not in WARNINGS and (about is None or e.args[0] == about)]

    def sound(self, position: int) -> None:
        """Fail when the library itself has complained: a frame it could not decode, a thread that ended."""
        trouble = self.since(position, "trouble")
        assert not trouble, f"the client says {trouble[0].args[0]}"

    def pause(self, market_seconds: float) -> None:
        """Let market time pass."""
        until = self.now() + market_seconds
        while self.now() < until:
            time.sleep(0.05)

    def settle(self) -> None:
        """Until everything sent so far has been worked on: the gateway answers in order."""
        self.plain("reqCurrentTime", until="currentTime")

    def now(self) -> int:
        """Market time, epoch seconds."""
        events = self.plain("reqCurrentTime", until="currentTime")
        return int(next(event.args[0] for event in events if event.name == "currentTime"))

    def account(self) -> str:
        [event] = [event for event in self.events if event.name == "managedAccounts"][:1]
        return str(event.args[0]).split(",")[0]

    def order_id(self) -> int:
        """The next free one, starting at what the gateway said."""
        first = max(e.args[0] for e in self.events if e.name == "nextValidId")
        self._order_id = max(self._order_id + 1, first)
        return self._order_id


class _Complaints(logging.Handler):
    """What a library logs and swallows when it cannot decode a message."""

    def __init__(self, client: Client) -> None:
        super().__init__(logging.INFO)
        logging.getLogger("ibapi.client").setLevel(logging.INFO)  # it tells of a message cut short at this level
        self._client = client

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        broken = record.levelno >= logging.ERROR and record.name.endswith(("decoder", "Decoder"))
        if broken or text == "BadMessage" or record.exc_info:
            self._client.heard("trouble", text[:300])


def _about(event: Event) -> Any:
    if event.name in {"openOrder", "orderStatus"}:
        return None  # order ids are another kind of number
    first = event.args[0]
    return first if isinstance(first, int) else None
