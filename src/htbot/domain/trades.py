"""A trade: one entry and its exit, from decision to net P&L."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from htbot.domain.errors import StopTrading
from htbot.domain.orders import ExitReason
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Direction, Leg, PlainLeg, SpreadLeg


class TradeState(StrEnum):
    """Where a trade stands. `VOID` = the entry ended without a fill."""

    OPENING = "opening"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class MomentumExit:
    """What was bought is sold when its price has run and turns, by closed bars of its bids of `bar_minutes`.

    Run: the bar's high is above `multiple` times the price paid. Turned: the bar is red, or its upper wick is longer
    than `wick_ratio` times its body (spec 01 section 8).
    """

    multiple: Decimal
    wick_ratio: Decimal
    bar_minutes: int


@dataclass(frozen=True, slots=True)
class ExitRules:
    """When this trade must be closed; dollars are per trade, times aware UTC. Fixed at entry, stored with the trade.

    Without `exit_at` and `flat_deadline` no time of the day closes it: it is held over night.
    A trade on a plain instrument may have prices per share beside dollars, or neither; the nearer one counts. One on a
    bought option may have `momentum`.
    """

    profit_target_usd: Decimal | None
    stop_loss_usd: Decimal | None
    exit_at: datetime | None
    flat_deadline: datetime | None
    pnl_basis: str = "mid"
    take_profit_fraction: Decimal | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    momentum: MomentumExit | None = None

    @property
    def overnight(self) -> bool:
        """Whether the trade may be held over the end of a session."""
        return self.flat_deadline is None


RECORDED = Decimal("0.000001")
"""Amounts are recorded to the sixth decimal, halves to even."""
_CENTS = Decimal("0.01")


def plain_money(value: Decimal) -> Decimal:
    """The same amount with the zeros behind the cents dropped: 1.200000 becomes 1.20, 0.062500 becomes 0.0625."""
    cents = value.quantize(_CENTS)
    return cents if cents == value else value.normalize()


def sum_of(parts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum, unknown as soon as one part is."""
    total = Decimal(0)
    for part in parts:
        if part is None:
            return None
        total += part
    return plain_money(total)


def less(amount: Decimal | None, taken: Decimal | None) -> Decimal | None:
    """The difference, unknown as soon as one of both is."""
    return None if amount is None or taken is None else plain_money(amount - taken)


def recorded(amount: Decimal | None) -> Decimal | None:
    """An amount as it is read back from the record."""
    return None if amount is None else plain_money(amount.quantize(RECORDED))


@dataclass(frozen=True, slots=True)
class Trade:
    """One position from entry to exit: a credit vertical, one bought option, or one stock or fund.

    `credit` and `debit` are positive per unit of a vertical (RULINGS 32). What has one leg follows the same signs: what
    is bought has a negative credit, what is sold short a positive one, and there is no `width`.

    `quantity` is what was opened, `closed` how many of these units are closed by now.
    """

    id: str
    strategy: str
    account: str
    symbol: str
    session: date
    direction: Direction
    state: TradeState
    legs: tuple[Leg, ...]
    quantity: int
    width: Decimal | None
    rules: ExitRules
    config_hash: str
    opened_at: datetime
    closed_at: datetime | None = None
    credit: Decimal | None = None
    debit: Decimal | None = None
    exit_reason: ExitReason | None = None
    gross_pnl_usd: Decimal | None = None
    commissions_usd: Decimal | None = None
    max_gain_usd: Decimal | None = None
    closed: int = 0

    @property
    def counted_on(self) -> date:
        """The New York day that its result belongs to: that of its close, and until then its session."""
        return self.session if self.closed_at is None else self.closed_at.astimezone(NEW_YORK).date()

    @property
    def plain(self) -> PlainLeg | None:
        """The one leg of a trade on a stock or fund, None for options."""
        leg = self.legs[0]
        return leg if isinstance(leg, PlainLeg) else None

    @property
    def single(self) -> SpreadLeg | None:
        """The one leg of a trade on a bought option, None for spreads and shares."""
        leg = self.legs[0]
        return leg if len(self.legs) == 1 and isinstance(leg, SpreadLeg) else None

    @property
    def spread_width(self) -> Decimal:
        """The strike width of a vertical.

        Raises:
            StopTrading: it is none.
        """
        if self.width is None:
            raise StopTrading(f"trade {self.id} has one leg and no strike width")
        return self.width

    @property
    def spread_legs(self) -> tuple[SpreadLeg, ...]:
        """The legs that are options: all or none."""
        return tuple(leg for leg in self.legs if isinstance(leg, SpreadLeg))

    @property
    def units(self) -> int:
        """Multiplier x quantity: dollars per dollar of price, of all that was opened."""
        return self.legs[0].multiplier * self.quantity

    @property
    def left(self) -> int:
        """Units that are still held."""
        return self.quantity - self.closed

    def shown(self, cost: Decimal | None) -> Decimal | None:
        """What closing costs per unit of a spread, as people are shown it; of what has one leg its price."""
        return cost if cost is None or len(self.legs) > 1 else -cost * self.legs[0].ratio

    @property
    def net_pnl_usd(self) -> Decimal | None:
        """Gross less commissions, or None while either is unknown."""
        if self.gross_pnl_usd is None or self.commissions_usd is None:
            return None
        return self.gross_pnl_usd - self.commissions_usd
