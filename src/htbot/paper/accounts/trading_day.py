"""What happens because a day goes by: orders expire, contracts expire, futures are settled, a new day's profit begins.

No interest is paid or charged, no dividends are paid and no borrow fees are taken: this is not modelled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum

from htbot.domain.instruments import Right, SecType
from htbot.domain.orders import Action
from htbot.domain.sessions import Session
from htbot.market.ports import ContractDetails, Market
from htbot.paper.accounts.bookings import Booking, booking
from htbot.paper.accounts.ledger import HeldPosition, Ledger
from htbot.paper.accounts.valuation import Valuer
from htbot.paper.book.book import Book
from htbot.paper.contracts import wire_fields
from htbot.paper.errors import DUPLICATE_TICKER, RequestError, invalid
from htbot.paper.store import Store

_EXERCISE_BY_EXCEPTION = Decimal("0.01")
_LAPSES = "lapses"


class ExerciseAction(IntEnum):
    """What exerciseOptions asks for."""

    EXERCISE = 1
    LAPSE = 2


@dataclass(frozen=True, slots=True)
class Instruction:
    """A holder's word on a long option; `override` confirms what makes no sense by its price."""

    account: str
    con_id: int
    action: int
    quantity: Decimal
    override: bool = False


class TradingDay:
    """Closes sessions, once each, whatever the clock skipped; the last closed day is kept in the store."""

    def __init__(self, market: Market, store: Store, book: Book, ledger: Ledger, valuer: Valuer) -> None:
        self._market = market
        self._store = store
        self._book = book
        self._ledger = ledger
        self._valuer = valuer
        self._lapses = {(account, con_id) for account, con_id in json.loads(store.meta(_LAPSES) or "[]")}
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
            values = {held.con_id: self._valuer.mark(held).value for held in self._ledger.held(account)}
            worth = self._valuer.value(account)
            self._ledger.close_day(account, worth.net_liquidation, worth.equity_with_loan, values)
        self._book.forget(session.at(0, 0))
        self._closed_day = session.day
        self._store.put_meta("closed_day", session.day.isoformat())

    # --- exercise by the holder -----------------------------------------------------------------------------------

    def exercise(self, asked: Instruction, at: datetime) -> None:
        """Exercise a long option now (shares change hands at the strike), or let it lapse at its expiry.

        Raises:
            RequestError: 321 for an instruction that is none, 322 for an option that is not held or may not be
                exercised, and for what makes no sense by its price unless `override` is set.
        """
        position = self._ledger.positions.get((asked.account, asked.con_id))
        details = self._market.contract(asked.con_id)
        if details is None or details.contract.sec_type is not SecType.OPTION:
            raise invalid(f"Contract {asked.con_id} is no option: only options can be exercised")
        if asked.quantity <= 0 or asked.action not in tuple(ExerciseAction):
            raise invalid("Exercise needs the action 1 (exercise) or 2 (lapse) and a quantity above zero")
        if position is None or position.quantity < asked.quantity:
            held = max(Decimal(0), position.quantity) if position else Decimal(0)
            raise _not_processed(f"{asked.quantity:f} to exercise but {held:f} held long of contract {asked.con_id}")
        in_the_money = self._moneyness(details) > 0
        if in_the_money != (asked.action == ExerciseAction.EXERCISE) and not asked.override:
            word = "in" if in_the_money else "out of"
            raise _not_processed(f"Contract {asked.con_id} is {word} the money: set override to do it all the same")
        if asked.action == ExerciseAction.LAPSE:
            self._lapses.add((asked.account, asked.con_id))
            self._keep_lapses()
            return
        if _settles_in_cash(details):
            raise _not_processed(f"Contract {asked.con_id} is European: it is exercised at its expiry")
        self._deliver(position, details, asked.quantity, at)
        self._close_out(position, details, asked.quantity, Decimal(0), at)

    def _moneyness(self, details: ContractDetails) -> Decimal:
        """How far the option is in the money now; negative when out of it or when the underlying has no price."""
        mark = self._valuer.price(details.under_con_id)
        strike = details.contract.strike
        if mark is None or strike is None:
            return Decimal(-1)
        return mark - strike if details.contract.right is Right.CALL else strike - mark

    def _keep_lapses(self) -> None:
        self._store.put_meta(_LAPSES, json.dumps(sorted(self._lapses)))

    # --- expiry ---------------------------------------------------------------------------------------------------

    def _expire(self, position: HeldPosition, session: Session, at: datetime) -> None:
        """Settle a contract that expires with this session: futures and index options in cash, others by delivery.

        Options in the money by a cent or more are exercised (OCC exercise by exception) unless their holder let them
        lapse; the rest expire. A future ends at the price of its last close.
        """
        details = self._market.contract(position.con_id)
        if details is None or details.contract.expiry is None or details.contract.expiry > session.day:
            return
        units = abs(position.quantity)
        if details.contract.sec_type is not SecType.OPTION:
            self._close_out(position, details, units, self._valuer.mark(position).price, at)
            return
        key = (position.account, position.con_id)
        intrinsic = self._intrinsic(details)
        in_cash = _settles_in_cash(details)
        exercised = intrinsic >= _EXERCISE_BY_EXCEPTION and key not in self._lapses
        if exercised and not in_cash:
            self._deliver(position, details, units, at)
        self._close_out(position, details, units, intrinsic if in_cash and exercised else Decimal(0), at)
        if key in self._lapses:
            self._lapses.discard(key)
            self._keep_lapses()

    def _intrinsic(self, details: ContractDetails) -> Decimal:
        contract = details.contract
        settled = self._market.settlement(contract.con_id)
        if settled is None or contract.strike is None:
            return Decimal(0)
        value = settled - contract.strike if contract.right is Right.CALL else contract.strike - settled
        return max(Decimal(0), value)

    def _close_out(
        self, position: HeldPosition, details: ContractDetails, units: Decimal, price: Decimal, at: datetime
    ) -> None:
        side = Action.SELL if position.quantity > 0 else Action.BUY
        self._trade(booking(position.account, details.contract, side, units, price, Decimal(0)), details, at)

    def _deliver(self, position: HeldPosition, details: ContractDetails, units: Decimal, at: datetime) -> None:
        """Shares change hands at the strike: calls that are long and puts that are short bring shares in."""
        stock = self._market.contract(details.under_con_id)
        strike = details.contract.strike
        if stock is None or strike is None:
            return
        receives = (details.contract.right is Right.CALL) == (position.quantity > 0)
        side = Action.BUY if receives else Action.SELL
        shares = units * position.multiplier
        self._trade(booking(position.account, stock.contract, side, shares, strike, Decimal(0)), stock, at)

    def _trade(self, trade: Booking, details: ContractDetails, at: datetime) -> None:
        self._book.broker_trade(replace(trade, ordered=False), wire_fields(details), at)


def _settles_in_cash(details: ContractDetails) -> bool:
    """Options on an index are European and settle in cash."""
    return details.under_sec_type == SecType.INDEX.value


def _not_processed(reason: str) -> RequestError:
    return RequestError(DUPLICATE_TICKER, f"Error processing request.-'bY' : cause - {reason}")
