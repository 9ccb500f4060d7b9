"""What a desk is told of the market, without the wire: bars as they are made, lines, the chain around the spot.

It reads the same folds as the desk (`BarFold`, `QuoteSieve`, `window`); what the wire does to a quote is done here too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from htbot.backtest.streams import BarStream, PriceLine, contract_id, told
from htbot.domain.accounts import AccountFigures
from htbot.domain.bars import Bar
from htbot.domain.instruments import UNDERLYINGS, SecType
from htbot.domain.quotes import Quote
from htbot.domain.sessions import Session
from htbot.domain.signals import Leg
from htbot.market.ports import ContractQuery, Market
from htbot.marketdata.chain_window import ChainNeed, window
from htbot.marketdata.sieve import QuoteSieve
from htbot.marketdata.snapshot import ListedOption, Snapshot
from htbot.portfolio.marks import Marks, mark_spread
from htbot.strategies.base import Needs


@dataclass(frozen=True, slots=True)
class Money:
    """What the broker would tell of the account at an instant."""

    account: str
    net_liquidation: Decimal
    buying_power: Decimal
    figures: AccountFigures


class SpreadFeed:
    """One underlying with its options of the day; time moves by `move` alone, and only forwards."""

    def __init__(self, market: Market, needs: Needs) -> None:
        self._market = market
        self._needs = needs
        self._underlying = UNDERLYINGS[needs.symbol]
        self._con_id = contract_id(market, self._underlying)
        self._bars = BarStream(market, self._underlying, needs.bar_minutes)
        self._line = PriceLine(market, self._con_id)
        self._sieve = QuoteSieve()
        self._listed: tuple[date, list[ListedOption]] | None = None
        self._window: tuple[ListedOption, ...] = ()
        self._window_at: tuple[date, int] | None = None
        self._watching_since: datetime | None = None
        self.now = market.start

    def begin(self, now: datetime, history_from: datetime | None) -> list[Bar]:
        """Start watching; returns the closed bars of the history.

        Raises:
            ConfigurationError: there are no bars of the underlying.
        """
        closed = self._bars.begin(history_from or self._market.sessions.all()[0].opens, now)
        self._watching_since = now
        return closed

    def move(self, now: datetime) -> list[Bar]:
        """Go to an instant; returns the bars that have closed since the last one."""
        self.now = now
        self._line.move(now)
        return self._bars.move(now)

    def follow(self, session: Session, need: ChainNeed) -> None:
        """Choose the part of the chain that is quoted from here on, as a desk takes its lines."""
        spot = self.spot()
        if spot is None or not need.active(self.now):
            self._window = ()
            return
        options = self._listing(session.day)
        place = bisect_left(options, Decimal(str(spot)), key=lambda option: option.strike)
        if not self._window or (session.day, place) != self._window_at:  # the same strikes lie on either side of it
            self._window, self._window_at = window(options, spot, need), (session.day, place)

    def options(self, day: date) -> list[ListedOption]:
        """Every option that is listed for a session, by strike."""
        return self._listing(day)

    # --- reading ---------------------------------------------------------------------------------------------------

    def spot(self) -> float | None:
        """The underlying's last price, its mid when there is none."""
        quote = self.quote(self._con_id)
        if quote is None:
            return None
        return quote.last if quote.last is not None else quote.mid

    def quote(self, con_id: int) -> Quote | None:
        """The quote as a desk has it; one that jumps beyond belief is held back."""
        found = self._market.quote(con_id, self.now)
        if found is None:
            return None
        quote = told(found, self.now)
        if con_id == self._con_id:
            quote = replace(quote, last=self._line.last)
        return self._sieve.admit(quote)

    def marks(self, legs: tuple[Leg, ...]) -> Marks:
        """What these legs cost now."""
        return mark_spread(legs, self._quotes(leg.con_id for leg in legs), self.now)

    def snapshot(self, money: Money, held: Iterable[int], *, enabled: bool) -> Snapshot:
        """Everything a decision of this grid instant may read."""
        con_ids = sorted({self._con_id, *(option.con_id for option in self._window), *held})
        return Snapshot(
            as_of=self.now,
            world_id=self._market.world_id,
            account=money.account,
            symbol=self._needs.symbol,
            underlying_con_id=self._con_id,
            spot=self.spot(),
            last_closed=self._bars.fold.take_last_closed(),
            open_bar=self._bars.fold.open_bar,
            options=self._window,
            quotes=self._quotes(con_ids),
            net_liquidation=money.net_liquidation,
            buying_power=money.buying_power,
            trading_enabled=enabled,
            watching_since=self._watching_since,
            figures=money.figures,
        )

    def _quotes(self, con_ids: Iterable[int]) -> dict[int, Quote]:
        found = {con_id: self.quote(con_id) for con_id in con_ids}
        return {con_id: quote for con_id, quote in found.items() if quote is not None}

    # --- asking the market -----------------------------------------------------------------------------------------

    def _listing(self, day: date) -> list[ListedOption]:
        if self._listed is None or self._listed[0] != day:
            query = ContractQuery(
                symbol=self._underlying.symbol,
                sec_type=SecType.OPTION.value,
                expiry=f"{day:%Y%m%d}",
                exchange="SMART",
                currency="USD",
                trading_class=self._underlying.option_class,
            )
            contracts = [row.contract for row in self._market.details(query, self.now)]
            options = [
                ListedOption(one.con_id, day, one.strike, one.right, one.trading_class)
                for one in contracts
                if one.strike is not None and one.right is not None and one.expiry == day
            ]
            self._listed = day, sorted(options, key=lambda option: (option.strike, option.right))
        return self._listed[1]
