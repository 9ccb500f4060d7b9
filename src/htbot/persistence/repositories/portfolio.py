"""Positions and P&L."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Date,
    Executable,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from htbot.domain.positions import Position
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import TradeState
from htbot.persistence.codecs import plain
from htbot.persistence.columns import UtcDateTime
from htbot.persistence.records import DailyPnl, PnlSnapshot
from htbot.persistence.repositories.base import Repository, insert_told, told_columns, told_rows
from htbot.persistence.rows.portfolio import PnlDailyRow, PnlSnapshotRow, PositionRow
from htbot.persistence.rows.trades import TradeRow
from htbot.portfolio.positions import PositionKey

_FOLDED = tuple(each.name for each in fields(Position))
_RUNNING = ("quantity", "average_price", "realized_usd", "commissions_usd")


def _put() -> Insert:
    statement = insert_told(cast(Table, PositionRow.__table__))
    changed = {name: statement.excluded[name] for name in (*_FOLDED, "as_of") if name not in {"account", "con_id"}}
    return statement.on_conflict_do_update(index_elements=["account", "con_id"], set_=changed)


def _follow() -> Executable:
    """Of each contract the fold as it is, where the row is what was written last."""
    positions = cast(Table, PositionRow.__table__)
    kinds = {name: positions.c[name].type for name in ("account", "con_id", *_RUNNING, "as_of")}
    before = {f"before_{name}": positions.c[name].type for name in (*_RUNNING, "as_of")}
    told = told_rows(kinds | before)
    stands = [positions.c[name] == told.c[f"before_{name}"] for name in (*_RUNNING, "as_of")]
    same = [positions.c[name] == told.c[name] for name in ("account", "con_id")]
    now = {name: told.c[name] for name in (*_RUNNING, "as_of")}
    return update(positions).where(*same, *stands).values(now).returning(positions.c.account, positions.c.con_id)


def _fold_day() -> Insert:
    """What is realised of the trades that are closed, less their commissions; null while a part is not known.

    A trade belongs to the New York day of its close (`Trade.counted_on`), whole, with what was sold of it before.
    """
    trades, days = cast(Table, TradeRow.__table__).c, cast(Table, PnlDailyRow.__table__)
    account, day = bindparam("of_account", type_=Text()), bindparam("of_day", type_=Date())
    gross, fees = _whole(trades.gross_pnl_usd), _whole(trades.commissions_usd)
    result: dict[str, ColumnElement[Any]] = {
        "account": account,
        "day": day,
        "gross_usd": gross,
        "commissions_usd": fees,
        "net_usd": gross - fees,
        "trades": func.count(),
        "as_of": bindparam("as_of", type_=UtcDateTime()),
    }
    begins, ends = (bindparam(name, type_=UtcDateTime()) for name in ("midnight", "next_midnight"))
    ended = and_(trades.state == TradeState.CLOSED, trades.closed_at >= begins, trades.closed_at < ends)
    query = select(*result.values()).where(trades.account == account, ended)
    statement = insert(days).from_select(list(result), query)
    changed = {name: statement.excluded[name] for name in result if name not in {"account", "day"}}
    newer = statement.excluded.as_of >= days.c.as_of
    return statement.on_conflict_do_update(index_elements=["account", "day"], set_=changed, where=newer)


def _whole(amounts: ColumnElement[Any]) -> ColumnElement[Any]:
    """Their sum: 0 without any, null as soon as one is."""
    return case((func.count() == func.count(amounts), func.coalesce(func.sum(amounts), literal(0))))


# Written with each close, so they are built once.
_PUT, _FOLLOW, _FOLD_DAY = _put(), _follow(), _fold_day()


Followed = tuple[Position, datetime, Position]
"""A position as it was written, when, and as it is now."""


class PositionRepository(Repository):
    """The fold of fills, stored for readers; it can be thrown away and folded again."""

    def put(self, positions: Iterable[Position], as_of: datetime) -> None:
        """Put folds in place of the stored ones, contract by contract."""
        rows = [{name: getattr(position, name) for name in _FOLDED} | {"as_of": as_of} for position in positions]
        if rows:
            self._count(_PUT, told_columns(rows))

    def follow(self, folds: Iterable[Followed], as_of: datetime) -> set[PositionKey]:
        """Put folds in place of what was written before them, where that is what stands there; of which it was."""
        rows = [
            {"account": now.account, "con_id": now.con_id, "as_of": as_of, "before_as_of": written_at}
            | {name: getattr(now, name) for name in _RUNNING}
            | {f"before_{name}": getattr(written, name) for name in _RUNNING}
            for written, written_at, now in folds
        ]
        followed = self._session.execute(_FOLLOW, told_columns(rows)) if rows else ()
        return {(row.account, row.con_id) for row in followed}

    def drop(self, account: str, con_id: int) -> None:
        """Forget a contract of which no execution is left."""
        self._count(delete(PositionRow).where(PositionRow.account == account, PositionRow.con_id == con_id))

    def quantity(self, account: str, con_id: int) -> int:
        """What an account has of a contract; 0 without any."""
        mine = (PositionRow.account == account, PositionRow.con_id == con_id)
        return self._session.scalar(select(PositionRow.quantity).where(*mine)) or 0

    def of_account(self, account: str | None = None, *, flat: bool = False) -> list[Position]:
        """Positions by account and contract; those of quantity 0 only when `flat`."""
        query = select(PositionRow).order_by(PositionRow.account, PositionRow.con_id)
        if account is not None:
            query = query.where(PositionRow.account == account)
        if not flat:
            query = query.where(PositionRow.quantity != 0)
        return self._all(query, _to_position)


class PnlRepository(Repository):
    """Marks of open trades, and the result of each day."""

    def add_snapshot(self, snapshot: PnlSnapshot) -> bool:
        """Store one mark; False when this trade has a mark at this `as_of`."""
        values = {
            "trade_id": snapshot.trade_id,
            "as_of": snapshot.as_of,
            "mid_debit": snapshot.mid_debit,
            "natural_debit": snapshot.natural_debit,
            "mid_pnl_usd": snapshot.mid_pnl_usd,
            "natural_pnl_usd": snapshot.natural_pnl_usd,
            "max_gain_usd": snapshot.max_gain_usd,
            "details": plain(snapshot.details),
        }
        return self._count(insert(PnlSnapshotRow).values(values).on_conflict_do_nothing()) == 1

    def latest_snapshot(self, trade_id: str, as_of: datetime | None = None) -> PnlSnapshot | None:
        """The last mark of a trade, up to `as_of` when given."""
        query = select(PnlSnapshotRow).where(PnlSnapshotRow.trade_id == trade_id)
        if as_of is not None:
            query = query.where(PnlSnapshotRow.as_of <= as_of)
        return self._first(query.order_by(PnlSnapshotRow.as_of.desc()), _to_snapshot)

    def snapshots(self, trade_id: str) -> list[PnlSnapshot]:
        """Every mark of a trade, oldest first."""
        query = select(PnlSnapshotRow).where(PnlSnapshotRow.trade_id == trade_id)
        return self._all(query.order_by(PnlSnapshotRow.as_of), _to_snapshot)

    def fold_day(self, account: str, day: date, as_of: datetime) -> None:
        """Store the result of a day, folded from its trades; what is there stays when it is newer."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
        hours = {"midnight": midnight, "next_midnight": midnight + timedelta(days=1)}
        self._count(_FOLD_DAY, {"of_account": account, "of_day": day, "as_of": as_of, **hours})

    def day(self, account: str, day: date) -> DailyPnl | None:
        """Result of one account on one day."""
        query = select(PnlDailyRow).where(PnlDailyRow.account == account, PnlDailyRow.day == day)
        return self._first(query, _to_day)

    def days(self, account: str, first: date, last: date) -> list[DailyPnl]:
        """Results of days first..last (inclusive), oldest first."""
        query = select(PnlDailyRow).where(PnlDailyRow.account == account, PnlDailyRow.day.between(first, last))
        return self._all(query.order_by(PnlDailyRow.day), _to_day)

    def every_day(self) -> list[DailyPnl]:
        """Results of all accounts and days."""
        return self._all(select(PnlDailyRow).order_by(PnlDailyRow.account, PnlDailyRow.day), _to_day)


def _to_position(row: PositionRow) -> Position:
    return Position(
        account=row.account,
        con_id=row.con_id,
        symbol=row.symbol,
        expiry=row.expiry,
        strike=row.strike,
        right=row.right,
        multiplier=row.multiplier,
        quantity=row.quantity,
        average_price=row.average_price,
        realized_usd=row.realized_usd,
        commissions_usd=row.commissions_usd,
    )


def _to_snapshot(row: PnlSnapshotRow) -> PnlSnapshot:
    return PnlSnapshot(
        trade_id=row.trade_id,
        as_of=row.as_of,
        mid_debit=row.mid_debit,
        natural_debit=row.natural_debit,
        mid_pnl_usd=row.mid_pnl_usd,
        natural_pnl_usd=row.natural_pnl_usd,
        max_gain_usd=row.max_gain_usd,
        details=row.details,
    )


def _to_day(row: PnlDailyRow) -> DailyPnl:
    return DailyPnl(
        account=row.account,
        day=row.day,
        gross_usd=row.gross_usd,
        commissions_usd=row.commissions_usd,
        net_usd=row.net_usd,
        trades=row.trades,
        as_of=row.as_of,
        unrealized_usd=row.unrealized_usd,
    )
