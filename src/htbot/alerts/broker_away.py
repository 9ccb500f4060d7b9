"""What is told of the connection with the broker: lost, still away, back; and what is at stake meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from htbot.alerts.message import Fact, Message, compose
from htbot.alerts.wording import usd, whole_name
from htbot.domain.alerts import Alert, Severity
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import Trade
from htbot.portfolio.pnl import maximum_loss_usd

_NAMED = 5
_IF_LOST = "nothing yet: it is tried again by itself, and you hear of it when it stays away for 2 minutes"
_IF_AWAY = (
    "see whether TWS or IB Gateway runs and is logged in (docs/runbooks/HT-IB-01.md); what cannot wait, close with the "
    "broker's own app"
)


def connection_alert(
    connected: bool, detail: str, as_of: datetime, account: str = "", held: Sequence[Trade] = ()
) -> Alert:
    """The broker's connection was lost, or is back.

    Args:
        connected: whether it is back.
        detail: what was seen, such as code and text.
        as_of: market time, or the host's while that is not known.
        account: whose.
        held: trades that are open, whose exits wait for it.
    """
    title, kind = (
        ("Connection Restored", "connection_restored")
        if connected
        else (f"Connection Lost - {_at_stake(held)}", "connection_lost")
    )
    summary = (
        f"The connection to the broker is back, {_at_stake(held)}; entries resume once books and broker agree."
        if connected
        else f"The connection to the broker is lost, {_at_stake(held)}: no entries, and exits wait for it."
    )
    facts = [] if connected else [*_open_facts(held), Fact("What to do", _IF_LOST)]
    return compose(
        Message(
            kind=kind,
            severity=Severity.INFO if connected else Severity.CRITICAL,
            title=title,
            summary=summary,
            as_of=as_of,
            dedup_key=f"{kind}:{account}:{as_of.isoformat()}",
            facts=[Fact("Detail", detail), *facts],
            account=account,
        )
    )


def outage_alert(
    since: datetime, after: timedelta, detail: str, as_of: datetime, account: str = "", held: Sequence[Trade] = ()
) -> Alert:
    """The broker is still away, `after` from `since` on: it may not come back by itself; `held` are open trades."""
    minutes = int(after.total_seconds() // 60)
    return compose(
        Message(
            kind="broker_outage",
            severity=Severity.CRITICAL,
            title=f"Broker Away for {minutes} Minutes - {_at_stake(held)}",
            summary=f"The broker has been away for {minutes} minutes, {_at_stake(held)}: nothing is sent, exits wait.",
            as_of=as_of,
            dedup_key=f"broker_outage:{account}:{since.isoformat()}:{minutes}",
            facts=[
                Fact("Since", since.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M:%S %Z")),
                Fact("Detail", detail),
                *_open_facts(held),
                Fact("What to do", _IF_AWAY),
            ],
            account=account,
        )
    )


def _at_stake(held: Sequence[Trade]) -> str:
    """How many trades are open and what they can lose."""
    if not held:
        return "nothing is open"
    losses = [maximum_loss_usd(trade) for trade in held]
    known = [loss for loss in losses if loss is not None]
    most = usd(sum(known, Decimal(0))) if len(known) == len(losses) else "an unknown sum"
    return f"{len(held)} {'trade is' if len(held) == 1 else 'trades are'} open, at most {most} to lose"


def _open_facts(held: Sequence[Trade]) -> list[Fact]:
    told = [Fact("Open", f"{whole_name(trade)} ({trade.id}, {trade.account})") for trade in held[:_NAMED]]
    return told if len(held) <= _NAMED else [*told, Fact("Open", f"and {len(held) - _NAMED} more: htbot status")]
