"""Trades in shares of the load: bought or sold short at the market, with stop and target in one group at the broker."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random

from htbot.adapters.live import LiveReader
from htbot.bootstrap.catalogue import strategies
from htbot.bootstrap.chaos.entries import Asked, exit_time
from htbot.domain.errors import Refused
from htbot.domain.signals import Direction
from htbot.domain.trades import ExitRules
from htbot.domain.windows import TradingWindow
from htbot.engine.share_plans import SharesWanted, plan_shares
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.engine import Database
from htbot.persistence.records import TRADE
from htbot.risk.limits import Limits
from htbot.services.callers import Caller
from htbot.services.strategies import NewStrategy, Strategies, StrategyParts
from htbot.settings import Settings
from htbot.strategies.ma_crossover import MaCrossover

SYMBOL = "SPY"
LOT, MOST_LOTS = 10, 3
SHARE = 0.25
"""So many of the trades are in shares: with their stops and targets a good third of all intents."""

NEAR, FAR = (0.00002, 0.0002), (0.02, 0.05)
"""How far stop and target are from the touch, as a share of it: within what a few seconds move, or out of reach."""

_WATCHED = NewStrategy(
    name="chaos-shares",
    type=MaCrossover.name,
    symbol=SYMBOL,
    settings={"entry_start": "15:20", "entry_end": "15:21", "exit_time": "15:40"},
    enabled=True,
    mode=TRADE,
)


def watch_shares(settings: Settings, database: Database, live: LiveReader) -> None:
    """Have the desk stream the shares, as a person would: by an instance that trades them, hours after the run."""
    parts = StrategyParts(database, live, partial(strategies, settings), lambda: datetime.now(UTC))
    Strategies(parts).add(_WATCHED, Caller("chaos"))


def side_of(seed: int) -> int:
    """Long or short, the same for every trade of a run: the broker nets a contract over all of them."""
    return Random(f"side {seed}").choice((1, -1))


@dataclass(frozen=True, slots=True)
class ShareLane:
    """One entry in shares: whose, which side, how many, when the guard has to close it, how far its prices are."""

    strategy: str
    side: int
    quantity: int
    exit_after: timedelta | None
    distance: Decimal

    @property
    def direction(self) -> Direction:
        """Up when bought, down when sold short."""
        return Direction(self.side)

    def ask(self, snapshot: Snapshot, window: TradingWindow, limits: Limits) -> Asked:
        """The order at the touch, its stop and target as far from it on either side."""
        rules = ExitRules(None, None, exit_time(snapshot.as_of, window, self.exit_after), window.flat_deadline)
        con_id = snapshot.shares.get(SYMBOL)
        quote = None if con_id is None else snapshot.quotes.get(con_id)
        if quote is not None and quote.mid is not None:
            touch = Decimal(repr(quote.mid))
            away = self.side * self.distance * touch
            rules = replace(rules, stop_price=touch - away, target_price=touch + away)
        wanted = SharesWanted(SYMBOL, self.side, self.quantity, rules, limits.plain_collar_fraction)
        plan = plan_shares(wanted, snapshot)
        if rules.stop_price is None:
            raise Refused("quotes", f"{SYMBOL} has no mid", limit="a bid and an ask", value="missing")
        told = replace(snapshot, symbol=SYMBOL, underlying_con_id=plan.leg.con_id, spot=None, options=())
        return Asked(plan, told, rules, None)


def draw_shares(name: str, side: int, exit_after: timedelta | None, rng: Random, *, near: bool) -> ShareLane:
    """A lane in shares. `near`: its stop or target is reached soon, else neither."""
    distance = Decimal(repr(round(rng.uniform(*(NEAR if near else FAR)), 6)))
    return ShareLane(name, side, LOT * rng.randint(1, MOST_LOTS), exit_after, distance)
