"""Equity of an account from session to session: what a restart must not reset (spec 05 section 23)."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import Insert, insert

from htbot.persistence.records import CashFlow, EquityDay
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.equity import AccountEquityRow, CashFlowRow


def _save() -> Insert:
    old = cast(Table, AccountEquityRow.__table__)
    statement = insert(old)
    new = statement.excluded
    kept = ("start_net_liquidation_usd", "start_unrealized_usd")
    newest = ("equity_usd", "daily_pnl_usd")
    rising = ("peak_equity_usd", "intraday_peak_usd")
    changed: dict[str, Any] = {name: func.coalesce(old.c[name], new[name]) for name in kept}
    changed |= {name: func.coalesce(new[name], old.c[name]) for name in newest}
    changed |= {name: func.greatest(old.c[name], new[name]) for name in rising}
    changed["as_of"] = new.as_of
    return statement.on_conflict_do_update(
        index_elements=["account", "day"], set_=changed, where=new.as_of >= old.c.as_of
    )


# Written every few seconds of market time, so it is built once; the same goes for the question.
_SAVE = _save()
_DAY = select(AccountEquityRow).where(
    AccountEquityRow.account == bindparam("of_account"), AccountEquityRow.day == bindparam("on_day")
)
_DAY_LOCKED = _DAY.with_for_update()


class EquityRepository(Repository):
    """One row per account and session day; peaks only rise, and move with money that goes in or out."""

    def day(self, account: str, day: date, *, lock: bool = False) -> EquityDay | None:
        """The figures of one day; `lock` holds them until the transaction ends, so that no reset comes between."""
        found = self._all(_DAY_LOCKED if lock else _DAY, _to_day, {"of_account": account, "on_day": day})
        return found[0] if found else None

    def last(self, account: str, until: date | None = None) -> EquityDay | None:
        """The newest day of an account, up to `until` (inclusive) when given."""
        query = select(AccountEquityRow).where(AccountEquityRow.account == account)
        if until is not None:
            query = query.where(AccountEquityRow.day <= until)
        return self._first(query.order_by(AccountEquityRow.day.desc()), _to_day)

    def days(self, account: str) -> list[EquityDay]:
        """Every day of an account, oldest first."""
        query = select(AccountEquityRow).where(AccountEquityRow.account == account)
        return self._all(query.order_by(AccountEquityRow.day), _to_day)

    def save(self, figures: EquityDay) -> None:
        """Store what was seen: what stands at the start of the day stays, peaks rise, the rest is the newest."""
        self._count(_SAVE, asdict(figures))

    def reset(self, at: datetime, account: str | None = None) -> list[EquityDay]:
        """Judge the newest day of an account, of every one without, from where it stands now; the days as before."""
        newest = select(AccountEquityRow.account, func.max(AccountEquityRow.day)).group_by(AccountEquityRow.account)
        if account is not None:
            newest = newest.where(AccountEquityRow.account == account)
        before = []
        for each, day in self._session.execute(newest).all():
            row = self.day(each, day, lock=True)
            if row is None:
                continue
            before.append(row)
            own = (AccountEquityRow.account == each, AccountEquityRow.day == day)
            values = {
                "peak_equity_usd": AccountEquityRow.equity_usd,
                "intraday_peak_usd": AccountEquityRow.equity_usd,
                "loss_base_usd": func.least(func.coalesce(AccountEquityRow.daily_pnl_usd, 0), 0),
                "reset_at": at,
            }
            self._count(update(AccountEquityRow).where(*own).values(values))
        return before

    def add_flow(self, flow: CashFlow) -> None:
        """Note a deposit or withdrawal, and shift the newest day's start and peaks by it."""
        self._count(insert(CashFlowRow).values(asdict(flow)))
        newest = self.last(flow.account)
        if newest is None:
            return
        own = (AccountEquityRow.account == flow.account, AccountEquityRow.day == newest.day)
        shifted = {
            name: getattr(AccountEquityRow, name) + flow.amount_usd
            for name in ("start_net_liquidation_usd", "peak_equity_usd", "intraday_peak_usd", "equity_usd")
        }
        self._count(update(AccountEquityRow).where(*own).values(shifted))

    def flows(self, account: str) -> list[CashFlow]:
        """Deposits and withdrawals of an account, oldest first."""
        query = select(CashFlowRow).where(CashFlowRow.account == account).order_by(CashFlowRow.at, CashFlowRow.id)
        return self._all(query, _to_flow)


def _to_day(row: AccountEquityRow) -> EquityDay:
    return EquityDay(
        account=row.account,
        day=row.day,
        as_of=row.as_of,
        start_net_liquidation_usd=row.start_net_liquidation_usd,
        start_unrealized_usd=row.start_unrealized_usd,
        equity_usd=row.equity_usd,
        daily_pnl_usd=row.daily_pnl_usd,
        peak_equity_usd=row.peak_equity_usd,
        intraday_peak_usd=row.intraday_peak_usd,
        loss_base_usd=row.loss_base_usd,
        reset_at=row.reset_at,
    )


def _to_flow(row: CashFlowRow) -> CashFlow:
    return CashFlow(row.account, row.at, Decimal(row.amount_usd), row.note, row.recorded_by)
