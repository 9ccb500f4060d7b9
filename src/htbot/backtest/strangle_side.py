"""One side of strategy 2 in a backtest: its option, its order, its bids, and the trade that came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from htbot.backtest.result import ResultLeg, ResultTrade
from htbot.domain.fills import Fill
from htbot.domain.instruments import Right
from htbot.domain.orders import ExitReason, OrderIntent
from htbot.domain.sessions import floor_to
from htbot.domain.signals import Direction, SpreadLeg
from htbot.strategies.strangle_momentum import BidBar, Phase, Side, StrangleMomentum

_ZERO = Decimal(0)


@dataclass(slots=True)
class BidBars:
    """Bars of the bids that were seen; a bar is closed by the first look after its end."""

    seconds: int
    last: BidBar | None = None
    _start: datetime | None = None
    _made: BidBar | None = None

    def see(self, at: datetime, bid: float | None) -> None:
        """One look; a bid that is not there is nothing to see, but time goes on."""
        start = floor_to(at, self.seconds)
        if start != self._start:
            self.last = self._made if self._made is not None else self.last
            self._start, self._made = start, None
        if bid is None:
            return
        made = self._made
        if made is None:
            self._made = BidBar(bid, bid, bid, bid)
        else:
            self._made = BidBar(made.open, max(made.high, bid), min(made.low, bid), bid)


@dataclass(slots=True)
class PlayedSide:
    """What a run keeps of one side in one session; `refused` is the rule that last kept it from entering."""

    side: Side
    bars: BidBars
    leg: SpreadLeg | None = None
    order: OrderIntent | None = None
    opened_at: datetime | None = None
    reason: ExitReason | None = None
    exits: int = 0
    refused: str | None = None
    best: Decimal = _ZERO
    worst: Decimal = _ZERO
    entry_fills: list[Fill] = field(default_factory=list)
    exit_fills: list[Fill] = field(default_factory=list)

    def hear(self, fills: Sequence[Fill], *, ended: bool) -> None:
        """Executions of the order that works, and whether it is over."""
        entering = self.side.phase is Phase.ENTERING
        (self.entry_fills if entering else self.exit_fills).extend(fills)
        if not ended or self.order is None:
            return
        ref, self.order = self.order.ref, None
        done = sum(fill.quantity for fill in (*self.entry_fills, *self.exit_fills) if fill.ref == ref)
        if entering:
            self.side = self.side.entry_ended(done, float(average(self.entry_fills)) if done else None)
        else:
            self.side = self.side.exit_ended(done)

    def see(self, at: datetime, bid: float | None) -> None:
        """A look at the option's bid while it is held."""
        self.bars.see(at, bid)
        if self.side.held and bid is not None:
            result = (Decimal(str(bid)) - average(self.entry_fills)) * 100 * self.side.held
            self.best, self.worst = max(self.best, result), min(self.worst, result)

    def trade(self, strategy: StrangleMomentum, account: str) -> ResultTrade | None:
        """The finished trade, None when nothing was bought."""
        if not self.entry_fills or not self.exit_fills or self.leg is None or self.opened_at is None:
            return None
        paid, got = average(self.entry_fills), average(self.exit_fills)
        quantity, right = self.side.bought, self.side.right
        units = self.leg.multiplier * quantity
        gross = (got - paid) * units
        fees = sum((fill.commission or _ZERO for fill in (*self.entry_fills, *self.exit_fills)), _ZERO)
        leg = ResultLeg(
            self.leg.symbol, "BUY", quantity, paid, got, self.leg.expiry, self.leg.strike, self.leg.right.value
        )
        return ResultTrade(
            id=f"{strategy.name}-{account}-{self.leg.expiry:%Y%m%d}-{right.value}",
            strategy=strategy.name,
            account=account,
            symbol=self.leg.symbol,
            direction=Direction.BULL if right is Right.CALL else Direction.BEAR,
            opened_at=self.opened_at,
            closed_at=max(fill.executed_at for fill in self.exit_fills),
            legs=(leg,),
            exit_reason=self.reason or ExitReason.EXPIRY,
            gross_pnl=gross,
            commissions=fees,
            max_gain=max(self.best, gross),
            max_loss=min(self.worst, gross),
            exposure=paid * units,
            config_hash=strategy.config_hash,
            detail="the price had run and turned" if self.reason is ExitReason.PROFIT_TARGET else "",
        )


def average(fills: Sequence[Fill]) -> Decimal:
    """Average price of executions."""
    return sum((fill.price * fill.quantity for fill in fills), _ZERO) / sum(fill.quantity for fill in fills)
