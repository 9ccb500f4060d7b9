"""Trades: one live trade per strategy and account, of bought options one for each direction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import (
    Integer,
    Row,
    Table,
    Text,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.types import TypeEngine

from htbot.domain.signals import Direction
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.codecs import legs_from_json, legs_to_json, rules_from_json, rules_to_json
from htbot.persistence.columns import Money, UtcDateTime
from htbot.persistence.repositories.base import Repository, told_columns, told_rows
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import LIVE_TRADE_STATES

_TRADES = cast(Table, TradeRow.__table__)
# Asked every 30 seconds of market time, so it is built once.
_UNFINISHED = (
    select(TradeRow)
    .where(
        TradeRow.account == bindparam("of_account"),
        or_(
            TradeRow.state.in_(LIVE_TRADE_STATES),
            and_(TradeRow.state == TradeState.CLOSED, TradeRow.commissions_usd.is_(None)),
        ),
    )
    .order_by(TradeRow.opened_at, TradeRow.id)
)


class TradeRepository(Repository):
    """Trades from decision to net P&L."""

    def add(self, trade: Trade) -> bool:
        """Store a trade; False when its id is there or its strategy has its live trade in this account."""
        values = {"id": trade.id, **_fixed(trade), **_moving(trade)}
        return self._count(insert(TradeRow).values(values).on_conflict_do_nothing()) == 1

    def save(self, trade: Trade, from_state: TradeState) -> bool:
        """Write what changes in a trade's life; False when it no longer stands in `from_state`."""
        return self.save_all([(trade, from_state)]) == 1

    def save_all(self, trades: Sequence[tuple[Trade, TradeState]]) -> int:
        """The same for several trades, each with the state that it leaves, in one statement; how many stood there."""
        if not trades:
            return 0
        rows = [{"id": trade.id, "from_state": before, **_moving(trade)} for trade, before in trades]
        return self._count(_SAVE, told_columns(rows))

    def raise_max_gain(self, trade_id: str, gain_usd: Decimal) -> None:
        """Keep the greater of the stored and the given gain of a live trade."""
        greater = func.greatest(func.coalesce(TradeRow.max_gain_usd, gain_usd), gain_usd)
        condition = (TradeRow.id == trade_id, TradeRow.state.in_(LIVE_TRADE_STATES))
        self._count(update(TradeRow).where(*condition).values(max_gain_usd=greater))

    def get(self, trade_id: str, *, lock: bool = False) -> Trade | None:
        """One trade; `lock` holds the row until the transaction ends."""
        return self.of_ids([trade_id], lock=lock).get(trade_id)

    def of_ids(self, trade_ids: Iterable[str], *, lock: bool = False) -> dict[str, Trade]:
        """Trades by id; one that there is not is absent. `lock` holds the rows, taken in one order by everybody."""
        found = self._read(_HOLD_IDS if lock else _OF_IDS, to_trade, {"ids": list(set(trade_ids))})
        return {trade.id: trade for trade in found}

    def live(self, account: str | None = None, strategy: str | None = None) -> list[Trade]:
        """Trades that are opening, open or closing, oldest first."""
        query = select(TradeRow).where(TradeRow.state.in_(LIVE_TRADE_STATES))
        if account is not None:
            query = query.where(TradeRow.account == account)
        if strategy is not None:
            query = query.where(TradeRow.strategy == strategy)
        return self._all(query.order_by(TradeRow.opened_at, TradeRow.id), to_trade)

    def unfinished(self, account: str) -> list[Trade]:
        """Trades of an account that are live, or closed without all of their commissions; oldest first."""
        return self._all(_UNFINISHED, to_trade, {"of_account": account})

    def of_session(self, session: date, account: str | None = None) -> list[Trade]:
        """Trades of one session in order of time."""
        query = select(TradeRow).where(TradeRow.session == session)
        if account is not None:
            query = query.where(TradeRow.account == account)
        return self._all(query.order_by(TradeRow.opened_at, TradeRow.id), to_trade)

    def of_strategy(self, strategy: str, account: str, since: datetime) -> list[Trade]:
        """Trades of a strategy that were decided since a market time, in order of time."""
        query = select(TradeRow).where(
            TradeRow.strategy == strategy, TradeRow.account == account, TradeRow.opened_at >= since
        )
        return self._all(query.order_by(TradeRow.opened_at, TradeRow.id), to_trade)

    def every(self) -> list[Trade]:
        """All trades of the record in order of time."""
        return self._all(select(TradeRow).order_by(TradeRow.opened_at, TradeRow.id), to_trade)

    def recent(self, limit: int = 100, account: str | None = None) -> list[Trade]:
        """The last trades, newest first."""
        query = select(TradeRow).order_by(TradeRow.opened_at.desc(), TradeRow.id.desc()).limit(limit)
        if account is not None:
            query = query.where(TradeRow.account == account)
        return self._all(query, to_trade)


def _fixed(trade: Trade) -> dict[str, Any]:
    return {
        "strategy": trade.strategy,
        "account": trade.account,
        "symbol": trade.symbol,
        "session": trade.session,
        "direction": int(trade.direction),
        "legs": legs_to_json(trade.legs),
        "width": trade.width,
        "rules": rules_to_json(trade.rules),
        "config_hash": trade.config_hash,
        "opened_at": trade.opened_at,
    }


def _moving(trade: Trade) -> dict[str, Any]:
    return {
        "state": trade.state,
        "quantity": trade.quantity,
        "closed": trade.closed,
        "closed_at": trade.closed_at,
        "credit": trade.credit,
        "debit": trade.debit,
        "exit_reason": trade.exit_reason,
        "gross_pnl_usd": trade.gross_pnl_usd,
        "commissions_usd": trade.commissions_usd,
        "max_gain_usd": trade.max_gain_usd,
    }


_MOVING: dict[str, TypeEngine[Any]] = {
    "state": Text(),
    "quantity": Integer(),
    "closed": Integer(),
    "closed_at": UtcDateTime(),
    "credit": Money(),
    "debit": Money(),
    "exit_reason": Text(),
    "gross_pnl_usd": Money(),
    "commissions_usd": Money(),
    "max_gain_usd": Money(),
}


def _save() -> Update:
    told = told_rows({"id": Text(), "from_state": Text(), **_MOVING})
    stands = type_coerce(_TRADES.c.state, Text()) == told.c.from_state
    return update(_TRADES).where(_TRADES.c.id == told.c.id, stands).values({name: told.c[name] for name in _MOVING})


_SAVE = _save()
_OF_IDS = select(_TRADES).where(_TRADES.c.id.in_(bindparam("ids", expanding=True))).order_by(_TRADES.c.id)
_HOLD_IDS = _OF_IDS.with_for_update()


def to_trade(row: TradeRow | Row[Any]) -> Trade:
    """A trade from its row."""
    return Trade(
        id=row.id,
        strategy=row.strategy,
        account=row.account,
        symbol=row.symbol,
        session=row.session,
        direction=Direction(row.direction),
        state=row.state,
        legs=legs_from_json(row.legs),
        quantity=row.quantity,
        width=row.width,
        rules=rules_from_json(row.rules),
        config_hash=row.config_hash,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        credit=row.credit,
        debit=row.debit,
        exit_reason=row.exit_reason,
        gross_pnl_usd=row.gross_pnl_usd,
        commissions_usd=row.commissions_usd,
        max_gain_usd=row.max_gain_usd,
        closed=row.closed,
    )
