"""The faults that htbot must survive, by number, and the rulings that tests prove: what the page of faults is about.

Numbers and demands are those of the design's fault matrix. `NOT_RUN` says why a row has no test.
"""

from __future__ import annotations

FAULTS: dict[int, tuple[str, str]] = {
    1: ("a worker is killed", "no order twice, none lost; it is back by itself"),
    2: ("a child of the worker's pool is killed", "no task is lost silently"),
    3: ("the desk is killed at an edge of a send", "at most one order per reference; doubt is resolved by looking up"),
    4: ("the desk freezes", "its watchdog kills it; no second order when it would have woken"),
    5: ("beat is killed, or away for long", "it starts again; what was missed is not made up for in a burst"),
    6: ("a second beat, a second instance", "the second one ends with a reason, the first goes on"),
    7: ("supervisord is killed", "its children cannot run twice; the next start is clean"),
    8: ("the API dies during close-all", "the desk goes on from the record; asking again is harmless"),
    9: ("everything dies at once", "start and recovery are one path: compare first, then trade"),
    10: ("processes start in a wrong order", "they wait; nothing is traded meanwhile"),
    11: ("Redis restarts, is killed, is emptied", "orders are not touched; wake-ups resume"),
    12: ("Redis is full", "no eviction of messages; the record is swept all the same"),
    13: ("Redis cannot save", "told; it is killed when it does not stop"),
    14: ("PostgreSQL restarts or crashes", "nothing new without a committed intent; exits leave; resumes by itself"),
    15: ("PostgreSQL's disk is full", "no new orders; told on a way that needs no database"),
    16: ("PostgreSQL has no connection left", "the desk keeps its own"),
    17: ("a lock or a long transaction on intents", "statements have limits; other intents go on"),
    18: ("the disk of logs is full", "trading goes on"),
    19: ("the gateway's port is refused", "back-off, told, shown"),
    20: ("a half-open connection", "noticed within 15 s, reconnected, orders in doubt looked up"),
    21: ("the reply to an order is lost", "looked up, never sent again"),
    22: ("a request is lost, or late", "an entry expires; a close goes out again under its own id"),
    23: ("garbled frames, unknown messages", "the connection ends and is made again; nothing is guessed"),
    24: ("bytes are sent twice", "more than was asked for stops trading"),
    25: ("a slow gateway", "doubt, not a storm of repeats"),
    26: ("the gateway loses IB (1100) and finds it (1101, 1102)", "no entries; missed fills are booked once"),
    27: ("IB stays away for hours", "people are paged; nothing is sent"),
    28: ("a competing session, a data farm is down", "prices are not trusted: no entries"),
    29: ("nightly restart, the next order id goes back", "no id is used twice; orders in flight are resolved"),
    30: ("IB's error codes", "each one is definite or ambiguous, by a table"),
    31: ("stale, frozen or delayed quotes", "no entry; exits by rule"),
    32: ("NaN, 0, -1, infinite, crossed, jumping quotes", "refused before anything is priced with them"),
    33: (
        "skewed clocks, half days, holidays, daylight saving",
        "the exchange's calendar rules; time-outs are monotonic",
    ),
    34: ("a partial fill, a disconnect, the rest", "sums are exact"),
    35: ("an execution twice, corrected, busted, its commission late", "booked once per execution id"),
    36: ("rejections, margin in the middle of a spread", "no leg is left alone: combinations are one order"),
    37: ("a fill overtakes a cancel", "the broker's last word counts"),
    38: ("a modification becomes a second order", "over only when no permanent id works any more"),
    39: ("assignment, expiry, split: positions change without an order", "recognised as not ours; a person is told"),
    40: ("a person trades in TWS", "never taken over, never flattened"),
    41: ("STOP at any moment", "no order leaves a second later; closes and cancels do; it survives restarts"),
    42: ("a strategy gone mad", "stopped before the socket"),
    43: ("old code in one process", "versions are compared; it does not trade"),
    44: ("a wrong .env", "one line with the reason, nothing starts; live needs a second switch"),
    45: ("SMTP away, slow, refusing", "trading is not touched; the outbox drains"),
    46: ("leaks, hogs, no file descriptors", "told as degraded; restarted between orders"),
    47: ("a migration is cut off, a backup is restored", "nothing starts on a wrong schema; compare first"),
}

NOT_RUN: dict[int, str] = {
    46: "limits on memory and descriptors are not built",
}

RULINGS: dict[int, str] = {
    1: "exits leave when PostgreSQL is dead",
    2: "a level is spent by the entry that it triggered",
    3: "legs are folded, the combination's row moves the order",
    4: "order state from the broker's own messages only",
    5: "a leg without a bid, a leg without an ask",
    6: "stops and targets want a believable price",
    7: "a day's risk is bounded before it is taken",
    8: "entries are good till a time",
    9: "stopping with an open position",
    10: "closes only reduce",
    11: "one table of exits",
    12: "American options that deliver shares",
    13: "halt and breaker are two things",
    14: "flatten never wants a PIN",
    15: "quantity is checked on every execution",
    16: "settings of the gateway",
    17: "market waits and waits for IO",
}
