"""What breaks, in words for whoever reads them at night: what happened, what it means, what to do."""

from __future__ import annotations

from dataclasses import dataclass

_BROKER = "compare `htbot positions` with the broker's own app, and close it there when it cannot wait"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A title for the subject, a sentence that says what it means, and what a person does about it."""

    title: str
    meaning: str
    way_out: str


_TROUBLES = {
    "accounts": Trouble(
        "Account Not Followed", "An account is not traded as it was set.", "see IB_ACCOUNTS in .env, and htbot status"
    ),
    "blind exit": Trouble(
        "Closing Without Quotes",
        "Quotes of an open trade stayed away for so long that it is being closed without them.",
        _BROKER,
    ),
    "close failed": Trouble("Close Failed", "A trade should be closed by now and is still open.", _BROKER),
    "dead line": Trouble(
        "No Quotes",
        "Quotes of a contract have ended while the exchange is open: nothing is entered on it, its exits are blind.",
        "look at its quotes in TWS; docs/runbooks/HT-IB-03.md",
    ),
    "desk": Trouble(
        "Trading Halted",
        "Something that must never happen has happened. Entries are halted until a person resumes; exits go on.",
        "look at htbot status and htbot positions, then htbot resume; docs/runbooks/HT-HALT-01.md",
    ),
    "expiry": Trouble(
        "Expired Trade Needs You",
        "A trade has expired and htbot cannot tell at which price: it stays open in our books.",
        "book it with htbot settle, as below",
    ),
    "market data": Trouble(
        "Market Data",
        "The broker says something about quotes: what has none is not entered.",
        "see your subscriptions with the broker; docs/runbooks/HT-IB-03.md",
    ),
    "open after hours": Trouble(
        "Open After Hours",
        "A trade should be closed by now, and the market is closed: nothing can be sent until it opens.",
        "look at it at the broker before the next open; htbot closes it then",
    ),
    "P&L mismatch": Trouble(
        "Result Differs",
        "Our result of the day is not what the broker says.",
        "compare htbot pnl with the broker's statement",
    ),
    "protective order": Trouble(
        "Stop or Target Placed Anew",
        "An order that protects a trade has ended at the broker and was placed again.",
        "see htbot orders: somebody or something cancels it",
    ),
    "risk gate": Trouble(
        "Trading Halted",
        "A strategy asks for far too much. Entries are halted until a person resumes; exits go on.",
        "look at htbot signals, disable the strategy, then htbot resume",
    ),
}


def trouble_of(source: str) -> Trouble:
    """What a source's errors mean; of a strategy, and of a rule of the gate, by their family."""
    family, _, name = source.partition(" ")
    if source in _TROUBLES:
        return _TROUBLES[source]
    if family == "strategy" and name:
        return Trouble(f"Strategy {name} Disabled", "It cannot be asked any more.", f"htbot strategies show {name}")
    if family == "risk" and name:
        words = name.replace("_", " ")
        return Trouble(
            f"Risk: {words}", f"The rule {words} has something to say about an entry.", "see htbot signals and risk"
        )
    return Trouble(f"System Error - {source}", f"Something went wrong in {source}.", "htbot doctor, htbot status")
