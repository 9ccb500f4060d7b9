"""What trades, built for one epoch: numbers, orders, news of them, closes, guard, commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from htbot.adapters.ib.session import IbSession
from htbot.desk.accounts import Followed
from htbot.desk.agreement import Agreement
from htbot.desk.clock import DeskClock
from htbot.desk.closing import Closing, ClosingParts
from htbot.desk.commands import CommandDesk, CommandParts
from htbot.desk.guard import ExitGuard, GuardParts
from htbot.desk.halts import HaltWatch
from htbot.desk.hold import PATIENCE_S as HOLD_PATIENCE_S
from htbot.desk.hold import Hold, HoldParts
from htbot.desk.journal import CLOSE, Entry, Journal
from htbot.desk.last_look import LastLook
from htbot.desk.ledger import Ledger
from htbot.desk.level_sales import LevelSales, SalesParts
from htbot.desk.news import OrderNews
from htbot.desk.open_book import OpenBook, OpenTrade
from htbot.desk.order_numbers import OrderNumbers
from htbot.desk.order_parts import OrderParts
from htbot.desk.orders import OrderDesk
from htbot.desk.protecting import Protecting, ProtectingParts
from htbot.desk.record import DeskRecord
from htbot.desk.threads import DatabaseThread
from htbot.desk.trading_day import TradingDay
from htbot.domain.errors import StopTrading
from htbot.domain.signals import Leg
from htbot.execution.silence import Silence
from htbot.portfolio.marks import Marks
from htbot.risk.flood import EntryFlood

if TYPE_CHECKING:
    from htbot.desk.upkeep import Upkeep


class TradingFloor(Protocol):
    """What trading asks of the desk around it; `connection` is `connected` while orders get through."""

    connection: str
    followed: Followed
    clock: DeskClock
    day: TradingDay
    agreement: Agreement

    @property
    def upkeep(self) -> Upkeep:
        """What ends trades that have expired."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether entries may leave."""
        ...

    def marks(self, legs: tuple[Leg, ...], now: datetime) -> Marks:
        """What these legs cost now."""
        ...

    def holdings(self, account: str) -> Mapping[int, int]:
        """What the broker shows of an account, by contract id."""
        ...

    def strangers_at_broker(self, scope: str) -> list[str]:
        """What the broker holds that is not ours."""
        ...

    def broken(self, error: StopTrading) -> None:
        """An invariant is broken."""
        ...

    def compare_soon(self) -> None:
        """An order is over, or something was traded that is not ours."""
        ...


@dataclass(frozen=True, slots=True)
class TradingParts:
    """What trading is built from; `desk` is where it happens."""

    session: IbSession
    database: DatabaseThread
    ledger: Ledger
    journal: Journal
    record: DeskRecord
    book: OpenBook
    halts: HaltWatch
    flood: EntryFlood
    desk: TradingFloor
    silence: Silence


@dataclass(frozen=True, slots=True)
class Trading:
    """Everything of one epoch that trades."""

    record: DeskRecord
    numbers: OrderNumbers
    orders: OrderDesk
    news: OrderNews
    closing: Closing
    guard: ExitGuard
    sales: LevelSales
    protecting: Protecting
    commands: CommandDesk
    hold: Hold

    def replay(self, entries: Iterable[Entry]) -> None:
        """Take over what an earlier desk has promised in its journal."""
        for entry in entries:
            if entry.kind == CLOSE:
                self.closing.replay(entry)
            else:
                self.commands.replay(entry)


def build_trading(parts: TradingParts) -> Trading:
    """Put the pieces together."""
    desk, session = parts.desk, parts.session
    numbers = OrderNumbers(lambda: session.next_valid_id)

    def connected() -> bool:
        return session.connected and desk.connection == "connected"

    def changed(held: OpenTrade, now: datetime) -> None:
        protecting.look_at(held, now)

    async def closes_left() -> None:
        await guard.closes_first()

    last_look = _last_look(parts)
    orders = _orders(parts, numbers, last_look, changed, closes_left)
    closing = Closing(ClosingParts(orders, last_look, numbers, parts.journal, parts.ledger, parts.record))
    guard = ExitGuard(
        GuardParts(
            ledger=parts.ledger,
            epoch=parts.record.epoch,
            orders=orders,
            book=parts.book,
            closing=closing,
            marks_of=desk.marks,
            market_open=desk.day.is_open,
            day_over=desk.day.over,
            connected=connected,
        )
    )
    sales = _sales(parts, orders, numbers, guard)
    protecting = Protecting(
        ProtectingParts(
            orders=orders,
            last_look=last_look,
            book=parts.book,
            sales=sales,
            numbers=numbers,
            ledger=parts.ledger,
            ready=lambda now: connected() and desk.day.is_open(now),
            send=guard.send,
        )
    )
    hold = _hold(parts, guard, orders)
    commands = _commands(parts, orders, guard, sales, numbers, hold)
    news = OrderNews(orders, parts.book, parts.ledger, parts.record, desk.compare_soon)
    return Trading(parts.record, numbers, orders, news, closing, guard, sales, protecting, commands, hold)


def _last_look(parts: TradingParts) -> LastLook:
    desk = parts.desk
    return LastLook(
        halts=parts.halts,
        flood=parts.flood,
        book=parts.book,
        accounts=lambda: desk.followed.all,
        enabled=lambda: desk.enabled,
        blocked=desk.agreement.blocked,
        holdings=desk.holdings,
        broken=desk.broken,
    )


def _orders(
    parts: TradingParts,
    numbers: OrderNumbers,
    last_look: LastLook,
    changed: Callable[[OpenTrade, datetime], None],
    closes_left: Callable[[], Awaitable[None]],
) -> OrderDesk:
    desk = parts.desk
    return OrderDesk(
        OrderParts(
            session=parts.session,
            database=parts.database,
            ledger=parts.ledger,
            record=parts.record,
            book=parts.book,
            numbers=numbers,
            last_look=last_look,
            marks_of=lambda intent: desk.marks(intent.legs, desk.clock.now()),
            broken=desk.broken,
            ended=desk.compare_soon,
            changed=changed,
            clock=desk.clock.now,
            market_open=desk.day.is_open,
            closes_left=closes_left,
            silence=parts.silence,
        )
    )


def _sales(parts: TradingParts, orders: OrderDesk, numbers: OrderNumbers, guard: ExitGuard) -> LevelSales:
    return LevelSales(
        SalesParts(
            database=parts.database,
            ledger=parts.ledger,
            record=parts.record,
            orders=orders,
            book=parts.book,
            numbers=numbers,
            send=guard.send,
        )
    )


def _commands(
    parts: TradingParts, orders: OrderDesk, guard: ExitGuard, sales: LevelSales, numbers: OrderNumbers, hold: Hold
) -> CommandDesk:
    desk = parts.desk
    return CommandDesk(
        CommandParts(
            database=parts.database,
            ledger=parts.ledger,
            journal=parts.journal,
            orders=orders,
            guard=guard,
            book=parts.book,
            sales=sales,
            numbers=numbers,
            hold=hold,
            strangers=desk.strangers_at_broker,
            positions=parts.session.positions,
            accounts=lambda: desk.followed.all,
            settle=desk.upkeep.settle,
            market_open=desk.day.is_open,
        )
    )


def _hold(parts: TradingParts, guard: ExitGuard, orders: OrderDesk) -> Hold:
    def exposed() -> list[str]:
        return sorted({trade.id for trade in guard.trades} | {live.intent.ref for live in orders.live})

    patience_s = None if parts.desk.clock.stepped else HOLD_PATIENCE_S
    return Hold(HoldParts(parts.database, exposed, parts.session.leave, patience_s))
