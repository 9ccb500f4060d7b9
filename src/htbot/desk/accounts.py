"""Whose accounts the desk follows: those that it trades, and those in which it only ends what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session as Transaction

from htbot.desk.opening import Login
from htbot.domain.errors import StopTrading
from htbot.persistence.repositories import TradeRepository


@dataclass(frozen=True, slots=True)
class Followed:
    """Accounts of a login: `traded`, the main one first, and `left`, which hold trades and are not configured any more.

    `troubles` are what a person has to know of them, a sentence each.
    """

    traded: tuple[str, ...]
    left: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every account whose trades are guarded."""
        return (*self.traded, *self.left)


def follow(session: Login, wanted: str | None, more: Sequence[str], held: Mapping[str, Sequence[str]]) -> Followed:
    """What to follow in a login.

    An account that is missing costs the others nothing: what they hold has to be guarded. In an account that holds a
    trade and is configured no longer nothing is entered, and exits go on.

    Args:
        session: the login.
        wanted: the main account, None for the login's only one.
        more: further accounts to trade.
        held: trades that are not over, by account.

    Raises:
        StopTrading: the main account is not there or not clear.
    """
    main, there = choose_account(session, wanted), session.accounts
    traded = tuple(dict.fromkeys([main, *(account for account in more if account in there)]))
    left = tuple(sorted(account for account in held if account in there and account not in traded))
    names = {account: ", ".join(trades) for account, trades in sorted(held.items())}
    troubles = [
        f"IB_ACCOUNTS={account} is not in this login ({', '.join(there)}): nothing is entered there"
        for account in more
        if account not in there
    ]
    troubles += [f"account {one} is not in IB_ACCOUNTS and holds trade {names[one]}: only ended" for one in left]
    troubles += [
        f"nobody guards trade {trades}: account {account} is not in this login, close it by hand or log in there"
        for account, trades in names.items()
        if account not in there
    ]
    return Followed(traded, left, tuple(troubles))


def choose_account(session: Login, wanted: str | None) -> str:
    """The account to trade; `StopTrading` when it is not there or not clear."""
    accounts = session.accounts
    if wanted is not None and wanted not in accounts:
        raise StopTrading(f"IB_ACCOUNT={wanted} is not in this login ({', '.join(accounts)})")
    if wanted is None and len(accounts) != 1:
        raise StopTrading(f"this login has {len(accounts)} accounts: set IB_ACCOUNT to one of {', '.join(accounts)}")
    return wanted or accounts[0]


def held_by_account(session: Transaction) -> dict[str, list[str]]:
    """Trades of the record that are not over, by account."""
    held: dict[str, list[str]] = {}
    for trade in TradeRepository(session).live():
        held.setdefault(trade.account, []).append(trade.id)
    return held
