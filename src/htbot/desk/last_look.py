"""The last look at an order between its commit and the socket (ARCHITECTURE section 7.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from htbot.desk.halts import HaltWatch
from htbot.desk.open_book import OpenBook
from htbot.desk.record import stale_entry
from htbot.domain.errors import StopTrading
from htbot.domain.orders import OrderIntent
from htbot.domain.trades import Trade
from htbot.execution.intents import closable_quantity
from htbot.risk.flood import EntryFlood, fingerprint


@dataclass(frozen=True, slots=True)
class LastLook:
    """What may stop an order at the last moment: entries by many things, exits by their quantity alone.

    `accounts` are those that are traded, `blocked` says why nothing may be entered in one of them and a symbol,
    `holdings` what the broker shows of an account by contract id; `broken` is told of a strategy that floods.
    """

    halts: HaltWatch
    flood: EntryFlood
    book: OpenBook
    accounts: Callable[[], Sequence[str]]
    enabled: Callable[[], bool]
    blocked: Callable[[str, str], str | None]
    holdings: Callable[[str], Mapping[int, int]]
    broken: Callable[[StopTrading], None]

    def halted_by(self, account: str) -> str | None:
        """Why no entry of an account may leave, None while nothing halts."""
        return self.halts.entries_halted_by(account)

    def halted(self) -> dict[str, str]:
        """The same for every account that is halted."""
        told = {account: self.halted_by(account) for account in self.accounts()}
        return {account: why for account, why in told.items() if why is not None}

    def at_entry(self, intent: OrderIntent, now: datetime) -> str | None:
        """Why this entry may not leave: the kill switch first; None counts it as sent."""
        if not self.enabled():
            return "trading is not enabled any more"
        account = intent.account
        halted = self.halted_by(account) or stale_entry(intent, now) or self.blocked(account, intent.symbol)
        halted = halted or self._opposed(intent)
        if halted is not None:
            return halted
        order = fingerprint(intent.action, intent.quantity, intent.legs)
        flood = self.flood.refusal(intent.strategy, order, now, account)
        if flood is not None:  # a strategy that has lost its mind (FAULTS 42)
            self.broken(StopTrading(f"{intent.strategy} floods: {flood}"))
        return flood

    def _opposed(self, intent: OrderIntent) -> str | None:
        """Two that were approved at once: the later one may not take the other side of a contract."""
        other = self.book.opposed(intent)
        return None if other is None else f"trade {other} holds or wants the other side of its contract"

    def at_exit(self, intent: OrderIntent, quantity: int) -> str | None:
        """Why an exit of so many units would open something."""
        closable = self.closable(intent)
        if closable >= quantity:
            return None
        return f"closes {quantity}, but only {closable} are held by us and shown by the broker"

    def closable(self, closed: OrderIntent | Trade) -> int:
        """Units of an exit, or of a trade, that may be closed: what both books hold (RULINGS 10).

        The broker shows an account's contract as one: what other live exits still close of it is not there for this.
        """
        return self._closable(closed, giving_way=False)

    def share(self, trade: Trade) -> int:
        """Units for which a trade's stop and target may stand; where not all is shown, those of later trades give way.

        Else two that stand for the same units would drive each other away.
        """
        return self._closable(trade, giving_way=True)

    def others_hold(self, trade: Trade) -> bool:
        """Whether the broker shows contracts of a trade that others of its account hold too."""
        shown = self.holdings(trade.account)
        return any(shown.get(leg.con_id) for leg in trade.legs) and bool(self.book.sharing(trade))

    def _closable(self, closed: OrderIntent | Trade, *, giving_way: bool) -> int:
        own = closed.trade_id if isinstance(closed, OrderIntent) else closed.id
        held, shown = self.book.get(own), dict(self.holdings(closed.account))
        sides = {leg.con_id: leg.ratio for leg in closed.legs}
        ours = dict(shown) if held is None else held.held
        for other in self.book.sharing(closed):
            units = other.still_closes(protective=not giving_way or other.trade.id < own)
            for leg in other.trade.legs if units else ():
                if sides.get(leg.con_id, 0) * leg.ratio > 0:
                    shown[leg.con_id] = shown.get(leg.con_id, 0) - units * leg.ratio
        return closable_quantity(closed.legs, ours, shown)
