"""A closed trade as everybody outside is shown it: the fields of `htbot trades --json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.domain.trades import Trade


@dataclass(frozen=True, slots=True)
class SpreadTradeLeg:
    """One leg: average prices of entry and exit; `modelled` when one of them was at a modelled quote."""

    con_id: int
    symbol: str
    expiry: date
    strike: Decimal
    right: str
    side: str
    quantity: int
    fill: Decimal
    exit_fill: Decimal
    modelled: bool


@dataclass(frozen=True, slots=True)
class SpreadTrade:
    """One closed trade; money in USD, `credit` and `debit` per unit, below 0 where an option was bought."""

    id: str
    strategy: str
    account: str
    symbol: str
    direction: int
    opened_at: datetime
    closed_at: datetime
    legs: tuple[SpreadTradeLeg, ...]
    quantity: int
    width: Decimal | None
    credit: Decimal
    debit: Decimal
    exit_reason: str
    gross_pnl: Decimal
    commissions: Decimal
    net_pnl: Decimal
    max_gain: Decimal | None
    duration_s: float
    config_hash: str
    max_loss: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Extremes:
    """Best and worst result while a trade was open, in USD; None when no believable price was seen."""

    max_gain: Decimal | None = None
    max_loss: Decimal | None = None


def closed_trade(trade: Trade, entry: Sequence[Fill], exits: Sequence[Fill], extremes: Extremes) -> SpreadTrade:
    """The outside of a closed trade.

    Raises:
        StopTrading: it is not closed, or a figure of it is unknown.
    """
    closed_at, credit, debit, reason = trade.closed_at, trade.credit, trade.debit, trade.exit_reason
    gross, net, commissions = trade.gross_pnl_usd, trade.net_pnl_usd, trade.commissions_usd
    if closed_at is None or credit is None or debit is None or reason is None:
        raise StopTrading(f"{trade.id} is {trade.state}, not closed")
    if gross is None or net is None or commissions is None:
        raise StopTrading(f"{trade.id} is closed and its result is unknown")
    legs = tuple(
        SpreadTradeLeg(
            con_id=leg.con_id,
            symbol=leg.symbol,
            expiry=leg.expiry,
            strike=leg.strike,
            right=leg.right.value,
            side="BUY" if leg.ratio > 0 else "SELL",
            quantity=abs(leg.ratio) * trade.quantity,
            fill=_average(leg.con_id, entry),
            exit_fill=_average(leg.con_id, exits),
            modelled=any(fill.modelled for fill in (*entry, *exits) if fill.con_id == leg.con_id),
        )
        for leg in trade.spread_legs
    )
    return SpreadTrade(
        id=trade.id,
        strategy=trade.strategy,
        account=trade.account,
        symbol=trade.symbol,
        direction=int(trade.direction),
        opened_at=trade.opened_at,
        closed_at=closed_at,
        legs=legs,
        quantity=trade.quantity,
        width=trade.width,
        credit=credit,
        debit=debit,
        exit_reason=reason.value,
        gross_pnl=gross,
        commissions=commissions,
        net_pnl=net,
        max_gain=extremes.max_gain,
        duration_s=(closed_at - trade.opened_at).total_seconds(),
        config_hash=trade.config_hash,
        max_loss=extremes.max_loss,
    )


def _average(con_id: int, fills: Sequence[Fill]) -> Decimal:
    own = [fill for fill in fills if fill.con_id == con_id]
    return sum((fill.price * fill.quantity for fill in own), Decimal(0)) / sum(fill.quantity for fill in own)
