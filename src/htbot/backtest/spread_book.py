"""The record of a backtest of spreads. Rules look back two weeks: what is older is kept apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time

from htbot.backtest.spread_request import SpreadSignal
from htbot.backtest.spread_trades import Extremes, SpreadTrade, closed_trade
from htbot.backtest.trade_book import LIVE, RULES_LOOK_BACK, HeldTrade, TradeBook
from htbot.domain.fills import Fill
from htbot.domain.orders import OrderIntent
from htbot.domain.sessions import NEW_YORK
from htbot.domain.trades import TradeState


@dataclass(slots=True)
class Kept:
    """What happened, in order; trades are those that are closed."""

    trades: list[SpreadTrade] = field(default_factory=list)
    signals: list[SpreadSignal] = field(default_factory=list)
    intents: list[OrderIntent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)


class SpreadBook(TradeBook[SpreadSignal]):
    """Append-only; a year would slow down day by day if everything were looked at."""

    def __init__(self) -> None:
        super().__init__()
        self._older = Kept()

    def begin_session(self, day: date) -> None:
        """A new session: what no rule looks at any more is put aside."""
        oldest, older = day - RULES_LOOK_BACK, self._older
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
