"""Every rule of the gate with its limit and its value: of this moment where it asks the record and the desk only.

What a rule says of a spread cannot be said without one: there, the last decision that reached the rule is told.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from sqlalchemy.orm import Session

from htbot.domain.decisions import RuleOutcome
from htbot.domain.errors import NotFound
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.sessions import NEW_YORK
from htbot.domain.signals import Direction, Signal, SpreadLeg, SpreadPlan
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.book import BookKey, BookQuery
from htbot.persistence.engine import Database
from htbot.persistence.queries.decisions import last_outcomes
from htbot.persistence.repositories import SessionRepository
from htbot.portfolio.marks import mark_spread
from htbot.risk.case import Case
from htbot.risk.gate import BROKER_RULES, RULES, Proposal, Rule
from htbot.risk.limits import Limits
from htbot.services.callers import DeskAway
from htbot.services.desk_view import DeskView, Live, look, snapshot_of
from htbot.services.risk_standing import AccountMode, PortfolioRisk, account_mode, portfolio_risk

STANDING = frozenset(
    {
        "trading_enabled",
        "halt",
        "reconciled",
        "connection",
        "no_trade_window",
        "entry_window",
        "open_trade",
        "concurrent_trades",
        "entries_per_day",
        "daily_trades",
        "weekly_trades",
        "open_orders",
        "signals_per_minute",
        "orders_per_minute",
        "orders_per_day",
        "account_type",
        "loss_limits",
        "strategy_daily_loss",
        "account_daily_loss",
        "drawdown",
        "day_trades",
    }
)
"""Rules that do not look at the spread: they are asked now. A snapshot's age counts at the instant it is made for."""


OF_REGULATION = frozenset(
    {
        "daily_trades",
        "weekly_trades",
        "account_type",
        "short_sale",
        "ex_dividend",
        "day_trades",
        "settlement",
        "good_faith",
        "delivery",
        "intraday_margin",
    }
)
"""Rules that keep the account within what broker and regulator allow, and frequent trading within bounds."""


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule. `source` is `now`, `decision` (the last that reached it, `as_of` its market time) or `none`.

    `passed`, `limit` and `value` are null where nothing has been judged yet.
    """

    rule: str
    description: str
    source: Literal["now", "decision", "none"]
    passed: bool | None
    limit: str | None
    value: str | None
    reason: str | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class RuleParts:
    """What rules are asked with: the strategy and underlying that trade, and the limits in force."""

    database: Database
    live: Live
    strategy: str
    symbol: str
    limits: Limits
    host_now: Callable[[], datetime]


class RiskRules:
    """Reads; nothing is decided and nothing is held."""

    def __init__(self, parts: RuleParts) -> None:
        self._parts = parts

    def account_mode(self, account: str | None = None) -> AccountMode:
        """What kind an account is, by default the main one, and under which rule on day trades.

        Raises:
            DeskAway: nobody tells its figures now.
            NotFound: the desk does not trade it.
        """
        return account_mode(self._standing(account))

    def portfolio(self, account: str | None = None) -> PortfolioRisk:
        """What an account carries, by default the main one.

        Raises:
            DeskAway: nobody tells its figures now.
            NotFound: the desk does not trade it.
        """
        return portfolio_risk(self._standing(account))

    def _standing(self, account: str | None) -> Case:
        desk = look(self._parts.live, self._parts.host_now())
        with self._parts.database.transaction() as session:
            case = self._case(session, desk, account)
        if case is None:
            raise DeskAway(f"nobody tells the account's figures ({desk.connection}): a desk does on days of a session")
        return case

    def rules(self, names: Collection[str] = (), account: str | None = None) -> list[RuleView]:
        """Rules in the order in which the gate asks: those that are named, else every one.

        Of an account, by default the main one, whose last decision may then be any account's.

        Raises:
            NotFound: the desk does not trade it.
        """
        desk = look(self._parts.live, self._parts.host_now())
        with self._parts.database.transaction() as session:
            case = self._case(session, desk, account)
            told = last_outcomes(session, account)
        views = []
        for rule in (*RULES, *BROKER_RULES):
            name, says = _described(rule)
            if names and name not in names:
                continue
            if case is not None and name in STANDING:
                views.append(_view(rule(case), says, "now", case.as_of))
            elif name in told:
                outcome, as_of = told[name]
                views.append(_view(outcome, says, "decision", as_of))
            else:
                views.append(RuleView(name, says, "none", None, None, None, None, None))
        return views

    def _case(self, session: Session, desk: DeskView, account: str | None = None) -> Case | None:
        """A case without a spread at this moment; None without a snapshot or outside of a session's day."""
        symbol, now = self._parts.symbol, desk.market_time
        told = snapshot_of(self._parts.live, symbol)
        if told is None or now is None:
            return None
        snapshot = told.of_account(account)
        if snapshot is None:
            raise NotFound(f"there is no account {account}: the desk trades {', '.join(told.accounts)}")
        day = now.astimezone(NEW_YORK).date()
        today = SessionRepository(session).get(day)
        if today is None:
            return None
        book = BookQuery(session).peek(BookKey(self._parts.strategy, snapshot.account, day), now)
        proposal = Proposal(_no_signal(self._parts.strategy, snapshot, now), _no_spread(symbol, now), snapshot, today)
        marks = mark_spread(proposal.plan.legs, {}, now, self._parts.limits.quotes)
        return Case(proposal, book, self._parts.limits, now, UNDERLYINGS.get(symbol), marks)


def _described(rule: Rule) -> tuple[str, str]:
    """Name and meaning of a rule: its module's name and first line."""
    says = sys.modules[rule.__module__].__doc__ or ""
    return rule.__module__.rpartition(".")[2], says.partition("\n")[0]


def _view(outcome: RuleOutcome, says: str, source: Literal["now", "decision"], as_of: datetime) -> RuleView:
    reason = outcome.reason or None
    return RuleView(outcome.rule, says, source, outcome.passed, outcome.limit, outcome.value, reason, as_of)


def _no_signal(strategy: str, snapshot: Snapshot, now: datetime) -> Signal:
    day = now.astimezone(NEW_YORK).date()
    return Signal(
        strategy=strategy,
        account=snapshot.account,
        symbol=snapshot.symbol,
        session=day,
        as_of=now,
        direction=Direction.BULL,
        level=0.0,
        price=0.0,
        trend=0,
        reason="nobody has signalled",
    )


def _no_spread(symbol: str, now: datetime) -> SpreadPlan:
    """A spread of nothing: rules in `STANDING` do not look at it, which a test holds."""
    day, nothing = now.astimezone(NEW_YORK).date(), Decimal(0)
    short, long = (SpreadLeg(0, symbol, day, nothing, Right.PUT, ratio) for ratio in (-1, 1))
    return SpreadPlan(symbol, (short, long), 0, nothing, nothing, nothing, nothing)
