"""A backtest of a spread strategy: the engine, the exits, the ladder and the fill rules of live trading, in memory.

It plays the instants that a stepped paper gateway plays, and within each does what the desk and the tasks do, in their
order: orders look at the market, bars close, what is held is guarded, the day is judged, the strategy decides, limits
walk, entries leave; what was sent is matched at the same instant, until nothing more is (ARCHITECTURE section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from math import nan

from htbot.backtest.account_news import AccountNews
from htbot.backtest.day_loop import play_days
from htbot.backtest.result import EquityCurve
from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.spread_book import SpreadBook
from htbot.backtest.spread_breaker import SpreadBreaker
from htbot.backtest.spread_desk import DeskTools, SpreadDesk
from htbot.backtest.spread_exchange import Charges, SpreadExchange
from htbot.backtest.spread_feed import SpreadFeed
from htbot.backtest.spread_request import SpreadRequest, SpreadResult, SpreadSignal
from htbot.domain.bars import Bar
from htbot.domain.sessions import Session
from htbot.domain.signals import Evaluation
from htbot.engine.cycle import CycleInputs, CycleOutcome, confirm, decide
from htbot.engine.guarding import failure, guarded
from htbot.engine.memory import Memory
from htbot.marketdata.chain_window import ChainNeed
from htbot.marketdata.sessions import trading_window

ASSUMPTIONS = (
    "fills follow the paper gateway's rules: the natural price of the legs, nothing better",
    "inside a bar the price goes to the nearer extreme first, in straight lines",
    "where no quotes are recorded they are modelled from the closes before the day",
    "an option that is held over its close is worth what it is in the money by; delivered shares are not simulated",
    "no interest, no dividends, no rejected orders; the broker and the connection never fail",
)


def run_spreads(request: SpreadRequest, progress: Callable[[float], None] = lambda _fraction: None) -> SpreadResult:
    """Play the days of a request; `progress` is told after each of them which part is done.

    Raises:
        ConfigurationError: the market has no such days or no prices of the strategy's underlying.
    """
    run = SpreadRun(request)
    return run.result(play_days(request.terms, run, progress))


class SpreadRun:
    """One run; time goes forwards only. `begin`, sessions by `backtest.day_loop`, `result`."""

    def __init__(self, request: SpreadRequest) -> None:
        terms, strategy = request.terms, request.strategy
        market = terms.market
        self._request = request
        self._feed = SpreadFeed(market, strategy.needs)
        charges = Charges(terms.rules, terms.plan, timedelta(seconds=terms.latency_s))
        self._exchange = SpreadExchange(market, charges)
        self._book = SpreadBook()
        self._account = SpreadAccount(
            terms.account, terms.cash_usd, terms.plan, lambda con_id: market.quote(con_id, self._feed.now)
        )
        self._desk = SpreadDesk(DeskTools(market, self._feed, self._exchange, self._book, self._account))
        self._news = AccountNews(self._account, terms.told_from)
        self._breaker = SpreadBreaker(terms.breaker)
        self._memory: Memory | None = None
        self._bars: list[Bar] = []
        self._known_at: list[datetime] = []
        self._recent: list[Bar] = []
        self._evaluations: list[Evaluation] = []
        self._closes: list[tuple[Decimal, float]] = []

    def begin(self, at: datetime) -> None:
        """Start with what has closed before an instant."""
        self._recent = self._feed.begin(at, self._request.history_from)

    @property
    def working(self) -> Iterable[datetime | None]:
        """Of each order that works the time that it is good till."""
        return self._exchange.working

    @property
    def arrivals(self) -> Iterable[datetime]:
        """When orders that are under way arrive."""
        return self._exchange.arrivals

    def begin_session(self, session: Session) -> None:
        """A session has nothing of the one before it but money and trades."""
        self._exchange.begin()
        self._account.begin_session()
        self._book.begin_session(session.day)
        self._breaker.begin(self._book, self._feed)

    def end_session(self, session: Session) -> None:
        """What has expired is settled, and the day's equity noted."""
        self._desk.expire(session, deliveries=self._request.terms.deliveries)
        self._closes.append((self._account.net_liquidation(), self._bars[-1].close if self._bars else nan))

    def result(self, sessions: list[Session]) -> SpreadResult:
        """What came of it."""
        book, strategy = self._book.whole, self._request.strategy
        modelled = sum(fill.modelled for fill in book.fills)
        return SpreadResult(
            strategy=strategy.name,
            config_hash=strategy.config_hash,
            symbol=strategy.needs.symbol,
            account=self._request.terms.account,
            days=tuple(session.day for session in sessions),
            trades=tuple(book.trades),
            signals=tuple(book.signals),
            intents=tuple(book.intents),
            fills=tuple(book.fills),
            evaluations=tuple(self._evaluations),
            bars=tuple(self._bars),
            known_at=tuple(self._known_at),
            halts=tuple(self._breaker.trips),
            modelled_share=Decimal(modelled) / len(book.fills) if book.fills else None,
            assumptions=ASSUMPTIONS,
            curve=EquityCurve(
                days=tuple(session.day for session in sessions),
                equity=tuple(equity for equity, _price in self._closes),
                prices=tuple(price for _equity, price in self._closes),
            ),
        )

    @property
    def known(self) -> tuple[Bar, ...]:
        """The bars that the next look is given besides the state."""
        return tuple(self._recent)

    # --- an instant -------------------------------------------------------------------------------------------------

    def move(self, now: datetime, session: Session) -> bool:
        """Go to an instant: orders that work look at the market, bars close, fills are heard."""
        fills = self._exchange.play(now, session)
        closed = self._feed.move(now)
        self._bars += closed
        self._known_at += [now] * len(closed)
        self._recent += closed
        self._desk.hear(fills, now)
        return bool(fills)

    def again(self, session: Session) -> bool:
        """What was sent looks at the market of the same instant."""
        del session
        now = self._feed.now
        fills = self._exchange.match_due(now)
        self._desk.hear(fills, now)
        return bool(fills)

    def tell(self, session: Session, *, filled: bool) -> None:
        """The account's values, as the broker tells them."""
        self._news.hear(session, self._feed.now, filled=filled)

    def look(self, session: Session, *, grid: bool) -> bool:
        """What the desk does when it has heard everything; True when it has sent something."""
        sent = self._desk.guard(session)
        if grid and session.contains(self._feed.now):
            sent = self._judge_day(session) or sent
            self._decide(session)
            self._desk.mark()
        sent = self._desk.act(session) or sent
        window = trading_window(session, self._request.strategy.hours)
        need = ChainNeed(self._request.strategy.needs.strikes_out, window.entry_from, window.entry_until)
        self._feed.follow(session, need)
        return sent

    def _judge_day(self, session: Session) -> bool:
        tripped = self._breaker.look(self._book, self._account, self._feed, session.day)
        self._desk.halted_by = self._breaker.halted_by
        if not tripped:
            return False
        cancelled = self._desk.cancel_entries()
        if self._request.terms.flatten_on_trip:
            self._desk.flatten()
            return self._desk.act(session) or cancelled
        return cancelled

    def _decide(self, session: Session) -> None:
        request, now = self._request, self._feed.now
        money = self._news.money(session, now)
        halted = self._breaker.halted_by, self._breaker.peak_usd
        inputs = CycleInputs(
            strategy=request.strategy,
            snapshot=self._feed.snapshot(money, self._desk.legs, enabled=request.terms.enabled(now)),
            session=session,
            bars=self._recent,
            book=self._book.risk_book(request.strategy.name, session.day, now, *halted),
            limits=request.limits,
            as_of=now,
            memory=self._memory,
        )
        failed: dict[str, str] = {}
        name = request.strategy.name
        outcome = guarded(failed, name, lambda: self._judged(inputs))
        if outcome is None:  # it leaves nothing behind, and is asked again at the next instant, as live
            symbol, why_not = request.strategy.needs.symbol, failure(failed[name])
            self._evaluations.append(Evaluation(name, request.terms.account, symbol, now, 0, None, None, why_not))
            return
        self._remember(outcome.memory, session)
        self._evaluations.append(outcome.evaluation)
        if outcome.signal is not None and outcome.decision is not None:
            self._book.signals.append(SpreadSignal(outcome.signal, outcome.decision))
        if outcome.intent is not None and outcome.trade is not None:
            self._desk.enter(outcome.trade, outcome.intent)

    def _judged(self, inputs: CycleInputs) -> CycleOutcome:
        outcome = decide(inputs)
        if outcome.intent is None:
            return outcome
        return confirm(inputs, outcome, self._account.what_if(outcome.intent))

    def _remember(self, memory: Memory, session: Session) -> None:
        """Keep the state, and of the bars what the next look needs: this session's, and what closed after the state."""
        self._memory, through = memory, memory.through
        since = None if through is None else min(session.opens, through)
        if since is not None and self._recent and self._recent[0].start < since:
            self._recent = [bar for bar in self._recent if bar.start >= since]
