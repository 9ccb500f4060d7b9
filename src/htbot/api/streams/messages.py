"""What a client may say over a WebSocket: JSON objects, strictly read. The first one shows its token."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from htbot.services.board.board import Topic

LARGEST = 4096
"""Characters of one message."""
T = TypeVar("T")
Symbol = Annotated[str, Field(min_length=1, max_length=40)]


class Malformed(ValueError):
    """The message is none of those below; the text says what is wrong, without the message."""


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Said):
    """The token, in the first message and never in the URL: URLs end up in logs."""

    type: Literal["auth"]
    token: str = Field(min_length=1, max_length=512, repr=False)


class Subscribe(_Said):
    """Follow a channel; of `prices`, these symbols only, or all."""

    type: Literal["subscribe"]
    channel: Topic
    symbols: list[Symbol] | None = Field(default=None, max_length=100)


class Unsubscribe(_Said):
    """Follow it no more."""

    type: Literal["unsubscribe"]
    channel: Topic


class Ping(_Said):
    """Are you there?"""

    type: Literal["ping"]


Said = Subscribe | Unsubscribe | Ping
_FIRST: TypeAdapter[Auth] = TypeAdapter(Auth)
_LATER: TypeAdapter[Said] = TypeAdapter(Annotated[Said, Field(discriminator="type")])


def first(text: str) -> Auth:
    """The first message.

    Raises:
        Malformed: it is something else.
    """
    return _read(_FIRST, text)


def later(text: str) -> Said:
    """Any other message.

    Raises:
        Malformed: it is none.
    """
    said = _read(_LATER, text)
    if isinstance(said, Subscribe) and said.symbols is not None and said.channel is not Topic.PRICES:
        raise Malformed(f"symbols: channel {said.channel} has none, leave them out")
    return said


def _read(kind: TypeAdapter[T], text: str) -> T:
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in detail["loc"]) or "message"
        raise Malformed(f"{place}: {detail['msg'][:200]}") from None
