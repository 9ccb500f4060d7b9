"""Where a trade on a plain instrument is closed by its price: the stop and the target that stand at the broker.

A price and an amount of dollars may both be given; the nearer one counts, as in the bar loop of a backtest. Prices lie
on the grid of cents: a stop is rounded towards the entry, so that it loses no more than it may, a target away from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from htbot.domain.orders import PriceStyle
from htbot.domain.trades import Trade
from htbot.execution import ticks
from htbot.portfolio.marks import CENT


@dataclass(frozen=True, slots=True)
class ProtectivePrices:
    """Dollars per share; None = the trade has no such exit."""

    stop: Decimal | None = None
    target: Decimal | None = None

    def by_style(self) -> dict[PriceStyle, Decimal]:
        """What should stand at the broker."""
        wanted = {PriceStyle.STOP: self.stop, PriceStyle.TARGET: self.target}
        return {style: price for style, price in wanted.items() if price is not None}


def protective_prices(trade: Trade) -> ProtectivePrices:
    """Stop and target of a plain trade, from its average entry; none of a spread, or before it has a fill."""
    leg = trade.plain
    if leg is None or trade.credit is None:
        return ProtectivePrices()
    side, entry, rules = leg.ratio, -trade.credit * leg.ratio, trade.rules
    stops, targets = [], []
    if rules.stop_loss_usd is not None:
        stops.append(entry - side * rules.stop_loss_usd / trade.units)
    if rules.stop_price is not None:
        stops.append(rules.stop_price)
    if rules.profit_target_usd is not None:
        targets.append(entry + side * rules.profit_target_usd / trade.units)
    if rules.target_price is not None:
        targets.append(rules.target_price)
    return ProtectivePrices(
        _above_0(_rounded_up(max(side * price for price in stops), side)) if stops else None,
        _above_0(_rounded_up(min(side * price for price in targets), side)) if targets else None,
    )


def _rounded_up(signed: Decimal, side: int) -> Decimal:
    """The next price on the grid in the direction of a gain; `signed` is side x price."""
    return side * ticks.up(signed, CENT)


def _above_0(price: Decimal) -> Decimal | None:
    """A price that cannot be reached is none."""
    return price if price > 0 else None
