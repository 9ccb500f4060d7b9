"""A backtest of strategy 2: long single options at the quotes, instants and fill rules of the other option backtests.

A single option pays premium, and the types of the live path (`SpreadPlan`, `Trade`, the gate's rules on credit) are of
spreads that receive it. So this run has its own small loop around the same exchange, account and feed; its risk is
bounded by the premium cap, one entry per side and session, the day's risk and the account's buying power.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from htbot.backtest.result import EquityCurve, ResultTrade
from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.spread_exchange import Charges, SpreadExchange
from htbot.backtest.spread_feed import SpreadFeed
from htbot.backtest.strangle_request import StrangleRequest
from htbot.backtest.strangle_side import BidBars, PlayedSide, average
from htbot.backtest.terms import sessions_of
from htbot.domain.errors import ConfigurationError
from htbot.domain.fills import Fill
from htbot.domain.instruments import Right
from htbot.domain.orders import Action, ExitReason, OrderIntent, PriceStyle, Purpose, order_reference
from htbot.domain.sessions import Session, floor_to
from htbot.domain.signals import SpreadLeg
from htbot.execution.expiry import intrinsic
from htbot.market.instants import GRID_S, next_instant
from htbot.marketdata.chain_window import ChainNeed
from htbot.marketdata.sessions import trading_window
from htbot.marketdata.snapshot import ListedOption
from htbot.strategies.base import Needs
from htbot.strategies.strangle_momentum import Phase, Side

_ORDER_LIFE = timedelta(seconds=GRID_S)
_BAR_MINUTES = 5
_EXPIRY = "expiry-"


@dataclass(frozen=True, slots=True)
class StrangleResult:
    """What came of it; fields as in `SpreadResult`. `refusals` counts sides that were never entered, by rule."""

    days: tuple[date, ...]
    trades: tuple[ResultTrade, ...]
    fills: tuple[Fill, ...]
    bars: int
    curve: EquityCurve
    refusals: dict[str, int]

    @property
    def modelled_share(self) -> float | None:
        """Part of the fills at quotes whose quote was the model's; an expiry has none. None without any."""
        quoted = [fill.modelled for fill in self.fills if not fill.ref.startswith(_EXPIRY)]
        return sum(quoted) / len(quoted) if quoted else None


def run_strangle(
    request: StrangleRequest, progress: Callable[[float], None] = lambda _fraction: None
) -> StrangleResult:
    """Play the days of a request.

    Raises:
        ConfigurationError: the market has no such days or no prices of the underlying.
    """
    sessions = sessions_of(request.market, request.first, request.last)
    run = _Run(request)
    run.begin(sessions[0])
    for number, session in enumerate(sessions, 1):
        run.play(session)
        progress(number / len(sessions))
    return run.result(sessions)


class _Run:
    def __init__(self, request: StrangleRequest) -> None:
        config, market = request.strategy.config, request.market
        self._reach = max(config.call_index, config.put_index) + 1
        self._request, self._market = request, market
        self._feed = SpreadFeed(market, Needs(config.symbol, _BAR_MINUTES, 0, self._reach))
        charges = Charges(request.rules, request.plan, timedelta(seconds=request.latency_s))
        self._exchange = SpreadExchange(market, charges)
        self._account = SpreadAccount(
            request.account, request.cash_usd, request.plan, lambda con_id: market.quote(con_id, self._feed.now)
        )
        self._sides: list[PlayedSide] = []
        self._trades: list[ResultTrade] = []
        self._fills: list[Fill] = []
        self._closes: list[tuple[Decimal, float]] = []
        self._refusals: Counter[str] = Counter()
        self._bars, self._price = 0, float("nan")

    def begin(self, session: Session) -> None:
        self._feed.begin(session.opens, self._request.history_from or session.opens - timedelta(days=10))

    def play(self, session: Session) -> None:
        seconds = self._request.strategy.config.bid_bar_minutes * 60
        self._sides = [PlayedSide(Side(right), BidBars(seconds)) for right in Right]
        self._exchange.begin()
        self._account.begin_session()
        now: datetime | None = session.opens
        while now is not None and now <= session.closes:
            self._instant(now, session)
            now = next_instant(self._market, now, self._exchange.working, self._exchange.arrivals)
        for one in self._sides:
            self._finish(one, session)
        self._closes.append((self._account.net_liquidation(), self._price))

    def result(self, sessions: list[Session]) -> StrangleResult:
        days = tuple(session.day for session in sessions)
        equity, prices = tuple(one for one, _ in self._closes), tuple(one for _, one in self._closes)
        trades = tuple(sorted(self._trades, key=lambda trade: (trade.closed_at, trade.id)))
        curve = EquityCurve(days, equity, prices)
        return StrangleResult(days, trades, tuple(self._fills), self._bars, curve, dict(self._refusals))

    # --- an instant -------------------------------------------------------------------------------------------------

    def _instant(self, now: datetime, session: Session) -> None:
        self._hear(self._exchange.play(now, session))
        closed = self._feed.move(now)
        self._bars += len(closed)
        self._price = closed[-1].close if closed else self._price
        for one in self._sides:
            self._look(one, session, grid=floor_to(now, GRID_S) == now and session.contains(now))
        window = trading_window(session, self._request.strategy.hours)
        self._feed.follow(session, ChainNeed(self._reach, window.entry_from, window.entry_until))
        self._hear(self._exchange.match_due(now))

    def _hear(self, fills: list[Fill]) -> None:
        self._fills += fills
        for fill in fills:
            self._account.book(fill)
        for one in self._sides:
            if one.order is not None:
                own = [fill for fill in fills if fill.ref == one.order.ref]
                one.hear(own, ended=self._exchange.ended(one.order.ref))

    def _look(self, one: PlayedSide, session: Session, *, grid: bool) -> None:
        now, strategy = self._feed.now, self._request.strategy
        window = trading_window(session, strategy.hours)
        if one.leg is not None and one.side.held:
            quote = self._feed.quote(one.leg.con_id)
            one.see(now, None if quote is None else quote.bid)
            reason = strategy.exit_of(one.side, one.bars.last, now, window)
            if reason is not None and quote is not None and quote.bid:
                self._sell(one, reason, quote.bid, session)
        elif grid and one.side.phase is Phase.WAITING:
            one.refused = self._try_to_buy(one, session)

    def _try_to_buy(self, one: PlayedSide, session: Session) -> str | None:
        """Buy the side, or the rule that does not let it."""
        strategy, now = self._request.strategy, self._feed.now
        window = trading_window(session, strategy.hours)
        if not window.admits_entry(now):
            return one.refused or "hours"
        option = self._option(one.side.right, session)
        if option is None:
            return "chain"
        quote = self._feed.quote(option.con_id)
        usable = quote is not None and quote.ask is not None and quote.ask > 0 and not quote.crossed
        ask = Decimal(str(quote.ask)) if usable and quote is not None else None
        waits = strategy.waits(one.side, ask, now, window)
        if waits is not None or ask is None:
            return waits
        refused = self._too_much(ask, session)
        if refused is None:
            self._buy(one, option, ask, session)
        return refused

    def _option(self, right: Right, session: Session) -> ListedOption | None:
        spot, side = self._feed.spot(), 1 if right is Right.CALL else -1
        if spot is None:
            return None
        price, index = Decimal(str(spot)), self._request.strategy.config.index_of(right)
        listed = [option for option in self._feed.options(session.day) if option.right is right]
        out = sorted((option for option in listed if (option.strike - price) * side > 0), key=lambda one: one.strike)
        out = out if right is Right.CALL else out[::-1]
        return out[index] if index < len(out) else None

    def _too_much(self, ask: Decimal, session: Session) -> str | None:
        """What is paid today stays within the day's risk, and within what the account can pay."""
        cost = ask * 100 * self._request.strategy.config.quantity
        spent = Decimal(0)
        for one in self._sides:
            if one.entry_fills:
                spent += average(one.entry_fills) * 100 * one.side.bought
            elif one.order is not None:
                spent += one.order.limit * 100 * one.order.quantity
        if spent + cost > self._request.risk_per_day_usd:
            return "day_risk"
        return "buying_power" if cost > self._account.money(session, self._feed.now).buying_power else None

    # --- orders -----------------------------------------------------------------------------------------------------

    def _buy(self, one: PlayedSide, option: ListedOption, ask: Decimal, session: Session) -> None:
        config = self._request.strategy.config
        one.leg = SpreadLeg(option.con_id, config.symbol, option.expiry, option.strike, option.right, 1)
        one.side, one.opened_at = one.side.enter(), self._feed.now
        self._place(one, Purpose.ENTRY, ask, config.quantity, session)

    def _sell(self, one: PlayedSide, reason: ExitReason, bid: float, session: Session) -> None:
        quantity, one.reason = one.side.sellable, reason
        one.side, one.exits = one.side.leave(), one.exits + 1
        self._place(one, Purpose.EXIT, Decimal(str(bid)), quantity, session)

    def _place(self, one: PlayedSide, purpose: Purpose, limit: Decimal, quantity: int, session: Session) -> None:
        strategy, now, account = self._request.strategy, self._feed.now, self._request.account
        number = 10 * one.exits + list(Right).index(one.side.right) + 1
        if one.leg is None:
            raise ConfigurationError("an order needs its option")
        one.order = OrderIntent(
            ref=order_reference(strategy.name, account, session.day, purpose, number),
            trade_id=f"{strategy.name}-{account}-{session.day:%Y%m%d}-{one.side.right.value}",
            strategy=strategy.name,
            account=account,
            session=session.day,
            purpose=purpose,
            action=Action.BUY if purpose is Purpose.ENTRY else Action.SELL,
            symbol=strategy.config.symbol,
            quantity=quantity,
            legs=(one.leg,),
            limit=limit,
            worst_limit=limit,
            tick=strategy.config.underlying.combo_tick,
            style=PriceStyle.LADDER,
            created_at=now,
            good_till=now + _ORDER_LIFE,
            exit_reason=one.reason,
        )
        self._exchange.place(one.order, limit, now)

    # --- the end of a session ---------------------------------------------------------------------------------------

    def _finish(self, one: PlayedSide, session: Session) -> None:
        """An option that nobody bid for is worth what it is in the money by; a side without an entry says why."""
        if one.order is not None:
            one.hear([], ended=True)
        settled = None if one.leg is None else self._market.settlement(one.leg.con_id)
        if one.leg is not None and one.side.held and settled is not None:
            fill = self._expired(one.leg, one.side.held, intrinsic(one.leg, settled), session)
            self._account.book(fill)
            self._fills.append(fill)
            one.exit_fills.append(fill)
            one.reason = ExitReason.EXPIRY
        trade = one.trade(self._request.strategy, self._request.account)
        if trade is not None:
            self._trades.append(trade)
        elif not one.entry_fills:
            self._refusals[one.refused or "unfilled"] += 1

    def _expired(self, leg: SpreadLeg, quantity: int, worth: Decimal, session: Session) -> Fill:
        return Fill(
            exec_id=f"{_EXPIRY}{session.day:%Y%m%d}-{leg.con_id}.01",
            ref=f"{_EXPIRY}{session.day:%Y%m%d}-{leg.con_id}",
            account=self._request.account,
            con_id=leg.con_id,
            symbol=leg.symbol,
            expiry=leg.expiry,
            strike=leg.strike,
            right=leg.right,
            side=Action.SELL,
            quantity=quantity,
            price=worth,
            multiplier=leg.multiplier,
            executed_at=session.closes,
            perm_id=0,
            commission=Decimal(0),
        )
