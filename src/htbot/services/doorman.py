"""Who may come in: tokens, roles, and a brake on guessing (RULINGS 36). REST, WebSockets and dashboard ask here.

Nothing here waits. Minted tokens are looked up in memory, as they were last read; `Rounds` reads them again beside the
requests, and what was read before counts while PostgreSQL is away. A right token always gets through, locked out or
not: a flatten must not wait behind somebody else's wrong guesses, and 256 random bits are not guessed at five tries a
minute nor at any other rate. The brake keeps a wrong client from being served and says so once.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from htbot.domain.errors import CallerMistake, Retryable
from htbot.persistence.queries.tokens import StoredToken
from htbot.services.tokens import FIRST_TOKEN, Role, digest
from htbot.services.visits import Visit

MOST_WRONG_TRIES = 5
WINDOW_S = 60.0
REFRESH_S = 1.0
"""Seconds after which a token that was made or revoked counts as such."""
_MOST_CLIENTS = 1000
_MOST_VISITS = 5000
_log = logging.getLogger(__name__)


class NotAdmitted(CallerMistake):
    """The caller was not let in (401, or 429 for `LockedOut`)."""


class NoToken(NotAdmitted):
    """Nothing was shown."""

    def __init__(self) -> None:
        super().__init__(
            "no token: send 'Authorization: Bearer TOKEN' or 'X-API-Key: TOKEN'; the first one is HTBOT_API_TOKEN"
        )


class UnknownToken(NotAdmitted):
    """What was shown is no token that counts."""

    def __init__(self) -> None:
        super().__init__("this token is not known: `htbot token list` names those that count")


class LockedOut(NotAdmitted):
    """The client has shown too many wrong tokens; `wait_s` seconds from now the next one is looked at."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many wrong tokens: wait {wait_s:.0f} s, or send the right one")
        self.wait_s = wait_s


class RoleTooSmall(CallerMistake):
    """The caller is known and may not do this (403)."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The token behind a call: its name and role, by which way it came, and from which address."""

    name: str
    role: Role
    way: str = "rest"
    client: str | None = None

    @property
    def actor(self) -> str:
        """As the audit log names it."""
        return f"{self.way}:{self.name}"

    def require(self, needed: Role) -> None:
        """Let a role through.

        Raises:
            RoleTooSmall: this one does not include it.
        """
        if not self.role.may(needed):
            raise RoleTooSmall(f"token {self.name!r} is a {self.role}'s: this needs role {needed}")


class TokenBook:
    """The tokens that count: the first one, and the minted ones as they were last read."""

    def __init__(self, first: str, minted: Callable[[], Iterable[StoredToken]]) -> None:
        self._first = digest(first)
        self._minted = minted
        self._known: tuple[tuple[str, str, Role], ...] = ()

    def find(self, token: str) -> tuple[str, Role] | None:
        """Name and role of a token."""
        return self.holder(digest(token))

    def holder(self, sha256: str) -> tuple[str, Role] | None:
        """Name and role of the token with this hash. Every known hash is compared, in constant time each."""
        found = (FIRST_TOKEN, Role.ADMIN) if hmac.compare_digest(sha256, self._first) else None
        for known, name, role in self._known:
            if hmac.compare_digest(sha256, known):
                found = (name, role)
        return found

    def refresh(self) -> None:
        """Read the minted tokens again; waits for PostgreSQL.

        Raises:
            Retryable: it does not answer, and what was read before goes on counting.
        """
        self._known = tuple((stored.sha256, stored.name, Role(stored.role)) for stored in self._minted())


class Brake:
    """Counts wrong tries per client; more than five in a minute lock it out until the oldest is a minute old."""

    def __init__(self, on_lock: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_lock = on_lock
        self._clock = clock
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def wrong(self, client: str) -> float | None:
        """Note a wrong try; seconds to wait when the client is locked out, else None."""
        with self._lock:
            now = self._clock()
            tries = self._tries.setdefault(client, deque(maxlen=MOST_WRONG_TRIES))
            self._tries.move_to_end(client)
            while len(self._tries) > _MOST_CLIENTS:
                self._tries.popitem(last=False)
            while tries and now - tries[0] >= WINDOW_S:
                tries.popleft()
            if len(tries) == MOST_WRONG_TRIES:
                return WINDOW_S - (now - tries[0])
            tries.append(now)
            locked_now = len(tries) == MOST_WRONG_TRIES
        if locked_now:
            self._on_lock(client)
        return None


def log_visit(visit: Visit) -> None:
    """Visits of a door without a record are in the process's log."""
    _log.info("%s from %s: %s answered %s", visit.actor, visit.client, visit.act, visit.status)


@dataclass(frozen=True, slots=True)
class Doorman:
    """Book and brake together; `note` keeps the visits of those who came to act, and does not wait.

    `rounds_age_s` tells how many seconds ago `Rounds` had done all it had to; None without any, or before the first.
    """

    book: TokenBook
    brake: Brake
    note: Callable[[Visit], None] = log_visit
    rounds_age_s: Callable[[], float | None] = lambda: None

    def admit(self, token: str | None, client: str) -> Principal:
        """The caller behind a token; `client` is the address it came from.

        Raises:
            NoToken: none was shown.
            UnknownToken: it is not known.
            LockedOut: it is not known, and neither were five others within a minute.
        """
        if not token:
            raise NoToken
        found = self.book.find(token)
        if found is not None:
            return Principal(*found, client=client)
        wait_s = self.brake.wrong(counted_as(client))
        if wait_s is not None:
            raise LockedOut(wait_s)
        raise UnknownToken


def counted_as(client: str) -> str:
    """Under which name a client's tries are counted: its address, of IPv6 the network that one host has for itself."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv4Address):
        return client
    return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address), 64), strict=False))


@dataclass(slots=True)
class Rounds:
    """What the door needs of the record, done beside it by a thread of its own: nobody at the door waits for it.

    Attributes:
        book: whose tokens are read again.
        tell: writes down that a client was locked out; raises `Retryable` while it cannot.
        write: writes visits down; likewise.
        locked: clients to be told of; the oldest give way when PostgreSQL is away for long.
        visits: to be written down; likewise.
        clock: monotonic seconds.
    """

    book: TokenBook
    tell: Callable[[str], None]
    write: Callable[[Sequence[Visit]], None]
    locked: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_CLIENTS))
    visits: deque[Visit] = field(default_factory=lambda: deque(maxlen=_MOST_VISITS))
    clock: Callable[[], float] = time.monotonic
    _done_s: float | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def note_lockout(self, client: str) -> None:
        """To be told at the next round; does not wait."""
        _log.warning("client %s sent too many wrong tokens", client)
        self.locked.append(client)

    def note_visit(self, visit: Visit) -> None:
        """To be written at the next round; does not wait."""
        log_visit(visit)
        self.visits.append(visit)

    def turn(self) -> None:
        """One round.

        Raises:
            Retryable: PostgreSQL does not answer; what is left is done by the next one.
        """
        self.book.refresh()
        while self.locked:
            self.tell(self.locked[0])
            self.locked.popleft()
        if self.visits:
            self._write_visits()
        self._done_s = self.clock()

    def age_s(self) -> float | None:
        """Seconds since the last round that did all it had to; None before the first."""
        return None if self._done_s is None else self.clock() - self._done_s

    def _write_visits(self) -> None:
        taken = [self.visits.popleft() for _ in range(len(self.visits))]
        try:
            self.write(taken)
        except Exception:
            room = _MOST_VISITS - len(self.visits)
            self.visits.extendleft(reversed(taken[max(len(taken) - room, 0) :]))
            raise

    def start(self) -> None:
        """Do the first round now, and the others in the background until `stop`."""
        away = self._try(away=False)
        self._thread = threading.Thread(target=self._run, args=(away,), name="door-rounds", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """One last round, and no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._try(away=True)

    def _run(self, away: bool) -> None:
        while not self._stop.wait(REFRESH_S):
            away = self._try(away)

    def _try(self, away: bool) -> bool:
        """True when a round could not be done; why is told once, not each second. Nothing ends the rounds."""
        try:
            self.turn()
        except Retryable as error:
            if not away:
                _log.warning("minted tokens are those read before: %s", error)
            return True
        except Exception:  # noqa: BLE001 - a thread's edge (docs/decisions/0029)
            if not away:
                _log.exception("a round of the door was not done, the next one tries again")
            return True
        if away:
            _log.info("minted tokens are read again")
        return False
