"""Errors carry their consequence.

HtbotError
├── StopTrading        state unknown or an invariant broken: trading is disabled, a human is paged
├── Refused            a rule said no: recorded, never retried
├── Retryable          back off and try again; never used for sending an order
├── BrokerRejected     the broker refused an order: the order is closed with code and text
├── CallerMistake      the caller asked for something impossible (HTTP 4xx, CLI exit 1 or 2)
│   └── NotFound       the thing named does not exist (404, exit 2)
└── ConfigurationError settings that cannot be run with (exit 4)
"""

from __future__ import annotations


class HtbotError(Exception):
    """Root of every error that htbot raises on purpose."""


class StopTrading(HtbotError):
    """State is unknown or an invariant is broken; nothing may be originated until a person has looked."""


class Refused(HtbotError):
    """A rule said no. Carries what the person needs to judge it."""

    def __init__(self, rule: str, reason: str, *, limit: str = "", value: str = "") -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule = rule
        self.reason = reason
        self.limit = limit
        self.value = value


class Retryable(HtbotError):
    """Something outside is away for a moment; the same call may succeed later."""


class BrokerRejected(HtbotError):
    """The broker refused an order for good."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"broker error {code}: {text}")
        self.code = code
        self.text = text


class CallerMistake(HtbotError):
    """The caller asked for something that cannot be done as asked."""


class NotFound(CallerMistake):
    """The thing that was named does not exist."""


class ConfigurationError(HtbotError):
    """Settings or data files that the program refuses to run with; the text names variable, value and way out."""
