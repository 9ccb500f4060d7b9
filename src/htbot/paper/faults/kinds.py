"""Every fault: what it does, its fields, an example. Help, validation and documentation are made from these classes.

Two families. An `OrderFault` waits for orders that fit its selection; an `Event` happens at its time. All seconds are
market time, so that a stepped world plays the same day each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

from htbot.paper.faults.values import (
    ACTION,
    AMOUNT,
    CLIENT_ID,
    COUNT,
    FLAG,
    MOMENT,
    PRICE,
    QUANTITY,
    SECONDS,
    SEED,
    SHARE,
    TEXT,
    TIMES,
    Moment,
    Reader,
    one_of,
)


def takes(reader: Reader, meaning: str) -> Mapping[str, Reader | str]:
    """The metadata of a fault's field: how it is read and what it means."""
    return {"reader": reader, "meaning": meaning}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What every fault has. `effect` is its documentation, `example` its fields as a person writes them."""

    name: ClassVar[str] = ""
    effect: ClassVar[str] = ""
    example: ClassVar[str] = ""

    at: Moment | None = field(
        default=None, metadata=takes(MOMENT, "market time from which it counts; default: at once")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFault(Fault):
    """A fault that meets orders which fit every field of its selection."""

    times: int | None = field(default=1, metadata=takes(TIMES, "how many orders it meets"))
    nth: int = field(default=1, metadata=takes(COUNT, "the first one it meets, counted among those that fit"))
    client: int | None = field(default=None, metadata=takes(CLIENT_ID, "orders of this client only"))
    ref: str | None = field(
        default=None, metadata=takes(TEXT, "order references that fit this pattern only, with * and ?")
    )
    symbol: str | None = field(default=None, metadata=takes(TEXT, "this symbol only"))
    action: str | None = field(default=None, metadata=takes(ACTION, "this side only"))
    type: str | None = field(default=None, metadata=takes(TEXT, "this order type only, as the client wrote it"))
    above: Decimal | None = field(default=None, metadata=takes(QUANTITY, "orders of a larger quantity only"))
    probability: float = field(
        default=1.0, metadata=takes(SHARE, "share of fitting orders that it meets, drawn from the seed")
    )
    seed: int = field(default=7, metadata=takes(SEED, "seed of the draw"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(Fault):
    """A fault that happens at its time."""

    daily: bool = field(default=False, metadata=takes(FLAG, "again at the same time of every session day"))

    def __post_init__(self) -> None:
        if self.daily and self.at is None:
            raise ValueError("daily=yes needs at, such as at=23:45")


# --- orders -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DropOrder(OrderFault):
    """The request vanishes."""

    name: ClassVar[str] = "drop-order"
    effect: ClassVar[str] = "A new order is thrown away: no order, no callback, no error, ever."
    example: ClassVar[str] = "symbol=SPY nth=3"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoseReply(OrderFault):
    """The answer vanishes."""

    name: ClassVar[str] = "lose-reply"
    effect: ClassVar[str] = (
        "A new order is accepted and lives, fills included, but its client is told nothing of it. Answers to requests"
        " (open orders, executions, positions) show it. Reports begin again when the client connects anew."
    )
    example: ClassVar[str] = "ref=entry-* for_s=60"

    for_s: float | None = field(default=None, metadata=takes(SECONDS, "silence ends after so many seconds, too"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LateOrder(OrderFault):
    """The request takes its time."""

    name: ClassVar[str] = "late-order"
    effect: ClassVar[str] = (
        "A new order reaches IB so much later, whether its client is still there or not. `times=always` is a slow IB."
    )
    example: ClassVar[str] = "by_s=120 times=always"

    by_s: float = field(default=60.0, metadata=takes(SECONDS, "how much later"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(OrderFault):
    """Error 201."""

    name: ClassVar[str] = "reject"
    effect: ClassVar[str] = "A new order is rejected: error 201 and status Inactive."
    example: ClassVar[str] = "action=SELL above=100 times=always"

    reason: str = field(
        default="rejected by a rule of this gateway", metadata=takes(TEXT, "the reason in the error's text")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseModify(OrderFault):
    """Error 201 for a change, the order lives."""

    name: ClassVar[str] = "refuse-modify"
    effect: ClassVar[str] = "A change of a working order is refused with error 201; the order works on unchanged."
    example: ClassVar[str] = "ref=exit-* times=2"

    reason: str = field(
        default="the order cannot be changed at this moment", metadata=takes(TEXT, "the reason in the error's text")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseCancel(OrderFault):
    """Error 10148 for a cancel, the order lives."""

    name: ClassVar[str] = "refuse-cancel"
    effect: ClassVar[str] = "A cancel of a working order is refused with error 10148; the order works on."
    example: ClassVar[str] = "client=7"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialSilence(OrderFault):
    """k of n, then nothing."""

    name: ClassVar[str] = "partial-silence"
    effect: ClassVar[str] = (
        "The first fill of an order is cut to `fill` and reported; of the rest its client is told nothing until it"
        " connects anew."
    )
    example: ClassVar[str] = "above=10 fill=4 rest=hangs"

    fill: Decimal = field(default=Decimal(1), metadata=takes(AMOUNT, "how much fills and is reported"))
    rest: str = field(
        default="works",
        metadata=takes(one_of("works", "hangs"), "works: the rest goes on filling; hangs: it never fills"),
    )
    for_s: float | None = field(default=None, metadata=takes(SECONDS, "silence ends after so many seconds, too"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReports(OrderFault):
    """Everything twice."""

    name: ClassVar[str] = "duplicate-reports"
    effect: ClassVar[str] = (
        "Every report about the order is sent twice: openOrder, orderStatus, executions, commissions."
    )
    example: ClassVar[str] = "times=always"


@dataclass(frozen=True, slots=True, kw_only=True)
class WithholdCommission(OrderFault):
    """Fills without commissions."""

    name: ClassVar[str] = "withhold-commission"
    effect: ClassVar[str] = "Commission reports of the order are not sent, or late; asking for executions shows them."
    example: ClassVar[str] = "for_s=300"

    for_s: float | None = field(default=None, metadata=takes(SECONDS, "they come so much later; default: never"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectExecution(OrderFault):
    """An execution is corrected afterwards."""

    name: ClassVar[str] = "correct-execution"
    effect: ClassVar[str] = (
        "The first execution of an order is corrected afterwards: the same execution id with a higher last part, books"
        " and cash follow."
    )
    example: ClassVar[str] = "by=-0.01 after_s=30"

    bust: bool = field(default=False, metadata=takes(FLAG, "taken back altogether instead"))
    by: Decimal = field(default=Decimal("0.01"), metadata=takes(PRICE, "change of the price"))
    after_s: float = field(default=5.0, metadata=takes(SECONDS, "how long after the fill"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOnOrder(OrderFault):
    """The socket goes with the order."""

    name: ClassVar[str] = "cut-on-order"
    effect: ClassVar[str] = "The client's connection is cut when its new order arrives, before or after it is accepted."
    example: ClassVar[str] = "order=accepted how=reset"

    order: str = field(
        default="accepted", metadata=takes(one_of("accepted", "lost"), "whether the order still gets in")
    )
    how: str = field(default="reset", metadata=takes(one_of("reset", "close"), "reset: RST; close: clean FIN"))


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnect(Event):
    """Sockets close."""

    name: ClassVar[str] = "disconnect"
    effect: ClassVar[str] = "Client connections are cut; orders live on."
    example: ClassVar[str] = "client=7 how=close at=10:32:30"

    client: int | None = field(default=None, metadata=takes(CLIENT_ID, "this client only"))
    how: str = field(default="reset", metadata=takes(one_of("reset", "close"), "reset: RST; close: clean FIN"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfOpen(Event):
    """Sockets that nobody serves."""

    name: ClassVar[str] = "half-open"
    effect: ClassVar[str] = (
        "Client connections stay open but nothing is read or answered any more. The client id stays taken (error 326)"
        " until `for_s` is over, or the gateway's hold time after the client has given up."
    )
    example: ClassVar[str] = "client=7 for_s=600"

    client: int | None = field(default=None, metadata=takes(CLIENT_ID, "this client only"))
    for_s: float | None = field(
        default=None, metadata=takes(SECONDS, "the gateway notices and resets the connection after so long")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart(Event):
    """The gateway's daily restart."""

    name: ClassVar[str] = "restart"
    effect: ClassVar[str] = (
        "The gateway restarts: every socket closes, the port refuses for `for_s` (in a stepped world, where nobody"
        " moves the time meanwhile, seconds of the host), then it is back with its books. nextValidId goes back by"
        " `ids_back` until the client has placed an order; a used id is still answered with 103."
    )
    example: ClassVar[str] = "at=23:45 daily=yes for_s=30 ids_back=4"

    for_s: float = field(default=5.0, metadata=takes(SECONDS, "how long the port refuses"))
    ids_back: int = field(default=0, metadata=takes(SEED, "how far nextValidId goes back"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(Event):
    """IB is away from the gateway."""

    name: ClassVar[str] = "outage"
    effect: ClassVar[str] = (
        "The gateway loses IB: 1100 with 2110, 2103, 2105; no data, no reports; what the gateway knows by itself it"
        " still answers. Orders fill at the exchange meanwhile. Then 1101 (subscriptions are gone) or 1102 with 2104,"
        " 2106, and the fills come after it."
    )
    example: ClassVar[str] = "at=10:32:30 for_s=90 data=lost fills=learned"

    for_s: float = field(default=60.0, metadata=takes(SECONDS, "how long"))
    data: str = field(
        default="kept",
        metadata=takes(one_of("kept", "lost"), "kept: 1102; lost: 1101, subscriptions must be requested again"),
    )
    orders: str = field(
        default="held",
        metadata=takes(one_of("held", "refused"), "orders meanwhile: held until it is over, or error 1100"),
    )
    fills: str = field(
        default="told", metadata=takes(one_of("told", "learned"), "told: reported afterwards; learned: only by asking")
    )


KINDS: dict[str, type[Fault]] = {
    kind.name: kind
    for kind in (
        DropOrder,
        LoseReply,
        LateOrder,
        Reject,
        RefuseModify,
        RefuseCancel,
        PartialSilence,
        DuplicateReports,
        WithholdCommission,
        CorrectExecution,
        CutOnOrder,
        Disconnect,
        HalfOpen,
        Restart,
        Outage,
    )
}
"""Every fault by the name that people write."""
