"""The exit guard: looks at open trades on every quote of their legs; the fastest caller of `exit_decision`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from htbot.alerts.wording import error_alert
from htbot.desk.closing import Closing, as_close
from htbot.desk.ledger import Ledger
from htbot.desk.live_order import LiveOrder
from htbot.desk.open_book import OpenBook, OpenTrade
from htbot.desk.orders import OrderDesk
from htbot.desk.protecting import SHOWN_WITHIN
from htbot.desk.record import Close
from htbot.domain.alerts import Alert
from htbot.domain.orders import ExitReason, OrderIntent, OrderState, PriceStyle
from htbot.domain.signals import Leg
from htbot.domain.trades import Trade, TradeState
from htbot.execution.bid_bars import BidBars
from htbot.execution.exits import ExitDecision, ExitWatch, exit_decision
from htbot.execution.intents import EXIT_STYLES
from htbot.execution.repeats import may_repeat
from htbot.persistence.repositories import DeskStateRepository
from htbot.portfolio.marks import Marks
from htbot.services.outbox import tell_seldom
from htbot.services.trade_record import manual_decision

BLIND_AFTER = timedelta(seconds=5)
# Host seconds that others wait for what closes: a disk that hangs holds up nothing else.
CLOSES_FIRST_S = 1.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Watched:
    """`in_vain_since`: since when there is nothing that the wanted close could close."""

    watch: ExitWatch = field(default_factory=ExitWatch)
    exits: int = 0
    asked_at: datetime | None = None
    in_vain_since: datetime | None = None
    told_in_vain: bool = False

    def may_ask(self, now: datetime) -> bool:
        """An exit that was refused is asked for again, but never as fast as quotes come: that would be a storm."""
        return may_repeat(self.exits, self.asked_at, now)


@dataclass(frozen=True, slots=True)
class GuardParts:
    """What the guard works with: prices of legs, whether the market is open.

    `epoch` is the desk's, `day_over` is the latest day whose session is over.

    While `connected` is False nothing can be sent, and a close is begun at the first look after that.
    """

    ledger: Ledger
    epoch: int
    orders: OrderDesk
    book: OpenBook
    closing: Closing
    marks_of: Callable[[tuple[Leg, ...], datetime], Marks]
    market_open: Callable[[datetime], bool]
    day_over: Callable[[datetime], date]
    connected: Callable[[], bool]


class ExitGuard:
    """Watches every trade that holds something. Looking never waits; what it starts is awaited by `settle`."""

    def __init__(self, parts: GuardParts) -> None:
        self._parts = parts
        self._watched: dict[str, _Watched] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def leaving(self) -> bool:
        """True while a close is on its way to the socket."""
        return bool(self._leaving)

    @property
    def trades(self) -> list[Trade]:
        """Trades that are guarded now."""
        return [held.trade for held in self._parts.book.guarded]

    @property
    def held(self) -> dict[int, str]:
        """Contracts whose quotes the guard needs, each with the symbol of its trade."""
        return {leg.con_id: trade.symbol for trade in self.trades for leg in trade.legs}

    @property
    def unguarded_while_away(self) -> bool:
        """True when something is held that no stop at the broker has closed, or would have closed, without us."""
        guarded = self._parts.book.guarded
        return any(all(one.intent.style is not PriceStyle.STOP for one in held.protective) for held in guarded)

    def exposed(self, now: datetime) -> bool:
        """True while something is held that cannot be closed, or whose price has not been believable for 5 s.

        What has its stop at the broker is closed there, whatever becomes of us; what is held over night has nobody to
        sell to before the open.
        """
        guarded = [
            held
            for held in self._parts.book.guarded
            if not held.stands_at_broker(ExitReason.STOP_LOSS) and not self._parts.orders.rests(held.trade.id, now)
        ]
        return bool(guarded) and (not self._parts.connected() or any(self._blind(held, now) for held in guarded))

    def _blind(self, held: OpenTrade, now: datetime) -> bool:
        watched = self._watched.get(held.trade.id)
        seen = None if watched is None or watched.watch.last_good is None else watched.watch.last_good.quoted_at
        return seen is None or now - seen > BLIND_AFTER

    def look(self, now: datetime, ticked: Collection[int] | None = None) -> int:
        """Look at every open trade, or at those with a leg that has ticked; returns how many exits were begun."""
        book = self._parts.book
        concerned = book.guarded if ticked is None else book.guarded_with(ticked)
        return sum(self._look_at(held, now) for held in concerned)

    def _look_at(self, held: OpenTrade, now: datetime) -> int:
        if self._parts.orders.rests(held.trade.id, now):
            return 0
        watched = self._watch(held)
        marks = self._parts.marks_of(held.trade.legs, now)
        decision, watched.watch = exit_decision(held.trade, marks, watched.watch, now)
        if watched.watch.bids is not held.bids:
            self._keep_bids(held, watched.watch.bids)
        if decision is not None and held.stands_at_broker(decision.reason):
            decision = None  # the broker closes it by itself, at this very price
        if decision is None and held.wanted is not None:  # whoever wanted it out still does
            decision = manual_decision(held.wanted, now, "asked for before, and not done yet")
        return 0 if decision is None else self.close(held, decision)

    def _watch(self, held: OpenTrade) -> _Watched:
        """What is remembered of a trade; of one that an earlier desk has held, the bars of its bids."""
        watched = self._watched.get(held.trade.id)
        if watched is None:
            watched = self._watched[held.trade.id] = _Watched(ExitWatch(bids=held.bids))
        return watched

    def _keep_bids(self, held: OpenTrade, bids: BidBars) -> None:
        """The record has the bars that bids have made, for a desk that begins anew in the middle of them."""
        before, held.bids = held.bids, bids
        if bids == before:
            return
        kept = {one.trade.id: one.bids for one in self._parts.book.guarded if one.trade.rules.momentum is not None}
        epoch = self._parts.epoch
        self._parts.ledger.post(lambda session: DeskStateRepository(session).keep_bids(kept, epoch), key="bids")

    def close(self, held: OpenTrade, decision: ExitDecision) -> int:
        """Close a trade, or hurry what closes it; 1 when this call began its exit.

        What else works for it ends first: its entry, and the stop and target that stand at the broker. Those are not
        placed again: the wish is remembered until its exit has left. While it is not known what has become of a part,
        they stay and protect the rest.
        """
        if held.protective and not self._parts.market_open(decision.as_of):
            return self.ask_exit(held, decision)  # stop and target stay where they are until something can be sold
        if held.part is not None and held.part.state is OrderState.UNKNOWN:
            held.wanted = decision.reason
            return 0
        working = self._parts.orders.live_of_trade(held.trade.id)
        for live in working:
            if live.protective:
                held.wanted = decision.reason
            if live.is_entry or live.protective:
                self._parts.orders.cancel(live)
            elif EXIT_STYLES[decision.reason] is PriceStyle.URGENT:
                self._parts.orders.hurry(live, decision.as_of)
        return 0 if working else self.ask_exit(held, decision)

    def ask_exit(self, held: OpenTrade, decision: ExitDecision) -> int:
        """Begin the close of a trade; 1 when this call began it. A second one means that the first failed: told."""
        watched = self._watch(held)
        ready = held.trade.state is TradeState.OPEN and held.entry_over and self._parts.connected()
        closed = not self._parts.market_open(decision.as_of)
        if not ready or (held.protective and not closed) or not watched.may_ask(decision.as_of):
            return 0
        watched.asked_at = decision.as_of
        if closed:
            watched.exits += 1
            if not held.trade.rules.overnight and not self._has_expired(held.trade, decision.as_of):
                self._page(held.trade, decision)
            return 0
        live = self._parts.closing.prepare(held, decision)
        if live is None:
            self._in_vain(held.trade, watched, decision)
            return 0
        watched.in_vain_since, watched.told_in_vain = None, False
        close = as_close(live, decision, watched.watch.max_gain_usd, _alerts(watched, live.intent, decision))
        watched.exits += 1
        self.send(live, close, decision.as_of)
        told = (held.trade.id, decision.reason.value, decision.detail)
        asyncio.get_running_loop().call_soon(_log.info, "exit of %s: %s, %s", *told)  # the socket comes first
        return 1

    def _in_vain(self, trade: Trade, watched: _Watched, decision: ExitDecision) -> None:
        """It is tried each second, so that it leaves as soon as it can; logged once, and told once if that lasts."""
        if watched.in_vain_since is None:
            watched.in_vain_since = decision.as_of
            _log.warning("nothing to close for %s (%s)", trade.id, decision.reason)
        elif not watched.told_in_vain and decision.as_of - watched.in_vain_since >= SHOWN_WITHIN:
            watched.told_in_vain = True
            text = (
                f"{trade.id} is to be closed ({decision.reason.value}), but the broker shows nothing of it: look there"
            )
            alert = error_alert("close failed", text, decision.as_of, trade_id=trade.id, account=trade.account)
            self._parts.ledger.post(lambda session: tell_seldom(session, alert))

    def _has_expired(self, trade: Trade, now: datetime) -> bool:
        """A bought option whose last session is over: nobody can close it, and its end is booked (`end_expired`)."""
        return trade.single is not None and trade.single.expiry <= self._parts.day_over(now)

    def _page(self, trade: Trade, decision: ExitDecision) -> None:
        """Outside regular hours nothing is queued: a person has to look (RULINGS 11)."""
        text = f"{trade.id} is open and its exit ({decision.reason.value}) is due, but the market is closed"
        alert = error_alert("open after hours", text, decision.as_of, trade_id=trade.id, account=trade.account)
        self._parts.ledger.post(lambda session: tell_seldom(session, alert))

    def send(self, live: LiveOrder, close: Close, now: datetime) -> None:
        """Promise and send what closes, at once where the disk is quick; what is left of it is awaited by `settle`."""
        try:
            rest = self._parts.closing.begin(live, close, now)
        except Exception as error:  # noqa: BLE001 - whoever looks goes on; it is told like the end of a task
            _told(error)
            return
        if rest is not None:
            task = asyncio.get_running_loop().create_task(rest)
            self._leaving.add(task)
            task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _told(error)

    async def closes_first(self) -> None:
        """Return when every close that was begun has left, or the disk that keeps it does not answer in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSES_FIRST_S):
                await self.settle()

    async def settle(self) -> None:
        """Return when every close that was begun has left."""
        while self._leaving:
            await asyncio.wait(self._leaving)


def _told(error: BaseException) -> None:
    """A close did not leave as it should."""
    if isinstance(error, ConnectionError):  # the order is in doubt, and looked up after the reconnect
        _log.warning("a close met a broken session: %s", error)
    else:
        asyncio.get_running_loop().call_exception_handler({"message": "a close failed", "exception": error})


def _alerts(watched: _Watched, exit_: OrderIntent, decision: ExitDecision) -> tuple[Alert, ...]:
    """What a person should hear about a close besides that it happens."""
    alerts = []
    at, trade_id, account = decision.as_of, exit_.trade_id, exit_.account
    if decision.reason is ExitReason.OTHER and watched.watch.blind_since is not None:
        text = f"{exit_.ref}: {decision.detail}"
        alerts.append(error_alert("blind exit", text, at, trade_id=trade_id, account=account))
    if watched.exits:
        text = f"the exit before {exit_.ref} has ended and its trade is open: trying again"
        alerts.append(error_alert("close failed", text, at, trade_id=trade_id, account=account))
    return tuple(alerts)
