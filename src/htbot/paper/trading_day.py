"""What happens because a day goes by: orders expire, options expire, a new day's profit begins at zero."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from htbot.domain.instruments import UNDERLYINGS, Contract, Right
from htbot.domain.orders import Action
from htbot.domain.sessions import Session
from htbot.paper.book import Book
from htbot.paper.bookings import booking
from htbot.paper.contracts import wire_fields
from htbot.paper.ledger import HeldPosition, Ledger
from htbot.paper.ports import ContractDetails, Market
from htbot.paper.store import Store
from htbot.paper.valuation import Valuer

_EXERCISE_BY_EXCEPTION = Decimal("0.01")


class TradingDay:
    """Closes sessions, once each, whatever the clock skipped; the last closed day is kept in the store."""

    def __init__(self, market: Market, store: Store, book: Book, ledger: Ledger, valuer: Valuer) -> None:
        self._market = market
        self._store = store
        self._book = book
        self._ledger = ledger
        self._valuer = valuer
        text = store.meta("closed_day")
        if text is None:
            begun = [session for session in market.sessions.all() if session.closes <= market.start]
            text = (begun[-1].day if begun else date.min).isoformat()
        self._closed_day = date.fromisoformat(text)
        self._next = market.sessions.next_after(self._closed_day)

    def turn(self, at: datetime) -> None:
        """Close every session that is over by `at`, then let orders whose time is up expire."""
        while self._next is not None and self._next.closes <= at:
            self._close(self._next, at)
            self._next = self._market.sessions.next_after(self._closed_day)
        self._book.expire(at)

    def _close(self, session: Session, at: datetime) -> None:
        self._book.close_session(session, at)
        for account in list(self._ledger.accounts):
            for position in self._ledger.held(account):
                self._expire(position, session, at)
        for account in list(self._ledger.accounts):
            values = {held.con_id: self._valuer.mark(held).value_usd for held in self._ledger.held(account)}
            worth = self._valuer.value(account)
            self._ledger.close_day(account, worth.net_liquidation, worth.equity_with_loan, values)
        self._closed_day = session.day
        self._store.put_meta("closed_day", session.day.isoformat())

    def _expire(self, position: HeldPosition, session: Session, at: datetime) -> None:
        """Settle an option that expires with this session: index options in cash, others by exercise and assignment.

        Options in the money by a cent or more are exercised (OCC exercise by exception); the rest lapse.
        """
        details = self._market.contract(position.con_id)
        if details is None or details.contract.expiry is None or details.contract.expiry > session.day:
            return
        intrinsic = self._intrinsic(details)
        in_cash = _is_cash_settled(details.contract)
        exercised = intrinsic >= _EXERCISE_BY_EXCEPTION
        if exercised and not in_cash:
            self._deliver(position, details, at)
        self._close_out(position, details, intrinsic if in_cash and exercised else Decimal(0), at)

    def _intrinsic(self, details: ContractDetails) -> Decimal:
        contract = details.contract
        settled = self._market.settlement(contract.con_id)
        if settled is None or contract.strike is None:
            return Decimal(0)
        value = settled - contract.strike if contract.right is Right.CALL else contract.strike - settled
        return max(Decimal(0), value)

    def _close_out(self, position: HeldPosition, details: ContractDetails, price: Decimal, at: datetime) -> None:
        side = Action.SELL if position.quantity > 0 else Action.BUY
        quantity = abs(position.quantity)
        trade = booking(position.account, details.contract, side, quantity, price, Decimal(0))
        self._book.broker_trade(trade, wire_fields(details), at)

    def _deliver(self, position: HeldPosition, details: ContractDetails, at: datetime) -> None:
        """Shares change hands at the strike: calls that are long and puts that are short bring shares in."""
        stock = self._market.contract(details.under_con_id)
        strike = details.contract.strike
        if stock is None or strike is None:
            return
        receives = (details.contract.right is Right.CALL) == (position.quantity > 0)
        side = Action.BUY if receives else Action.SELL
        shares = abs(position.quantity) * position.multiplier
        trade = booking(position.account, stock.contract, side, shares, strike, Decimal(0))
        self._book.broker_trade(trade, wire_fields(stock), at)


def _is_cash_settled(contract: Contract) -> bool:
    underlying = UNDERLYINGS.get(contract.symbol)
    return underlying is not None and underlying.cash_settled
