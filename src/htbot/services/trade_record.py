"""The record of a trade, kept by folding what is stored: intents and fills in, trade, positions and mails out.

Every function here works inside its caller's transaction and may be repeated: a second call on the same facts changes
nothing. The desk, `mark_pnl` and commands of people all come through here (ARCHITECTURE section 4: one writer).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from htbot.alerts.wording import (
    entry_alert,
    entry_key,
    exit_alert,
    exit_key,
    part_alert,
    part_key,
    unsold_alert,
    unsold_key,
)
from htbot.domain.errors import StopTrading
from htbot.domain.fills import Fill
from htbot.domain.orders import ExitReason, OrderIntent, Purpose, order_reference
from htbot.domain.signals import Leg
from htbot.domain.trades import Trade, TradeState
from htbot.execution.exits import ExitDecision
from htbot.execution.fills import whole_spreads
from htbot.execution.intents import closable_quantity, exit_intent
from htbot.execution.trade_fold import TradeFacts, fold_trade, net_by_contract
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.records import FollowedIntent, StoredIntent
from htbot.persistence.repositories import (
    AlertRepository,
    FillRepository,
    IntentRepository,
    PnlRepository,
    SignalRepository,
    TickRepository,
    TradeRepository,
)
from htbot.persistence.states import TERMINAL_INTENT_STATES

if TYPE_CHECKING:
    from htbot.engine.observation import LevelSale

# A commission that the broker has not reported by then is told as unknown, so that the mail is not late for ever.
COMMISSION_PATIENCE = timedelta(seconds=60)
# Why a part is not sold whose trade something else closes: of that tells the mail of the exit.
GIVES_WAY = "its trade is closed by something else"


@dataclass(frozen=True, slots=True)
class TradeRows:
    """What the record holds of one trade."""

    entry: StoredIntent
    exits: tuple[StoredIntent, ...]
    entry_fills: tuple[Fill, ...]
    exit_fills: tuple[Fill, ...]
    awaited: frozenset[str] = frozenset()

    @property
    def entry_over(self) -> bool:
        """True when the entry can fill no further."""
        return self.is_over(self.entry)

    @property
    def live_exit(self) -> StoredIntent | None:
        """The exit that is under way, if any, of all or of a part; what only stands at the broker is none."""
        return next((one for one in self.exits if not one.intent.protective and not self.is_over(one)), None)

    @property
    def live_close(self) -> StoredIntent | None:
        """The same, and of all that is held."""
        live = self.live_exit
        return None if live is None or live.intent.in_part else live

    @property
    def last_close(self) -> StoredIntent | None:
        """The last exit of all that somebody asked for."""
        closes = (one for one in reversed(self.exits) if not one.intent.protective and not one.intent.in_part)
        return next(closes, None)

    @property
    def sales(self) -> list[StoredIntent]:
        """What was asked for at profit levels, whatever has become of it."""
        return [one for one in self.exits if one.intent.in_part]

    @property
    def facts(self) -> TradeFacts:
        """The same as the fold wants it."""
        return TradeFacts(
            entry_fills=self.entry_fills,
            exit_fills=self.exit_fills,
            entry_over=self.entry_over,
            exit_live=self.live_close is not None,
            exit_reason=None if self.last_close is None else self.last_close.intent.exit_reason,
            reasons={
                one.intent.ref: one.intent.exit_reason for one in self.exits if one.intent.exit_reason is not None
            },
        )

    def is_over(self, stored: StoredIntent) -> bool:
        """True when an order can fill no further and all of its executions are booked."""
        return stored.state in TERMINAL_INTENT_STATES and stored.intent.ref not in self.awaited


def rows_of(session: Session, trade: Trade) -> TradeRows:
    """Intents and fills of a trade."""
    return _rows_of_all(session, [trade.id])[trade.id]


def _rows_of_all(session: Session, trade_ids: Collection[str]) -> dict[str, TradeRows]:
    """The same for several trades, by trade."""
    followed = IntentRepository(session).of_trades(trade_ids)
    fills = FillRepository(session).of_refs([one.stored.intent.ref for found in followed.values() for one in found])
    return {trade_id: _rows(trade_id, found, fills) for trade_id, found in followed.items()}


def _rows(trade_id: str, followed: Sequence[FollowedIntent], all_fills: Sequence[Fill]) -> TradeRows:
    intents = [one.stored for one in followed]
    entry = next((stored for stored in intents if stored.intent.purpose is Purpose.ENTRY), None)
    if entry is None:
        raise StopTrading(f"trade {trade_id} has no entry intent in the record")
    refs = {stored.intent.ref for stored in intents}
    fills = [fill for fill in all_fills if fill.ref in refs]
    return TradeRows(
        entry=entry,
        exits=tuple(stored for stored in intents if stored.intent.purpose is Purpose.EXIT),
        entry_fills=tuple(fill for fill in fills if fill.ref == entry.intent.ref),
        exit_fills=tuple(fill for fill in fills if fill.ref != entry.intent.ref),
        awaited=frozenset(
            one.stored.intent.ref for one in followed if one.filled and _booked(one.stored, fills) < one.filled
        ),
    )


def _booked(stored: StoredIntent, fills: Sequence[Fill]) -> int:
    """Spreads that executions are booked for. While the broker has told of more, they are awaited."""
    return whole_spreads(stored.intent.legs, (fill for fill in fills if fill.ref == stored.intent.ref))


def settle_trade(session: Session, trade_id: str, as_of: datetime) -> Trade:
    """Bring a trade up to what its intents and fills say, with the mails that follow from it."""
    return settle_trades(session, {trade_id: as_of})[trade_id]


def settle_trades(session: Session, due: Mapping[str, datetime]) -> dict[str, Trade]:
    """The same for several trades, each as of its own time: as many statements as for one."""
    trades = TradeRepository(session)
    before = trades.of_ids(due, lock=True)
    if missing := due.keys() - before.keys():
        raise StopTrading(f"trade {min(missing)} is not in the record")
    rows = _rows_of_all(session, due)
    after = {trade_id: fold_trade(before[trade_id], rows[trade_id].facts, as_of) for trade_id, as_of in due.items()}
    changed = [trade_id for trade_id in due if after[trade_id] != before[trade_id]]
    for trade_id in changed:
        _require_alone(trades, before[trade_id], after[trade_id])
    trades.save_all([(after[trade_id], before[trade_id].state) for trade_id in changed])
    _tell(session, [(after[trade_id], rows[trade_id], as_of) for trade_id, as_of in due.items()])
    closed = (one[trade_id] for trade_id in changed for one in (before, after))
    days = {(one.account, one.counted_on): due[one.id] for one in closed if one.state is TradeState.CLOSED}
    for (account, day), as_of in days.items():  # a day from which a trade has come back, too
        PnlRepository(session).fold_day(account, day, as_of)
    return after


def _require_alone(trades: TradeRepository, before: Trade, after: Trade) -> None:
    """A trade that had ended and is filled all the same comes back, unless its strategy has gone on."""
    ended = (TradeState.VOID, TradeState.CLOSED)
    if before.state not in ended or after.state in ended:
        return
    live = [trade.id for trade in trades.live(account=after.account, strategy=after.strategy)]
    if live:
        raise StopTrading(f"{after.id} was filled after its end, and {live[0]} is live: close one of them by hand")


def _tell(session: Session, settled: Sequence[tuple[Trade, TradeRows, datetime]]) -> None:
    """The mail of an entry once its order is over, of an exit and of each part once its commissions are known.

    Each is written once, and so is that of a part that was not sold.
    """
    entered = {entry_key(trade): one for one in settled if _has_entered(trade := one[0], one[1])}
    left = {exit_key(trade): one for one in settled if _has_left(trade := one[0], one[2])}
    parts = {part_key(one[0], level): (one[0], level, fills) for one in settled for level, fills in _sold(*one[1:])}
    unsold = {
        unsold_key(trade, level): (trade, level, why, as_of)
        for trade, rows, as_of in settled
        for level, why in _unsold(trade, rows)
    }
    alerts = AlertRepository(session)
    told = alerts.told([*entered, *parts, *unsold, *left])
    for trade, rows, as_of in (one for key, one in entered.items() if key not in told):
        decision_id = rows.entry.intent.decision_id
        stored = None if decision_id is None else SignalRepository(session).of_decision(decision_id)
        if stored is not None:
            alerts.add(entry_alert(trade, stored.signal, rows.entry_fills, as_of))
    for trade, level, fills in (one for key, one in parts.items() if key not in told):
        alerts.add(part_alert(trade, level, fills, max(fill.executed_at for fill in fills)))
    for lost in (one for key, one in unsold.items() if key not in told):
        alerts.add(unsold_alert(*lost))
    for trade, rows, as_of in (one for key, one in left.items() if key not in told):
        alerts.add(exit_alert(trade, rows.exit_fills, trade.closed_at or as_of))


def _has_entered(trade: Trade, rows: TradeRows) -> bool:
    return rows.entry_over and trade.state is not TradeState.VOID and rows.entry.intent.decision_id is not None


def _sold(rows: TradeRows, as_of: datetime) -> Iterator[tuple[int, list[Fill]]]:
    """Each level whose sale is over and has its commissions, or has waited for them long enough, with its fills."""
    for sale in rows.sales:
        own = [fill for fill in rows.exit_fills if fill.ref == sale.intent.ref]
        if own and rows.is_over(sale) and (None not in {fill.commission for fill in own} or _waited(own, as_of)):
            yield sale.intent.level or 0, own


def _unsold(trade: Trade, rows: TradeRows) -> Iterator[tuple[int, str]]:
    """Each level of an open trade whose sale has ended without a fill, and why."""
    for sale in rows.sales if trade.state is TradeState.OPEN else ():
        if (
            rows.is_over(sale)
            and sale.reason != GIVES_WAY
            and all(fill.ref != sale.intent.ref for fill in rows.exit_fills)
        ):
            yield sale.intent.level or 0, sale.reason


def _waited(fills: Sequence[Fill], as_of: datetime) -> bool:
    """Whether commissions are not waited for any more."""
    return as_of - max(fill.executed_at for fill in fills) >= COMMISSION_PATIENCE


def _has_left(trade: Trade, as_of: datetime) -> bool:
    if trade.state is not TradeState.CLOSED or trade.closed_at is None:
        return False
    return trade.commissions_usd is not None or as_of - trade.closed_at >= COMMISSION_PATIENCE


def request_exit(
    session: Session,
    trade_id: str,
    decision: ExitDecision,
    sale: LevelSale | None = None,
    broker: Mapping[int, int] | None = None,
) -> StoredIntent | None:
    """Write the one live exit of an open trade; None when there is nothing to close or an exit is under way.

    Reduce-only (RULINGS 10): the quantity is what our fills hold, and no more than what the broker shows when that is
    known. An entry that still works must end first; the desk cancels it.

    A `sale` at profit levels that leaves something is of a part. What a level has asked for before it does not again,
    whatever has become of that; what sells the rest is a close like others.
    """
    trades, intents = TradeRepository(session), IntentRepository(session)
    trade = trades.get(trade_id, lock=True)
    if trade is None or trade.state not in {TradeState.OPEN, TradeState.CLOSING}:
        return None
    rows = rows_of(session, trade)
    if rows.live_exit is not None or not rows.entry_over:
        return None
    ours = net_by_contract((*rows.entry_fills, *rows.exit_fills))
    left = closable_quantity(trade.legs, ours, broker)
    sold = max((one.intent.level or 0 for one in rows.sales), default=0)
    quantity = left if sale is None else sale.units(sold, trade.quantity, left)
    if quantity == 0:
        return None
    sequence = intents.next_sequence(trade.strategy, trade.account, trade.session, Purpose.EXIT)
    intent = exit_intent(trade, decision.reason, decision.marks, decision.as_of, quantity, sequence)
    if sale is not None and quantity < left:
        intent = replace(intent, level=sale.reached)
    if not intents.add(intent, exit_evidence(decision)):
        return None
    if not intent.in_part:
        trades.save(closing(trade, intent), trade.state)
    return intents.get(intent.ref)


def can_leave(session: Session, trade: Trade) -> bool:
    """Whether an exit can be asked for: its entry can fill no further, and no part of it is being sold."""
    if trade.state is TradeState.OPENING:
        return False
    rows = rows_of(session, trade)
    return rows.entry_over and (rows.live_exit is None or rows.live_close is not None)


def entry_reference_of(trade: Trade) -> str:
    """The reference of a trade's entry, which has the same running number."""
    number = int(trade.id.rpartition("-")[2])
    return order_reference(trade.strategy, trade.account, trade.session, Purpose.ENTRY, number)


def store_quotes(session: Session, snapshot: Snapshot, legs: Sequence[Leg]) -> None:
    """Keep the quotes that an approved entry was decided on: its underlying's and its legs'."""
    con_ids = (snapshot.underlying_con_id, *(leg.con_id for leg in legs))
    quotes = [snapshot.quotes[con_id] for con_id in con_ids if con_id in snapshot.quotes]
    TickRepository(session).add(snapshot.world_id, snapshot.symbol, quotes)


def closing(trade: Trade, intent: OrderIntent) -> Trade:
    """The same trade with an exit under way."""
    if trade.state is not TradeState.OPEN:
        return trade
    return replace(trade, state=TradeState.CLOSING, exit_reason=intent.exit_reason)


def exit_evidence(decision: ExitDecision) -> dict[str, object]:
    """What an exit was decided on, for people: limit, value and the quotes of the legs (RULINGS 6)."""
    legs = () if decision.marks is None else decision.marks.legs
    quotes = [
        {"con_id": leg.con_id, "ratio": leg.ratio, "bid": leg.bid, "ask": leg.ask, "as_of": leg.as_of} for leg in legs
    ]
    return {"limit": decision.limit, "value": decision.value, "detail": decision.detail, "marks": quotes}


def manual_decision(reason: ExitReason, as_of: datetime, why: str) -> ExitDecision:
    """An exit that a person or a rule asks for, without prices."""
    return ExitDecision(reason, as_of, "", "", why, None, None)
