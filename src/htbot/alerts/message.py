"""The shape of every alert: subject, New York time on the first line, facts as text and as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import escape

from htbot.domain.alerts import Alert, Severity
from htbot.domain.sessions import NEW_YORK

SUBJECT_PREFIX = "HTBot Alert: "
CLOCK, HOST = "clock", "host"
"""The parameter of an alert that says of which clock its time is, and its value; without it that is the market's."""
_BY_THE_HOST = ", by the host's clock"


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of an alert: a label and what it is."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Message:
    """An alert before it is laid out. `summary` is its first sentence, `facts` the lines below, `as_of` market time."""

    kind: str
    severity: Severity
    title: str
    summary: str
    as_of: datetime
    dedup_key: str
    facts: Sequence[Fact] = ()
    account: str = ""
    params: Mapping[str, str] = field(default_factory=dict)


def header(value: str) -> str:
    """The value, when it may stand in a mail header.

    Raises:
        ValueError: it holds a control character such as CR or LF, which would inject a header (FAULTS row 55).
    """
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise ValueError(f"{value!r} holds a control character and cannot be a mail header")
    return value


def new_york_stamp(as_of: datetime) -> str:
    """Time with zone as the first line shows it: `2022-08-26 10:32:30 EDT`."""
    return as_of.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M:%S %Z")


def stamp_of(alert: Alert) -> str:
    """The same of an alert, with the name of its clock when that is not the market's."""
    return new_york_stamp(alert.as_of) + (_BY_THE_HOST if CLOCK in alert.params else "")


def by_the_host(alert: Alert) -> Alert:
    """An alert of somebody who knows the host's clock only; it says so beside its time."""
    stamp, params = new_york_stamp(alert.as_of), {**alert.params, CLOCK: HOST}
    text, html = (whole.replace(stamp, stamp + _BY_THE_HOST, 1) for whole in (alert.text, alert.html))
    return replace(alert, text=text, html=html, params=params)


def compose(message: Message) -> Alert:
    """Lay a message out as plain text and as HTML, with everything in the HTML escaped.

    Raises:
        ValueError: title, account or key would break a mail header.
    """
    stamp = new_york_stamp(message.as_of)
    lines = [stamp, "", message.summary]
    if message.facts:
        wide = max(len(fact.label) for fact in message.facts)
        lines += ["", *(f"{fact.label + ':':<{wide + 1}} {fact.value}" for fact in message.facts)]
    return Alert(
        kind=message.kind,
        severity=message.severity,
        subject=header(SUBJECT_PREFIX + message.title),
        text="\n".join(lines) + "\n",
        html=_html(stamp, message),
        as_of=message.as_of,
        dedup_key=header(message.dedup_key),
        account=header(message.account),
        params=message.params,
    )


def summary_of(text: str) -> str:
    """The sentence of a message, from its plain text as `compose` lays it out; empty for any other text."""
    _, _, rest = text.partition("\n\n")
    return rest.partition("\n\n")[0].strip()


def _html(stamp: str, message: Message) -> str:
    rows = "".join(
        f'<tr><th align="left">{escape(fact.label)}</th><td>{escape(fact.value)}</td></tr>' for fact in message.facts
    )
    table = f"<table>{rows}</table>" if rows else ""
    title = escape(SUBJECT_PREFIX + message.title)
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
        f"<body><p>{escape(stamp)}</p><p>{escape(message.summary)}</p>{table}</body></html>"
    )
