"""Broker accounts."""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import Insert, insert

from htbot.persistence.records import Account
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.control import AccountRow


def _upsert() -> Insert:
    accounts = cast(Table, AccountRow.__table__)
    statement = insert(accounts)
    changed = {
        column.name: func.coalesce(statement.excluded[column.name], column)
        for column in accounts.columns
        if not column.primary_key
    }
    return statement.on_conflict_do_update(index_elements=["account"], set_=changed)


# Written at every instant, so it is built once.
_UPSERT = _upsert()


class AccountRepository(Repository):
    """Broker accounts and the worlds they live in."""

    def upsert(self, account: Account) -> None:
        """Store an account; figures that are None stay as they were."""
        self._count(_UPSERT, asdict(account))

    def get(self, account: str) -> Account | None:
        """One account."""
        return self._first(select(AccountRow).where(AccountRow.account == account), _to_account)

    def all(self, world_id: str | None = None) -> list[Account]:
        """Accounts, of one world when given."""
        query = select(AccountRow).order_by(AccountRow.account)
        return self._all(query if world_id is None else query.where(AccountRow.world_id == world_id), _to_account)


def _to_account(row: AccountRow) -> Account:
    return Account(
        account=row.account,
        name=row.name,
        world_id=row.world_id,
        mode=row.mode,
        as_of=row.as_of,
        net_liquidation_usd=row.net_liquidation_usd,
        buying_power_usd=row.buying_power_usd,
        cash_usd=row.cash_usd,
    )
