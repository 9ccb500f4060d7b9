"""What callers send: strict, bounded, and nothing that is not named here."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Strike = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=12, decimal_places=4, allow_inf_nan=False)]


class Request(BaseModel):
    """Unknown fields are refused: a misspelled one must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class HaltBody(Request):
    """Why trading is halted."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ResumeBody(Request):
    """Resume after a halt; with `breaker` after a trip, for which role admin and the PIN are needed."""

    breaker: bool = False
    pin: Annotated[SecretStr, Field(max_length=64)] | None = None


class DisconnectBody(Request):
    """Whether to leave although a trade is open, which nobody would guard."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"force": False}]})

    force: bool = False


class PinBody(Request):
    """The PIN of HTBOT_PIN."""

    pin: Annotated[SecretStr, Field(min_length=1, max_length=64)]


class TradeSignalBody(Request):
    """A vertical spread that a person wants: the leg bought and the leg sold, for today's expiry unless told otherwise.

    The right may be left out where the strikes tell it: premium is sold, so the put spread has its long strike below.
    """

    strategy: Literal["vertical_spread"]
    symbol: Word
    qty_per_leg: Annotated[int, Field(strict=True, ge=1, le=1000)]
    strike_long: Strike
    strike_short: Strike
    right: Literal["C", "P"] | None = None
    expiry: date | None = None
    follower_id: Word | None = None
