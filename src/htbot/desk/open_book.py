"""The desk's memory of its trades: orders and fills of each, folded as they come, so that no exit waits for a database.

The record holds the same and is behind by what the ledger has not written yet (decision 0004).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from htbot.desk.live_order import LiveOrder
from htbot.domain.fills import Fill
from htbot.domain.instruments import Contract
from htbot.domain.orders import ExitReason, OrderIntent, OrderState
from htbot.domain.trades import Trade, TradeState
from htbot.execution.bid_bars import BidBars
from htbot.execution.fills import whole_spreads
from htbot.execution.intents import closable_quantity
from htbot.execution.trade_fold import TradeFacts, fold_trade, net_by_contract
from htbot.portfolio.positions import latest

GUARDED = frozenset({TradeState.OPEN, TradeState.CLOSING})
_STANDING = frozenset({OrderState.SUBMITTED, OrderState.PARTIAL})
_UNDONE = frozenset({OrderState.REJECTED, OrderState.EXPIRED})


@dataclass(frozen=True, slots=True)
class StoredTrade:
    """A trade as the record has it: its fills, the reference of its entry, and whether that can fill no further.

    `unmet` says that its last exit was wanted and is not done: refused by the broker, never seen there, or not sent.
    `exits` are the references of its exits with their reasons, protective orders included; `taken_back` are those that
    a person cancelled.
    """

    trade: Trade
    fills: tuple[Fill, ...]
    entry_ref: str
    entry_over: bool
    exit_reason: ExitReason | None = None
    unmet: bool = False
    exits: Mapping[str, ExitReason] = field(default_factory=dict)
    taken_back: frozenset[str] = frozenset()
    bids: BidBars = field(default_factory=BidBars)


@dataclass(slots=True)
class Wish:
    """A sale at a profit level that has not left: what stands at the broker has to make room for it first.

    `blocked_since` is the market time at which it could have left for the first time, had there been room.
    """

    intent: OrderIntent
    blocked_since: datetime | None = None


@dataclass(slots=True)
class OpenTrade:
    """One trade and all that happened to it.

    `wanted` is the reason of a close that is not done: the broker refused it, ended it early or has never seen it, it
    closed only part, or it has not left, because what stands there for the trade has to end first or what it closes is
    not shown yet. `exits` are the reasons of its exits by reference, `taken_back` those that a person cancelled. `wish`
    is a part that is to be sold.
    """

    trade: Trade
    entry_ref: str
    entry_over: bool = False
    exit_reason: ExitReason | None = None
    wanted: ExitReason | None = None
    exits: dict[str, ExitReason] = field(default_factory=dict)
    taken_back: set[str] = field(default_factory=set)
    orders: dict[str, LiveOrder] = field(default_factory=dict)
    fills: dict[str, Fill] = field(default_factory=dict)
    bids: BidBars = field(default_factory=BidBars)
    wish: Wish | None = None

    @property
    def held(self) -> dict[int, int]:
        """Our net quantity by contract id."""
        return net_by_contract(latest(self.fills.values()))

    @property
    def units(self) -> int:
        """Whole units that our fills hold."""
        return closable_quantity(self.trade.legs, self.held)

    @property
    def entry_quantity(self) -> int:
        """Units that the entry may still come to, those that it has filled included; 0 once it is over."""
        entry = self.orders.get(self.entry_ref)
        return 0 if entry is None else entry.intent.quantity

    @property
    def protective(self) -> list[LiveOrder]:
        """Its stop and target at the broker, as long as they have not ended with all of their executions booked."""
        return [live for live in self.orders.values() if live.protective]

    @property
    def closes(self) -> list[LiveOrder]:
        """Its exits under way that are for all of it."""
        return [live for live in self.orders.values() if not (live.is_entry or live.protective or live.in_part)]

    @property
    def leaving(self) -> bool:
        """True from the moment that something else than its stop and target closes it."""
        return self.wanted is not None or self.trade.state is TradeState.CLOSED or bool(self.closes)

    @property
    def part(self) -> LiveOrder | None:
        """The sale at a profit level that is under way."""
        return next((live for live in self.orders.values() if live.in_part), None)

    @property
    def selling(self) -> int:
        """Units of the part that is to leave or under way: stop and target stand for what stays without them."""
        if self.wish is not None:
            return self.wish.intent.quantity
        part = self.part
        return 0 if part is None else part.size - self.booked(part)

    @property
    def awaits_exits(self) -> bool:
        """True while the broker has told of more than the executions of one of its exits that have come."""
        return any(live.filled > self.booked(live) for live in self.orders.values() if not live.is_entry)

    def stands_at_broker(self, reason: ExitReason) -> bool:
        """True while the broker has an order that closes the trade for this reason by itself."""
        return any(live.state in _STANDING and live.intent.exit_reason is reason for live in self.protective)

    def still_closes(self, *, protective: bool) -> int:
        """Units that its live exits may still close; `protective` with its stop and target, of which one fills."""
        exits = [live for live in self.orders.values() if not live.is_entry and not live.over]
        if not exits:  # most of them: a close asks it of every other trade of its contract, ended ones too
            return 0
        left = (live.size - live.filled for live in exits if not live.in_part and (protective or not live.protective))
        sold = sum(live.size - live.filled for live in exits if live.in_part)
        return min(max(left, default=0) + sold, self.units)

    def fold(self, now: datetime) -> Trade:
        """Bring the trade up to what its orders and fills say."""
        for ref, live in tuple(self.orders.items()):
            if live.over and self.booked(live) >= live.filled:
                del self.orders[ref]
                self.entry_over = self.entry_over or ref == self.entry_ref
                if not (ref == self.entry_ref or live.protective or live.in_part) and self._unmet(live):
                    self.wanted = live.intent.exit_reason
        fills = latest(self.fills.values())
        facts = TradeFacts(
            entry_fills=[fill for fill in fills if fill.ref == self.entry_ref],
            exit_fills=[fill for fill in fills if fill.ref != self.entry_ref],
            entry_over=self.entry_over,
            exit_live=bool(self.closes),
            exit_reason=self.exit_reason,
            reasons=self.exits,
        )
        self.trade = fold_trade(self.trade, facts, now)
        return self.trade

    def _unmet(self, live: LiveOrder) -> bool:
        """Whether a close that is over is wanted still: something is held, and no person took the close back."""
        return live.state in _UNDONE or (self.units > 0 and live.intent.ref not in self.taken_back)

    def booked(self, live: LiveOrder) -> int:
        """Units of one of its orders whose executions have come."""
        return whole_spreads(live.intent.legs, self.fills_of(live.intent.ref))

    def fills_of(self, ref: str) -> list[Fill]:
        """Executions of one of its orders."""
        return [fill for fill in self.fills.values() if fill.ref == ref]


class OpenBook:
    """Trades by id, and whose fills are whose. Trades that have ended stay: news of them may still come."""

    def __init__(self) -> None:
        self._trades: dict[str, OpenTrade] = {}
        self._trade_of: dict[str, str] = {}
        self._executed_by: dict[str, str] = {}
        self._of_contract: dict[int, list[OpenTrade]] = {}
        self._missed: set[str] = set()

    def load(self, stored: Iterable[StoredTrade]) -> None:
        """Take over from the record what is not in memory."""
        for item in stored:
            self._missed.discard(item.trade.id)
            if item.trade.id in self._trades:
                continue
            held = OpenTrade(item.trade, item.entry_ref, item.entry_over, item.exit_reason)
            held.wanted = item.exit_reason if item.unmet else None
            held.exits, held.taken_back = dict(item.exits), set(item.taken_back)
            held.fills, held.bids = {fill.exec_id: fill for fill in item.fills}, item.bids
            self._add(held)
            self._trade_of |= {fill.ref: item.trade.id for fill in item.fills} | {item.entry_ref: item.trade.id}
            self._trade_of |= dict.fromkeys(item.exits, item.trade.id)
            self._executed_by |= {fill.exec_id: item.trade.id for fill in item.fills}

    def miss(self, trade_id: str) -> None:
        """The record has this trade as open and memory does not know it: it was filled after its end."""
        self._missed.add(trade_id)

    @property
    def missed(self) -> tuple[str, ...]:
        """Trades that are missed, to be loaded."""
        return tuple(self._missed)

    def begin(self, trade: Trade, entry: OrderIntent) -> None:
        """An entry is about to be sent."""
        if trade.id not in self._trades:
            self._add(OpenTrade(trade, entry.ref))

    def _add(self, held: OpenTrade) -> None:
        self._trades[held.trade.id] = held
        for leg in held.trade.legs:
            self._of_contract.setdefault(leg.con_id, []).append(held)

    def ordered(self, live: LiveOrder) -> None:
        """An order of a trade is under way."""
        self._trade_of[live.intent.ref] = live.intent.trade_id
        held = self._trades.get(live.intent.trade_id)
        if held is None:
            return
        held.orders[live.intent.ref] = live
        if live.intent.exit_reason is not None:
            held.exits[live.intent.ref] = live.intent.exit_reason
            if not live.protective and not live.in_part:
                held.exit_reason, held.wanted = live.intent.exit_reason, None

    def opposed(self, entry: OrderIntent) -> str | None:
        """The trade of the account that holds or wants the other side of a contract of an entry, None without one."""
        wanted = {leg.con_id: leg.ratio for leg in entry.legs}
        for other in self._trades.values():
            if other.trade.account != entry.account or other.trade.id == entry.trade_id:
                continue
            sides = other.held if not other.orders else {leg.con_id: leg.ratio for leg in other.trade.legs}
            if any(sides.get(con_id, 0) * ratio < 0 for con_id, ratio in wanted.items()):
                return other.trade.id
        return None

    def sharing(self, closed: OrderIntent | Trade) -> list[OpenTrade]:
        """Other trades of its account that hold a contract of it on the same side."""
        own = closed.trade_id if isinstance(closed, OrderIntent) else closed.id
        sides = {(leg.con_id, leg.ratio > 0) for leg in closed.legs}
        near = {other.trade.id: other for con_id, _ in sides for other in self._of_contract.get(con_id, ())}
        return [
            other
            for other in near.values()
            if other.trade.account == closed.account
            and other.trade.id != own
            and any((leg.con_id, leg.ratio > 0) in sides for leg in other.trade.legs)
        ]

    def want_out(self, trade_id: str, reason: ExitReason) -> None:
        """A trade is to be closed as soon as what stands at the broker for it has ended."""
        held = self._trades.get(trade_id)
        if held is not None:
            held.wanted = reason

    def take_back(self, ref: str) -> None:
        """A person cancels an order: a close that ends by that is not wanted any more."""
        held = self.of_ref(ref)
        if held is not None:
            held.taken_back.add(ref)

    def filled(self, fill: Fill) -> OpenTrade | None:
        """An execution, new or told again; the trade that it belongs to, None when that is not in memory."""
        held = self.of_ref(fill.ref)
        if held is not None:
            held.fills.setdefault(fill.exec_id, fill)
            self._executed_by[fill.exec_id] = held.trade.id
        return held

    def expired(self, trade_id: str, fills: Iterable[Fill], now: datetime) -> None:
        """A trade has ended past us: its closing fills are in the record under an unsent exit."""
        held = self._trades.get(trade_id)
        if held is None:
            return
        for fill in fills:
            self._trade_of[fill.ref] = trade_id
            reason = ExitReason.EXPIRY if held.trade.plain is None else ExitReason.MANUAL
            held.exits[fill.ref] = held.exit_reason = reason
            self.filled(fill)
        held.fold(now)

    def charged(self, exec_id: str, commission: Decimal) -> OpenTrade | None:
        """A commission has been told."""
        held = self._trades.get(self._executed_by.get(exec_id, ""))
        if held is not None:
            held.fills[exec_id] = replace(held.fills[exec_id], commission=commission)
        return held

    def of_ref(self, ref: str) -> OpenTrade | None:
        """The trade of an order's reference."""
        return self._trades.get(self._trade_of.get(ref, ""))

    def get(self, trade_id: str) -> OpenTrade | None:
        """One trade."""
        return self._trades.get(trade_id)

    def strangers(self, shown: Mapping[tuple[str, int], tuple[Contract, int]], scope: str) -> list[str]:
        """What a broker shows in an account, or in `all`, beyond what our fills make."""
        ours: dict[tuple[str, int], int] = {}
        for held in self.guarded:
            for con_id, quantity in held.held.items():
                key = (held.trade.account, con_id)
                ours[key] = ours.get(key, 0) + quantity
        return [
            f"{quantity - ours.get((account, con_id), 0)} {contract.described} in {account}"
            for (account, con_id), (contract, quantity) in sorted(shown.items(), key=lambda item: item[0])
            if scope in {"all", account} and quantity != ours.get((account, con_id), 0)
        ]

    @property
    def guarded(self) -> list[OpenTrade]:
        """Trades that hold something."""
        return [held for held in self._trades.values() if held.trade.state in GUARDED]

    def guarded_with(self, con_ids: Collection[int]) -> list[OpenTrade]:
        """Those that have a leg in one of these contracts, each once: asked with every tick, so nothing is searched."""
        found: dict[str, OpenTrade] = {}
        for con_id in con_ids:
            for held in self._of_contract.get(con_id, ()):
                if held.trade.state in GUARDED:
                    found[held.trade.id] = held
        return list(found.values())
