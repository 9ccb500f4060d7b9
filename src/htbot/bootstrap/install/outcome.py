"""How starting and stopping can fail; each error knows the exit code of INTERFACE, Shell."""

from __future__ import annotations

from htbot.domain.errors import ConfigurationError, HtbotError


class NotRunning(HtbotError):
    """The instance does not run."""


class NotReady(HtbotError):
    """Something did not come up in time."""


class PositionsOpen(HtbotError):
    """A stop would leave positions without their guard (RULINGS 9)."""


def exit_code(error: HtbotError) -> int:
    """0 is success, 1 any other error, 3 not running, 4 configuration, 5 time-out."""
    codes: dict[type[HtbotError], int] = {NotRunning: 3, ConfigurationError: 4, NotReady: 5}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 1)
