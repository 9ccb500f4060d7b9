"""Orders and executions in the gateway's books."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from htbot.domain.orders import Action
from htbot.matching.fees import Bill
from htbot.matching.terms import OrderKind, Progress, Terms
from htbot.paper.book.conditions import Conditions
from htbot.paper.contracts import Tradable


class Status(StrEnum):
    """Order status as orderStatus carries it (TWS_PROTOCOL section 6)."""

    PENDING_SUBMIT = "PendingSubmit"
    PRE_SUBMITTED = "PreSubmitted"
    SUBMITTED = "Submitted"
    PENDING_CANCEL = "PendingCancel"
    FILLED = "Filled"
    CANCELLED = "Cancelled"
    API_CANCELLED = "ApiCancelled"
    INACTIVE = "Inactive"


WORKING = frozenset({Status.PRE_SUBMITTED, Status.SUBMITTED})
OCA_CANCEL, OCA_REDUCE_WITH_BLOCK, OCA_REDUCE = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Ticket:
    """What an order asks for: the part that a modification replaces. Prices are signed as IB signs them.

    `good_after` and `good_till` are aware UTC. `oca_group` is the client's own; a bracket's children are a group by
    themselves (`PaperOrder.oca_group`). `hints` are warnings that go to the client with the acceptance: code and text.
    """

    terms: Terms
    tif: str
    ref: str = ""
    good_after: datetime | None = None
    good_till: datetime | None = None
    outside_rth: bool = False
    transmit: bool = True
    parent_id: int = 0
    oca_group: str = ""
    oca_type: int = OCA_REDUCE
    auto_cancel_parent: bool = False
    algo: str = ""
    conditions: Conditions = field(default_factory=Conditions)
    hints: tuple[tuple[int, str], ...] = ()

    @property
    def action(self) -> Action:
        """Side of the order."""
        return self.terms.action

    @property
    def kind(self) -> OrderKind:
        """Type of the order."""
        return self.terms.kind

    @property
    def quantity(self) -> Decimal:
        """Units that the client asked for."""
        return self.terms.quantity

    @property
    def limit(self) -> Decimal | None:
        """Limit price, None without one."""
        return self.terms.limit


@dataclass(frozen=True, slots=True)
class Portion:
    """An account's part of an order: `share` of the whole, what it got so far, and what that cost in commissions."""

    account: str
    share: Decimal
    filled: Decimal = Decimal(0)
    bill: Bill = ()


@dataclass(slots=True)
class PaperOrder:
    """One order of one client. `frame` is the client's own placeOrder, from which the order is read again at start.

    `quantity` is what it may fill in all: the ticket's, or less after its OCA group has taken `reduced` off it or its
    parent ended with a part. `since` is when it
    was placed or last changed, `due` that it waits for its first look at the market. `released`: its time, its
    conditions and its parent no longer hold it back. `leg_values` is price x units of each leg so far. An order of
    one account has one portion, an adviser's allocation one for each account.
    """

    client_id: int
    order_id: int
    perm_id: int
    account: str
    frame: tuple[str, ...]
    version: int
    created_at: datetime
    since: datetime
    tradable: Tradable
    ticket: Ticket
    quantity: Decimal
    echo: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.PENDING_SUBMIT
    progress: Progress = field(default_factory=Progress)
    portions: tuple[Portion, ...] = ()
    leg_values: tuple[Decimal, ...] = ()
    filled_value: Decimal = Decimal(0)
    last_price: Decimal = Decimal(0)
    parent_perm_id: int = 0
    oca_group: str = ""
    reduced: Decimal = Decimal(0)
    why_held: str = ""
    released: bool = False
    due: bool = False
    completed_at: datetime | None = None
    reason: str = ""

    @property
    def working(self) -> bool:
        """True while the order may still fill; a parked order (transmit=0) is not working yet."""
        return self.status in WORKING

    @property
    def parked(self) -> bool:
        """True until a transmit=1 member of its bracket arrives."""
        return self.status is Status.PENDING_SUBMIT

    @property
    def live(self) -> bool:
        """Working or parked."""
        return self.working or self.parked

    @property
    def filled(self) -> Decimal:
        """Units filled so far."""
        return self.progress.filled

    @property
    def remaining(self) -> Decimal:
        """Units not filled yet."""
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal:
        """Average fill price per unit, 0 before the first fill."""
        return self.filled_value / self.filled if self.filled else Decimal(0)

    @property
    def commission(self) -> Decimal:
        """What all fills so far were charged, in USD."""
        return sum((leg.charged for portion in self.portions for leg in portion.bill), Decimal(0))

    @property
    def key(self) -> tuple[int, int]:
        """Client id and order id."""
        return self.client_id, self.order_id


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution. A combination has one for itself (no commission) and one for each leg (RULINGS 3).

    `modelled` tells that the price is from a modelled quote (RULINGS 24), `added` that the order stood in the book and
    was met. A correction is a new execution whose id differs in its last part (`root` stays).
    """

    exec_id: str
    order_id: int
    client_id: int
    perm_id: int
    account: str
    ref: str
    contract: dict[str, Any]
    at: datetime
    side: Action
    quantity: Decimal
    price: Decimal
    cumulative: Decimal
    average_price: Decimal
    commission: Decimal | None = None
    realized_usd: Decimal | None = None
    modelled: bool = False
    added: bool = False

    @property
    def root(self) -> str:
        """The id without its last part, which counts corrections."""
        return self.exec_id.rpartition(".")[0]
