"""The pages, in the order of the navigation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from htbot.dashboard.screen import Screen


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its address below `/dashboard`, its name, its key after `g`, and what it watches besides what all do.

    One without a key is reached from another and stands in no navigation.
    """

    name: str
    path: str
    title: str
    key: str = ""
    topics: tuple[str, ...] = ()

    @property
    def in_navigation(self) -> bool:
        """Whether it is one of the main pages."""
        return bool(self.key)

    def build(self, screen: Screen) -> Awaitable[None] | None:
        """Put the page's parts on a screen: the function `build` of the module of its name."""
        return self.load()(screen)

    def load(self) -> Callable[[Screen], Awaitable[None] | None]:
        """The function, its module imported."""
        build: Callable[[Screen], Awaitable[None] | None] = import_module(f"{__name__}.{self.name}").build
        return build


EVERYWHERE = ("status", "scheduler", "broker")
"""Topics that each page watches, for its banner."""
PAGES = (
    Page("desk", "/", "Desk", "d", ("day", "risk", "positions", "picture", "story", "trades")),
    Page("chart", "/chart", "Chart", "c", ("picture", "story")),
    Page("signals", "/signals", "Signals", "s", ("fired", "cycles")),
    Page("orders", "/orders", "Orders", "o", ("orders", "ladders", "fills")),
    Page("trades", "/trades", "Trades", "t", ("trades",)),
    Page("trade", "/trades/{trade_id}", "Trade", topics=("trades",)),
    Page("strategies", "/strategies", "Strategies", "g", ("instances", "strategy_stats", "open_trades")),
    Page("risk", "/risk", "Risk", "r", ("risk", "rules")),
    Page("alerts", "/alerts", "Alerts", "a", ("alerts",)),
    Page(
        "system",
        "/system",
        "System",
        "y",
        ("readiness", "reconciliation", "programs", "stream", "instances", "scheduler_day"),
    ),
    Page("backtest", "/backtest", "Backtest", "b", ("backtests",)),
    Page("backtest_report", "/backtest/{job_id}", "Backtest", topics=("backtests",)),
)
