"""The searches that are made: sound protocols that must be safe, and weakened ones that must not be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.proofs.model.world import Bounds, Protocol

from htbot.domain.orders import IntentState
from htbot.execution.states import INTENT_MOVES, IntentEvent

ALL = frozenset({"crash", "freeze", "disconnect", "restart", "second", "lost", "late", "doubled", "moved"})
SOUND = Protocol()

# Sized for continuous integration; `--faults` asks for more.
RUNS: dict[str, Bounds] = {
    "entry": Bounds(("E1",), 2, ALL),
    "close": Bounds(("X1",), 2, ALL),
    "closes": Bounds(("X1", "X2"), 1, ALL),
    "both": Bounds(("E1", "X1"), 1, frozenset({"restart"})),
    "journal": Bounds(("X1",), 2, ALL - {"doubled", "moved", "freeze"} | {"record"}, by_journal=True),
    "journal-entry": Bounds(("E1",), 1, ALL | {"record"}, by_journal=True),
}


@dataclass(frozen=True)
class Weakened:
    """A protocol with a rule taken away, and the smallest bounds in which that is seen."""

    why: str
    rules: Protocol
    bounds: Bounds


def _without(
    why: str, run: str, *rules: str, faults: int | None = None, weather: frozenset[str] | None = None
) -> Weakened:
    bounds = RUNS[run]
    bounds = replace(bounds, faults=bounds.faults if faults is None else faults, weather=weather or bounds.weather)
    return Weakened(why, replace(SOUND, **dict.fromkeys(rules, False)), bounds)


def _moves(
    state: IntentState, **changes: IntentState | None
) -> Mapping[IntentState, Mapping[IntentEvent, IntentState]]:
    """The real table with some moves of one state changed, or taken out."""
    row = dict(INTENT_MOVES[state])
    for name, target in changes.items():
        event = IntentEvent[name]
        row.pop(event, None)
        if target is not None:
            row[event] = target
    return {**INTENT_MOVES, state: row}


def _table(why: str, run: str, state: IntentState, **changes: IntentState | None) -> Weakened:
    return Weakened(why, replace(SOUND, intent_moves=_moves(state, **changes)), RUNS[run])


_I = IntentState
_SECOND_LOOK = frozenset({"second", "disconnect", "restart"})

WEAKENED: dict[str, Weakened] = {
    "no-settle": _without("silence proves absence at once", "entry", "settle"),
    "immediate-look-up": _without(
        "the broker is asked before the settle time is over, the answer judged after it",
        "entry",
        "silence_before_asking",
    ),
    "end-at-once": _without("a cancelled permId ends the ref before the settle time", "close", "ends_await_settle"),
    "no-fence": _without("no epoch, and a client id for each desk", "close", "epoch_fence", "shared_client_id"),
    "no-epoch": _without("a desk that was replaced goes on writing", "entry", "epoch_fence"),
    "own-client-id": _without("each desk has a client id of its own", "close", "shared_client_id"),
    "no-watchdog": _without("nobody kills a frozen desk", "close", "watchdog", faults=1),
    "send-before-commit": _without("the socket before the record", "close", "commit_before_send"),
    "no-look-up": _without("a close in doubt is sent again at once", "close", "look_up_before_resend"),
    "fresh-id": _without("a close is sent again under a new id", "close", "same_id_on_resend"),
    "next-valid-id-alone": _without("order ids are what the broker says", "closes", "high_water"),
    "entries-again": _without("an absent entry is sent again", "entry", "entries_expire"),
    "deaf-after-the-end": _without("what comes after an expiry is not looked at", "entry", "heed_late_news", faults=1),
    "any-session": _without(
        "what one session was about to send goes out on the next",
        "close",
        "send_in_its_session",
        faults=3,
        weather=_SECOND_LOOK,
    ),
    "refused-id-at-once": _without(
        "a used id (103) ends a close that no list shows, without another settle time",
        "close",
        "settle_after_refused_id",
    ),
    "journal-read-early": _without(
        "the journal is read before the desk before it is cut off", "journal", "journal_read_after_connecting"
    ),
    "record-read-early": Weakened(
        "what was sent is read from a record that has not caught up",
        replace(SOUND, caught_up_before_reading=False),
        Bounds(("E1", "X1"), 1, frozenset({"record"}), by_journal=True),
    ),
    "table-doubt-is-reject": _table("doubt is taken for a refusal", "entry", _I.SENDING, DOUBT=_I.REJECTED),
    "table-expired-waits-again": _table("an expired entry waits again", "entry", _I.UNKNOWN, EXPIRE=_I.PENDING),
    "table-no-late-fill": _table("a fill after an expiry is illegal", "entry", _I.EXPIRED, FILL=None),
    "table-no-doubt-after-the-end": _table("an expired intent cannot be in doubt", "entry", _I.EXPIRED, DOUBT=None),
    "table-no-resend": _table("a close in doubt cannot be sent again", "close", _I.UNKNOWN, SEND=None),
    "table-no-release": _table("a claim of a dead desk is given up", "close", _I.CLAIMED, RELEASE=_I.WITHDRAWN),
}
