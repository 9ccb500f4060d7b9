"""Errors that the gateway answers to a request, with IB's code (TWS_PROTOCOL section 7)."""

from __future__ import annotations

from datetime import datetime

from htbot.domain.errors import CallerMistake

PACING_LIMIT = 100
DUPLICATE_ORDER = 103
FILLED_ORDER = (104, "Cannot modify a filled order.")
MODIFY_MISMATCH = 105
OFF_TICK = 110
NO_SUCH_ORDER = 135
HISTORICAL = 162
NO_CONTRACT = 200
REJECTED = 201
CANCELLED = 202
NO_MARKET_DATA_ID = 300
INVALID_LOG_LEVEL = 319
UNREADABLE = 320
INVALID = 321
DUPLICATE_TICKER = 322
CLIENT_ID_IN_USE = 326
NO_HISTORICAL_ID = 366
ORDER_WARNING = 399
CANCEL_NOT_FOUND = 10147
CANCEL_IMPOSSIBLE = 10148

FARM_NOTES: tuple[tuple[int, str], ...] = (
    (2104, "Market data farm connection is OK:usfarm"),
    (2104, "Market data farm connection is OK:usopt"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)


class RequestError(CallerMistake):
    """A request that is answered with an error message."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def no_contract() -> RequestError:
    """Error 200 in IB's words."""
    return RequestError(NO_CONTRACT, "No security definition has been found for the request")


def invalid(reason: str) -> RequestError:
    """Error 321 in IB's words."""
    return RequestError(INVALID, f"Error validating request.-'bM' : cause - {reason}")


def rejected(reason: str) -> RequestError:
    """Error 201 in IB's words."""
    return RequestError(REJECTED, f"Order rejected - reason:{reason}")


def no_history(reason: str) -> RequestError:
    """Error 162 in IB's words."""
    return RequestError(HISTORICAL, f"Historical Market Data Service error message:{reason}")


def world_broken(what: str, at: datetime) -> str:
    """One line for a book that its market no longer knows."""
    return f"{what} is in the gateway's books but not in its market at {at:%Y-%m-%d %H:%M}: start with --fresh"
