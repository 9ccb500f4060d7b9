"""The record of a backtest: signals, intents, fills and trades of strategies in one account, and the risk book."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason, OrderIntent, Purpose
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Signal
from htbot.domain.trades import Trade, TradeState
from htbot.execution.exits import ExitWatch
from htbot.execution.intents import closable_quantity
from htbot.execution.protective import Attempts
from htbot.execution.repeats import may_repeat
from htbot.execution.trade_fold import TradeFacts, fold_trade, net_by_contract
from htbot.portfolio.marks import Marks
from htbot.portfolio.pnl import whole_pnl
from htbot.portfolio.positions import latest
from htbot.risk.book import Book, RecentOrder
from htbot.risk.flood import fingerprint

LIVE = frozenset({TradeState.OPENING, TradeState.OPEN, TradeState.CLOSING})
GUARDED = frozenset({TradeState.OPEN, TradeState.CLOSING})
RULES_LOOK_BACK = timedelta(days=14)
_MINUTE = timedelta(minutes=1)
_RECENT = timedelta(minutes=10)
_ZERO = Decimal(0)


class Judged(Protocol):
    """A signal with what came of it."""

    @property
    def signal(self) -> Signal:
        """The signal."""
        ...


_Judged = TypeVar("_Judged", bound=Judged)


@dataclass(slots=True)
class HeldTrade:
    """One trade and what happened to it; `exits` counts how often its close was begun.

    `reasons` are those of its exits by reference, `wanted` is that of a close that waits for what stands at the broker,
    of which there are `standing` orders. `part` is the sale at a profit level that is under way; while `part_waits` it
    has not left. `sold_level` is the highest level that had its sale.
    """

    trade: Trade
    entry: OrderIntent
    entry_over: bool = False
    exit_live: bool = False
    exit_reason: ExitReason | None = None
    watch: ExitWatch = field(default_factory=ExitWatch)
    marked: ExitWatch = field(default_factory=ExitWatch)
    max_gain: Decimal | None = None
    max_loss: Decimal | None = None
    exits: int = 0
    asked_at: datetime | None = None
    fills: list[Fill] = field(default_factory=list)
    reasons: dict[str, ExitReason] = field(default_factory=dict)
    wanted: ExitReason | None = None
    standing: int = 0
    part: OrderIntent | None = None
    part_waits: bool = False
    sold_level: int = 0
    attempts: Attempts = field(default_factory=Attempts)

    @property
    def entry_fills(self) -> list[Fill]:
        """Executions of the entry."""
        return [fill for fill in self.fills if fill.ref == self.entry.ref]

    @property
    def exit_fills(self) -> list[Fill]:
        """Executions of the exits."""
        return [fill for fill in self.fills if fill.ref != self.entry.ref]

    @property
    def held(self) -> dict[int, int]:
        """Net quantity by contract id."""
        return net_by_contract(latest(self.fills))

    @property
    def units(self) -> int:
        """Whole units that our fills hold."""
        return closable_quantity(self.trade.legs, self.held)

    def drop_part(self) -> None:
        """The sale of its part is over, or does not leave."""
        self.part, self.part_waits = None, False

    def fold(self, now: datetime) -> None:
        """Bring the trade up to what happened."""
        facts = TradeFacts(
            entry_fills=self.entry_fills,
            exit_fills=self.exit_fills,
            entry_over=self.entry_over,
            exit_live=self.exit_live,
            exit_reason=self.exit_reason,
            reasons=self.reasons,
        )
        self.trade = fold_trade(self.trade, facts, now)

    def may_leave(self, now: datetime) -> bool:
        """Whether its close may be begun: nothing more can be entered, and the last try is long enough ago."""
        ready = self.trade.state is TradeState.OPEN and self.entry_over
        return ready and may_repeat(self.exits, self.asked_at, now)

    def raise_gain(self, gain_usd: Decimal | None) -> None:
        """The best result so far, where it is known."""
        known = [amount for amount in (self.max_gain, gain_usd) if amount is not None]
        self.max_gain = max(known, default=None)

    def see(self, marks: Marks) -> None:
        """A look at the prices of the legs: the worst result so far, over believable ones."""
        pnl = whole_pnl(self.trade, marks, self.trade.rules.pnl_basis) if marks.believable else None
        if pnl is not None:
            self.max_loss = pnl if self.max_loss is None else min(self.max_loss, pnl)


class TradeBook(Generic[_Judged]):
    """Append-only, one account."""

    def __init__(self) -> None:
        self.signals: list[_Judged] = []
        self.intents: list[OrderIntent] = []
        self.fills: list[Fill] = []
        self._trades: dict[str, HeldTrade] = {}

    @property
    def trades(self) -> list[HeldTrade]:
        """Every trade that is kept, in order of entry."""
        return list(self._trades.values())

    def begin(self, trade: Trade, entry: OrderIntent) -> HeldTrade:
        """A trade is about to be entered."""
        held = self._trades[trade.id] = HeldTrade(trade, entry)
        self.intents.append(entry)
        return held

    def of(self, trade_id: str) -> HeldTrade:
        """One trade."""
        return self._trades[trade_id]

    def filled(self, fills: Iterable[Fill], trade_id: str) -> None:
        """Executions of a trade's order."""
        for fill in fills:
            self.fills.append(fill)
            self._trades[trade_id].fills.append(fill)

    @property
    def guarded(self) -> list[HeldTrade]:
        """Trades that hold something."""
        return [held for held in self._trades.values() if held.trade.state in GUARDED]

    def holds(self, strategy: str) -> bool:
        """Whether a trade of a strategy is not over."""
        return any(held.trade.state in LIVE for held in self._trades.values() if held.trade.strategy == strategy)

    def next_exit(self, strategy: str, session: date) -> int:
        """Number of the next exit of a strategy in a session, from 1."""
        exits = (one for one in self.intents if one.purpose is Purpose.EXIT and one.strategy == strategy)
        return 1 + sum(one.session == session for one in exits)

    def realized_usd(self, session: date) -> Decimal:
        """Gross result of the trades of a session and of older ones that it has seen, as far as they are closed."""
        return sum((held.trade.gross_pnl_usd or _ZERO for held in self._seen_by(session)), _ZERO)

    def commissions_usd(self, session: date) -> Decimal:
        """Commissions of the same trades, positive."""
        return sum((held.trade.commissions_usd or _ZERO for held in self._seen_by(session)), _ZERO)

    def _of(self, session: date) -> list[HeldTrade]:
        return [held for held in self._trades.values() if held.trade.session == session]

    def _settled_in(self, session: date) -> list[HeldTrade]:
        """Trades that were begun in a session, or closed in it."""
        every = self._trades.values()
        return [held for held in every if session in {held.trade.session, _day_of(held.trade.closed_at)}]

    def _seen_by(self, session: date) -> list[HeldTrade]:
        older = [held for held in self.guarded if held.trade.session < session]
        return [*self._settled_in(session), *older]

    # --- what rules look at -----------------------------------------------------------------------------------------

    def risk_book(
        self, strategy: str, session: date, as_of: datetime, halted_by: str | None, peak_usd: Decimal | None
    ) -> Book:
        """The book that a decision of a strategy at `as_of` reads."""
        today, settled = self._of(session), self._settled_in(session)
        mine = [held for held in today if held.trade.strategy == strategy]
        monday = session - timedelta(days=session.weekday())
        open_trades = [held for held in self._trades.values() if held.trade.state in LIVE]
        counted = [held for held in self._trades.values() if held.trade.state is not TradeState.VOID]
        closed = [held.trade.closed_at for held in mine if held.trade.state is TradeState.CLOSED]
        risks = [(held.trade.symbol, *at_risk(held)) for held in open_trades]
        entries = [one for one in self.intents if one.purpose is Purpose.ENTRY]
        own = [one.signal for one in self.signals if one.signal.strategy == strategy]
        return Book(
            open_trades=sum(held.trade.strategy == strategy for held in open_trades),
            open_directions=frozenset(
                int(held.trade.direction) for held in open_trades if held.trade.strategy == strategy
            ),
            working_orders=self._working(open_trades),
            entries_today=len(mine),
            next_sequence=1 + sum(one.session == session and one.strategy == strategy for one in entries),
            spent_levels=frozenset(
                (int(one.direction), one.level) for one in own if one.session == session and one.bar_start is None
            ),
            sides=frozenset(
                (leg.con_id, 1 if leg.ratio > 0 else -1) for held in open_trades for leg in held.trade.legs
            ),
            last_exit_at=max((at for at in closed if at is not None), default=None),
            last_entry_at=max((held.trade.opened_at for held in mine), default=None),
            strategy_realized_today_usd=_net_usd(held for held in settled if held.trade.strategy == strategy),
            account_realized_today_usd=_net_usd(settled),
            open_maximum_loss_usd=sum((loss for _symbol, loss, _value in risks), _ZERO),
            unseen_value_usd=sum((at_risk(held)[1] for held in open_trades if _unseen(held, as_of)), _ZERO),
            orders_last_minute=sum(one.created_at > as_of - _MINUTE for one in self.intents),
            account_open_trades=len(open_trades),
            account_opened_today=sum(held.trade.session == session for held in open_trades),
            trades_today=sum(held.trade.session == session for held in counted),
            trades_this_week=sum(monday <= held.trade.session <= session for held in counted),
            orders_today=sum(one.session == session for one in self.intents),
            signals_last_minute=sum(one.as_of > as_of - _MINUTE for one in own),
            recent_orders=tuple(
                RecentOrder(fingerprint(one.action, one.quantity, one.legs), one.created_at)
                for one in reversed(entries)
                if one.strategy == strategy and one.created_at > as_of - _RECENT
            ),
            value_by_symbol_usd={
                name: sum((value for symbol, _loss, value in risks if symbol == name), _ZERO)
                for name in dict.fromkeys(symbol for symbol, _loss, _value in risks)
            },
            peak_equity_usd=peak_usd,
            sale_proceeds_usd=self._sales(as_of),
            halted_by=halted_by,
            reconciled=True,
        )

    def _working(self, open_trades: Iterable[HeldTrade]) -> int:
        """Orders that have not ended."""
        return sum(
            (not held.entry_over) + held.exit_live + (held.part is not None) + held.standing for held in open_trades
        )

    def _sales(self, as_of: datetime) -> dict[date, Decimal]:
        found: dict[date, Decimal] = {}
        for fill in self.fills:
            if fill.signed_quantity < 0 and fill.executed_at > as_of - RULES_LOOK_BACK:
                day = fill.executed_at.astimezone(NEW_YORK).date()
                found[day] = found.get(day, _ZERO) + fill.price * fill.quantity * fill.multiplier
        return found


def at_risk(held: HeldTrade) -> tuple[Decimal, Decimal]:
    """What an open trade can still lose, and what it ties up: a vertical its maximum loss, shares their price.

    An entry that works counts whole, at the worst price that it accepts. Shares can lose what lies before their stop.
    """
    trade, entry = held.trade, held.entry
    credit = (trade.credit or _ZERO) if held.entry_over else -entry.worst_limit
    quantity = trade.quantity if held.entry_over else max(trade.quantity, entry.quantity)
    units = trade.legs[0].multiplier * (quantity - trade.closed)
    if trade.width is not None:
        loss = (trade.width - credit) * units
        return loss, loss
    value, rules = abs(credit) * units, trade.rules
    losses = [value]
    if rules.stop_loss_usd is not None:
        losses.append(rules.stop_loss_usd * (quantity - trade.closed) / quantity)
    if rules.stop_price is not None:
        losses.append((-credit - trade.legs[0].ratio * rules.stop_price) * units)
    return max(min(losses), _ZERO), value


def _unseen(held: HeldTrade, as_of: datetime) -> bool:
    """Whether the broker's figures may not show a trade yet: its entry works, or was filled within the last minute."""
    filled_at = max((fill.executed_at for fill in held.entry_fills), default=held.trade.opened_at)
    return not held.entry_over or filled_at > as_of - _MINUTE


def _day_of(at: datetime | None) -> date | None:
    """The New York day of a market time."""
    return None if at is None else at.astimezone(NEW_YORK).date()


def _net_usd(trades: Iterable[HeldTrade]) -> Decimal:
    """Realised less commissions, each as far as it is known."""
    parts = ((held.trade.gross_pnl_usd or _ZERO) - (held.trade.commissions_usd or _ZERO) for held in trades)
    return sum(parts, _ZERO)
