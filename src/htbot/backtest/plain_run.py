"""A backtest of strategies on shares as the desk trades them: engine, gate, protective orders and fill rules of live.

It plays the instants that a stepped paper gateway plays, and within each does what gateway, desk and tasks do, in their
order: working orders look at the market, bars close and are known, fills are heard and stops follow them, what is held
is guarded, the day is judged, marks are taken, the seats decide in order of name, what waits is sent; what was sent is
matched at the same instant, until nothing more is. `bar_run` is the other one: a loop over bars alone, thousands of
times as fast, that fills at prices of the bars.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from htbot.backtest.account_news import AccountNews
from htbot.backtest.plain_desk import PlainDesk, PlainTools
from htbot.backtest.plain_feed import PlainFeed, SeriesKey
from htbot.backtest.plain_request import PlainRequest, PlainResult, PlainSignal
from htbot.backtest.plain_seat import SeatState
from htbot.backtest.spread_account import SpreadAccount
from htbot.backtest.spread_breaker import SpreadBreaker
from htbot.backtest.spread_exchange import Charges, SpreadExchange
from htbot.backtest.trade_book import TradeBook
from htbot.domain.bars import Bar
from htbot.domain.fills import Fill
from htbot.domain.orders import OrderIntent
from htbot.domain.sessions import Session
from htbot.domain.signals import Evaluation
from htbot.domain.trades import RECORDED, recorded
from htbot.engine.observation import Fired
from htbot.engine.recorded import Fate, fate_of
from htbot.engine.recorded_bars import Looked, ended_s, is_fresh, signal_of
from htbot.engine.share_entries import EntryDesk, Wanted, decide_shares
from htbot.marketdata.snapshot import Snapshot
from htbot.marketdata.tape_bars import ClosedBar, TapeCalendar
from htbot.risk.book import Book


class PlainRun:
    """One run; time goes forwards only."""

    def __init__(self, request: PlainRequest) -> None:
        terms = request.terms
        market = terms.market
        calendar = TapeCalendar(market.sessions.all())
        self._request = request
        self._seats = [SeatState(seat, calendar) for seat in sorted(request.seats, key=lambda seat: seat.name)]
        self._feed = PlainFeed(market, [_series(state) for state in self._seats])
        charges = Charges(terms.rules, terms.plan, timedelta(seconds=terms.latency_s))
        self._exchange = SpreadExchange(market, charges)
        self._book: TradeBook[PlainSignal] = TradeBook()
        self._account = SpreadAccount(
            terms.account, terms.cash_usd, terms.plan, lambda con_id: market.quote(con_id, self._feed.now)
        )
        self._desk = PlainDesk(PlainTools(self._feed, self._exchange, self._book, self._account))
        self._news = AccountNews(self._account, terms.told_from)
        self._breaker = SpreadBreaker(terms.breaker)
        self._sent = False
        self._signalled: set[tuple[str, datetime | None]] = set()
        self._bars: list[tuple[Bar, datetime]] = []
        self._evaluations: list[Evaluation] = []

    def begin(self, at: datetime) -> None:
        """Start with what has closed before an instant."""
        since: dict[SeriesKey, datetime | None] = {}
        for state in self._seats:
            key, first = _series(state), state.seat.first_bar
            before = since.get(key, first)
            since[key] = None if before is None or first is None else min(before, first)
        history = self._feed.begin(at, since)
        for state in self._seats:
            state.add(history, at)

    def begin_session(self, session: Session) -> None:
        """Before its first instant."""
        del session
        self._exchange.begin()
        self._account.begin_session()
        self._breaker.begin(self._book, self._feed)

    def end_session(self, session: Session) -> None:
        """Everything has left by its hard deadline."""

    def result(self, sessions: list[Session]) -> PlainResult:
        """What came of it."""
        book = self._book
        return PlainResult(
            account=self._request.terms.account,
            days=tuple(session.day for session in sessions),
            trades=tuple(replace(held.trade, max_gain_usd=recorded(held.max_gain)) for held in book.trades),
            signals=tuple(book.signals),
            intents=tuple(_as_recorded(one) for one in book.intents),
            fills=tuple(book.fills),
            evaluations=tuple(self._evaluations),
            bars=tuple(bar for bar, _known_at in self._bars),
            known_at=tuple(known_at for _bar, known_at in self._bars),
            halts=tuple(self._breaker.trips),
        )

    # --- an instant -------------------------------------------------------------------------------------------------

    @property
    def working(self) -> Iterable[datetime | None]:
        """Of each order that works the time that it is good till."""
        return self._exchange.working

    @property
    def arrivals(self) -> Iterable[datetime]:
        """When orders that are under way arrive."""
        return self._exchange.arrivals

    def move(self, now: datetime, session: Session) -> bool:
        """Go to an instant: what works looks at the market, bars close and are known, what happened is heard."""
        fills = self._exchange.play(now, session)
        closed = self._feed.move(now)
        self._bars += [(bar, now) for bar in closed if self._is_streamed((bar.symbol, bar.minutes))]
        for state in self._seats:
            state.add(closed, now)
        return self._hear(fills, session)

    def _is_streamed(self, key: SeriesKey) -> bool:
        """Whether somebody is still shown these bars."""
        return key == self._request.own_series or any(_series(state) == key for state in self._seats if not state.gone)

    def again(self, session: Session) -> bool:
        """Let what was sent look at the market at the same instant, and hear what came of it."""
        return self._hear(self._exchange.match_due(self._feed.now), session)

    def _hear(self, fills: list[Fill], session: Session) -> bool:
        self._sent = self._desk.hear(fills, session) or self._sent
        return bool(fills)

    def tell(self, session: Session, *, filled: bool) -> None:
        """The account's values, as the broker tells them."""
        self._news.hear(session, self._feed.now, filled=filled)

    def look(self, session: Session, *, grid: bool) -> bool:
        """What the desk does when it has heard everything; True when anything was sent since the last look."""
        sent, self._sent = self._sent, False
        sent = self._desk.guard(session) or sent
        sent = self._desk.protect(session) or sent
        if grid and session.contains(self._feed.now):
            sent = self._judge_day(session) or sent
            self._desk.mark(session)
            self._ask_seats(session)
        return self._desk.act(session) or sent

    def _judge_day(self, session: Session) -> bool:
        tripped = self._breaker.look(self._book, self._account, self._feed, session.day)
        self._desk.halted_by = self._breaker.halted_by
        if not tripped:
            return False
        cancelled = self._desk.cancel_entries()
        if not self._request.terms.flatten_on_trip:
            return cancelled
        self._desk.flatten()
        return self._desk.act(session) or cancelled

    # --- the seats --------------------------------------------------------------------------------------------------

    def _ask_seats(self, session: Session) -> None:
        """Each is shown what is new, then each acts, in order of name. One that was disabled is asked for its exits."""
        now, terms = self._feed.now, self._request.terms
        snapshot = self._feed.snapshot(self._news.money(session, now), enabled=terms.enabled(now))
        self._let_go()
        wishes = [(state, state.look(self._fates(state), now)) for state in self._seats if not state.gone]
        acted: set[str] = set()
        for action in ("leave", "enter"):  # what is held leaves before anything is entered
            for state, fired in wishes:
                done = [self._act(state, what, bar, snapshot) for what, bar in fired if what.action == action]
                acted |= {state.seat.name} if any(done) else set()
        for state, _fired in wishes:
            why_not = None if state.seat.name in acted else state.why_not(now)
            name, symbol = state.seat.name, state.seat.symbol
            self._evaluations.append(
                Evaluation(name, terms.account, symbol, now, 0, None, None, why_not, state.position)
            )
        self._let_go()

    def _let_go(self) -> None:
        """Nobody asks, or streams bars for, one that is disabled and holds nothing any more."""
        for state in self._seats:
            state.gone = state.disabled and not self._book.holds(state.seat.name)

    def _fates(self, state: SeatState) -> list[Fate]:
        return [
            fate_of(held.trade, held.entry_fills, held.exit_fills)
            for held in self._book.trades
            if held.trade.strategy == state.seat.name
        ]

    def _act(self, state: SeatState, fired: Fired, bar: ClosedBar, snapshot: Snapshot) -> bool:
        """Act on a wish; False when its bar was decided on before, or when it must wait."""
        seat, now = state.seat, self._feed.now
        signal = signal_of(Looked(seat.name, self._request.terms.account, seat.symbol, now), fired, bar)
        key = (seat.name, signal.bar_start)
        if key in self._signalled or (state.disabled and fired.action == "enter"):
            return False
        ended_at = datetime.fromtimestamp(ended_s(fired, bar), UTC)
        meant = self._desk.leave(seat.name, ended_at, fired, signal.reason) if fired.action == "leave" else False
        if meant is None:
            state.undone = True
            return False
        self._signalled.add(key)
        if fired.action == "leave":
            self._book.signals.append(PlainSignal(signal, None if meant else "nothing is held any more"))
            return True
        wanted = Wanted(
            signal=signal,
            fired=fired,
            loop=state.loop,
            config=state.config,
            config_hash=state.config_hash,
            fresh=is_fresh(fired, bar, now),
            ended_at=ended_at,
        )
        session = self._request.terms.market.sessions.on(signal.session)
        desk = EntryDesk(
            limits=self._request.limits_of(state.config),
            read_book=lambda: self._risk_book(wanted),
            ask_margin=lambda intent: self._account.what_if(intent, in_hours=True),
        )
        decided = decide_shares(wanted, snapshot, session, desk)
        self._book.signals.append(PlainSignal(signal, decided.refused_by))
        if decided.trade is not None and decided.intent is not None:
            self._desk.enter(decided.trade, decided.intent)
        return True

    def _risk_book(self, wanted: Wanted) -> Book:
        signal, halts = wanted.signal, (self._breaker.halted_by, self._breaker.peak_usd)
        return self._book.risk_book(signal.strategy, signal.session, signal.as_of, *halts)


def _series(state: SeatState) -> SeriesKey:
    return state.seat.symbol, state.minutes


def _as_recorded(intent: OrderIntent) -> OrderIntent:
    """An intent as the record keeps it: what an order at the market was decided on may be an average."""
    return replace(intent, limit=intent.limit.quantize(RECORDED), worst_limit=intent.worst_limit.quantize(RECORDED))
