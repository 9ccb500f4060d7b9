"""What callers send: strict, bounded, and nothing that is not named here."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Closed = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=12, decimal_places=4, allow_inf_nan=False)]
Strike = Annotated[Decimal, Field(gt=0, le=1_000_000, max_digits=12, decimal_places=4, allow_inf_nan=False)]


class Request(BaseModel):
    """Unknown fields are refused: a misspelled one must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def shown(**body: Any) -> ConfigDict:
    """The example of a body in the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class HaltBody(Request):
    """Why trading is halted; with `account` in that one only."""

    model_config = shown(reason="Fed at two")

    reason: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    account: Word | None = None


class ResumeBody(Request):
    """Resume after a halt; with `breaker` after a trip, for which role admin and the PIN are needed.

    With `account` its own halts or trips are lifted and no others.
    """

    model_config = shown(breaker=False)

    breaker: bool = False
    account: Word | None = None
    pin: Annotated[SecretStr, Field(max_length=64)] | None = None


class DisconnectBody(Request):
    """Whether to leave although a trade is open, which nobody would guard."""

    model_config = shown(force=False)

    force: bool = False


class RestartBody(Request):
    """Whether to start the desk anew although a trade is open, which nobody guards meanwhile."""

    model_config = shown(force=False)

    force: bool = False


class ForceExitBody(Request):
    """The trade that is to be closed, or `all`."""

    model_config = shown(tradeid="all")

    tradeid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]


class SettleBody(Request):
    """The official settlement price of the underlying, in dollars, or what each leg was closed at, by contract id.

    Of shares the price that somebody traded them at past htbot, and how many; without a number all. `force` takes
    prices that are far from the market.
    """

    model_config = shown(price="4148.50")

    price: Strike | None = None
    legs: Annotated[dict[int, Closed], Field(min_length=1, max_length=8)] | None = None
    quantity: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] | None = None
    force: bool = False

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if (self.price is None) is (self.legs is None):
            raise ValueError("give one of price and legs")
        if self.quantity is not None and self.price is None:
            raise ValueError("a quantity goes with a price per share")
        return self


class ManualCloseBody(Request):
    """What is to be closed: trades, an account, or with `close_all` everything.

    `pin` and `reason` are what the seed's clients send. An exit waits for no number (RULINGS 14), and the audit log has
    who closed: neither is looked at.
    """

    model_config = shown(position_ids=["spx_breakout-DU4725551-20261119-1"])

    follower_id: Word | None = None
    close_all: bool = False
    position_ids: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]], Field(max_length=50)
    ] = Field(default_factory=list)
    pin: Annotated[SecretStr, Field(max_length=64)] | None = None
    reason: Annotated[str, StringConstraints(max_length=500)] | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if [self.follower_id is not None, self.close_all, bool(self.position_ids)].count(True) != 1:
            raise ValueError("name one of follower_id, position_ids and close_all")
        return self


class PinBody(Request):
    """The PIN of HTBOT_PIN."""

    model_config = shown(pin="482913")

    pin: Annotated[SecretStr, Field(min_length=1, max_length=64)]


class TradeSignalBody(Request):
    """A vertical spread that a person wants: the leg bought and the leg sold, for today's expiry unless told otherwise.

    The right may be left out where the strikes tell it: premium is sold, so the put spread has its long strike below.
    """

    model_config = shown(
        strategy="vertical_spread", symbol="SPX", qty_per_leg=1, strike_short="4995", strike_long="4955", right="P"
    )

    strategy: Literal["vertical_spread"]
    symbol: Word
    qty_per_leg: Annotated[int, Field(strict=True, ge=1, le=1000)]
    strike_long: Strike
    strike_short: Strike
    right: Literal["C", "P"] | None = None
    expiry: date | None = None
    follower_id: Word | None = None
