"""The record of a backtest: signals, intents, fills and trades of one strategy in one account, and the risk book."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from htbot.backtest.spread_request import SpreadSignal
from htbot.backtest.spread_trades import Extremes, SpreadTrade, closed_trade
from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason, OrderIntent, Purpose
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import Trade, TradeState
from htbot.execution.exits import ExitWatch
from htbot.execution.trade_fold import TradeFacts, fold_trade, net_by_contract
from htbot.portfolio.marks import Marks
from htbot.portfolio.pnl import open_pnl
from htbot.portfolio.positions import latest
from htbot.risk.book import Book, RecentOrder
from htbot.risk.flood import fingerprint

LIVE = frozenset({TradeState.OPENING, TradeState.OPEN, TradeState.CLOSING})
GUARDED = frozenset({TradeState.OPEN, TradeState.CLOSING})
_MINUTE = timedelta(minutes=1)
_RECENT = timedelta(minutes=10)
_SALES = timedelta(days=14)
_ZERO = Decimal(0)


@dataclass(slots=True)
class HeldTrade:
    """One trade and what happened to it; `exits` counts how often its close was begun."""

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

    def fold(self, now: datetime) -> None:
        """Bring the trade up to what happened."""
        facts = TradeFacts(self.entry_fills, self.exit_fills, self.entry_over, self.exit_live, self.exit_reason)
        self.trade = fold_trade(self.trade, facts, now)

    def raise_gain(self, gain_usd: Decimal | None) -> None:
        """The best result so far, where it is known."""
        known = [amount for amount in (self.max_gain, gain_usd) if amount is not None]
        self.max_gain = max(known, default=None)

    def see(self, marks: Marks) -> None:
        """A look at the prices of the legs: the worst result so far, over believable ones."""
        pnl = open_pnl(self.trade, marks, self.trade.rules.pnl_basis) if marks.believable else None
        if pnl is not None:
            self.max_loss = pnl if self.max_loss is None else min(self.max_loss, pnl)


@dataclass(slots=True)
class Kept:
    """What happened, in order; trades are those that are closed."""

    trades: list[SpreadTrade] = field(default_factory=list)
    signals: list[SpreadSignal] = field(default_factory=list)
    intents: list[OrderIntent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)


class SpreadBook:
    """Append-only. Rules look back two weeks: what is older is kept apart, or a year would slow down day by day."""

    def __init__(self) -> None:
        self.signals: list[SpreadSignal] = []
        self.intents: list[OrderIntent] = []
        self.fills: list[Fill] = []
        self._trades: dict[str, HeldTrade] = {}
        self._older = Kept()

    def begin_session(self, day: date) -> None:
        """A new session: what no rule looks at any more is put aside."""
        oldest, older = day - _SALES, self._older
        older.trades += self._closed(lambda held: held.trade.session < oldest)
        older.signals += [one for one in self.signals if one.signal.session < oldest]
        older.intents += [one for one in self.intents if one.session < oldest]
        since = datetime.combine(oldest, time(), tzinfo=NEW_YORK)
        older.fills += [fill for fill in self.fills if fill.executed_at < since]
        self._trades = {
            name: held
            for name, held in self._trades.items()
            if held.trade.session >= oldest or held.trade.state in LIVE
        }
        self.signals = [one for one in self.signals if one.signal.session >= oldest]
        self.intents = [one for one in self.intents if one.session >= oldest]
        self.fills = [fill for fill in self.fills if fill.executed_at >= since]

    @property
    def whole(self) -> Kept:
        """Everything that happened."""
        older = self._older
        return Kept(
            [*older.trades, *self._closed(lambda _held: True)],
            [*older.signals, *self.signals],
            [*older.intents, *self.intents],
            [*older.fills, *self.fills],
        )

    def _closed(self, wanted: Callable[[HeldTrade], bool]) -> list[SpreadTrade]:
        """Closed trades, as the outside is shown them."""
        return [
            closed_trade(held.trade, held.entry_fills, held.exit_fills, Extremes(held.max_gain, held.max_loss))
            for held in self._trades.values()
            if held.trade.state is TradeState.CLOSED and wanted(held)
        ]

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

    def next_exit(self, session: date) -> int:
        """Number of the next exit of a session, from 1."""
        return 1 + sum(one.session == session and one.purpose is Purpose.EXIT for one in self.intents)

    def realized_usd(self, session: date) -> Decimal:
        """Gross result of a session's trades, as far as they are closed."""
        return sum((held.trade.gross_pnl_usd or _ZERO for held in self._of(session)), _ZERO)

    def commissions_usd(self, session: date) -> Decimal:
        """Commissions of a session's trades, positive."""
        return sum((held.trade.commissions_usd or _ZERO for held in self._of(session)), _ZERO)

    def _of(self, session: date) -> list[HeldTrade]:
        return [held for held in self._trades.values() if held.trade.session == session]

    # --- what rules look at -----------------------------------------------------------------------------------------

    def risk_book(self, session: date, as_of: datetime, halted_by: str | None, peak_usd: Decimal | None) -> Book:
        """The book that a decision at `as_of` reads."""
        today = self._of(session)
        monday = session - timedelta(days=session.weekday())
        open_trades = [held for held in self._trades.values() if held.trade.state in LIVE]
        working = [held for held in open_trades if not held.entry_over or held.exit_live]
        counted = [held for held in self._trades.values() if held.trade.state is not TradeState.VOID]
        closed = [held.trade.closed_at for held in today if held.trade.state is TradeState.CLOSED]
        realized = self.realized_usd(session) - self.commissions_usd(session)
        losses = self._losses(open_trades)
        entries = [one for one in self.intents if one.purpose is Purpose.ENTRY]
        return Book(
            open_trades=len(open_trades),
            working_orders=len(working),
            entries_today=len(today),
            next_sequence=1 + sum(one.session == session for one in entries),
            spent_levels=frozenset(
                (int(one.signal.direction), one.signal.level) for one in self.signals if one.signal.session == session
            ),
            last_exit_at=max((at for at in closed if at is not None), default=None),
            last_entry_at=max((held.trade.opened_at for held in today), default=None),
            strategy_realized_today_usd=realized,
            account_realized_today_usd=realized,
            open_maximum_loss_usd=sum(losses.values(), _ZERO),
            orders_last_minute=sum(one.created_at > as_of - _MINUTE for one in self.intents),
            account_open_trades=len(open_trades),
            trades_today=sum(held.trade.session == session for held in counted),
            trades_this_week=sum(monday <= held.trade.session <= session for held in counted),
            orders_today=sum(one.session == session for one in self.intents),
            signals_last_minute=sum(one.signal.as_of > as_of - _MINUTE for one in self.signals),
            recent_orders=tuple(
                RecentOrder(fingerprint(one.action, one.quantity, one.legs), one.created_at)
                for one in reversed(entries)
                if one.created_at > as_of - _RECENT
            ),
            value_by_symbol_usd=losses,
            peak_equity_usd=peak_usd,
            sale_proceeds_usd=self._sales(as_of),
            halted_by=halted_by,
            reconciled=True,
        )

    @staticmethod
    def _losses(open_trades: Iterable[HeldTrade]) -> dict[str, Decimal]:
        """What open trades can still lose, by symbol; an entry that works counts whole, at the least it accepts."""
        found: dict[str, Decimal] = {}
        for held in open_trades:
            trade, entry = held.trade, held.entry
            credit = (trade.credit or _ZERO) if held.entry_over else -entry.worst_limit
            quantity = trade.quantity if held.entry_over else max(trade.quantity, entry.quantity)
            loss = (trade.spread_width - credit) * trade.legs[0].multiplier * quantity
            found[trade.symbol] = found.get(trade.symbol, _ZERO) + loss
        return found

    def _sales(self, as_of: datetime) -> dict[date, Decimal]:
        found: dict[date, Decimal] = {}
        for fill in self.fills:
            if fill.signed_quantity < 0 and fill.executed_at > as_of - _SALES:
                day = fill.executed_at.astimezone(NEW_YORK).date()
                found[day] = found.get(day, _ZERO) + fill.price * fill.quantity * fill.multiplier
        return found
