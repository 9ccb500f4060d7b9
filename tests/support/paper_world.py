"""A market small enough to reason about: two sessions, an index, a stock, some options, prices set by hand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from htbot.domain.instruments import Contract, Right, SecType
from htbot.domain.quotes import Greeks, Quote
from htbot.domain.sessions import NEW_YORK, Session, SessionTable
from htbot.market.ports import (
    Candle,
    ContractDetails,
    ContractQuery,
    DayStatistics,
    OptionChain,
    Print,
    Show,
    TradingHours,
)

SPX, SPY = 416904, 756733
DAYS = (date(2024, 1, 2), date(2024, 1, 3))
RULE_CENT = ((Decimal(0), Decimal("0.01")),)
RULE_SPX = ((Decimal(0), Decimal("0.05")), (Decimal(3), Decimal("0.1")))
RULE_STOCK = ((Decimal(0), Decimal("0.01")),)


def session_of(day: date) -> Session:
    """09:30 to 16:00 New York, winter time."""
    return Session(
        day,
        datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC),
        datetime(day.year, day.month, day.day, 21, 0, tzinfo=UTC),
    )


SESSIONS = SessionTable([session_of(day) for day in DAYS])
START = SESSIONS.all()[0].at(10, 0)


def option_id(strike: int, right: Right, day: date = DAYS[0], symbol: str = "SPX") -> int:
    """Contract id of an option of this world."""
    base = 1_000_000 if symbol == "SPX" else 2_000_000
    return base + day.day * 100_000 + strike * 2 + (1 if right is Right.PUT else 0)


def _details(
    contract: Contract, rule: tuple[tuple[Decimal, Decimal], ...], under: tuple[int, str, str]
) -> ContractDetails:
    expiry = f"{contract.expiry:%y%m%d}" if contract.expiry else ""
    right = contract.right.value if contract.right else ""
    strike = f"{int(contract.strike * 1000):08d}" if contract.strike else ""
    return ContractDetails(
        contract=contract,
        local_symbol=f"{contract.trading_class:<6}{expiry}{right}{strike}" if expiry else contract.symbol,
        long_name=f"The {contract.symbol} \\ test",
        market_name=contract.trading_class,
        min_tick=rule[0][1],
        price_rule=rule,
        valid_exchanges="SMART,CBOE",
        under_con_id=under[0],
        under_symbol=under[1],
        under_sec_type=under[2],
    )


@dataclass
class HandMarket:
    """`Market` with prices that a test sets; a quote holds until it is set again."""

    world_id: str = "hand-1"
    end: datetime | None = None
    sessions: SessionTable = field(default_factory=lambda: SESSIONS)
    start: datetime = START
    step_s: int = 30
    quotes: dict[int, tuple[float | None, float | None]] = field(default_factory=dict)
    sizes: dict[int, tuple[float, float]] = field(default_factory=lambda: defaultdict(lambda: (10.0, 12.0)))
    last: dict[int, float] = field(default_factory=lambda: {SPX: 4700.0, SPY: 470.0})
    settlements: dict[date, float] = field(default_factory=dict)
    tape: dict[int, list[Print]] = field(default_factory=dict)
    halts: set[int] = field(default_factory=set)
    quote_hook: Callable[[datetime], None] | None = None

    def __post_init__(self) -> None:
        self._contracts = {
            SPX: _details(Contract(SPX, "SPX", SecType.INDEX, "CBOE"), RULE_CENT, (0, "", "")),
            SPY: _details(Contract(SPY, "SPY", SecType.STOCK, "SMART", trading_class="SPY"), RULE_STOCK, (0, "", "")),
        }
        self.quotes.setdefault(SPY, (469.99, 470.01))
        for day in DAYS:
            for strike in (4650, 4675, 4700, 4725):
                for right in Right:
                    self._option("SPX", strike, right, day)
            for strike in (465, 470):
                for right in Right:
                    self._option("SPY", strike, right, day)

    def _option(self, symbol: str, strike: int, right: Right, day: date) -> None:
        con_id = option_id(strike, right, day, symbol)
        under = (SPX, "SPX", "IND") if symbol == "SPX" else (SPY, "SPY", "STK")
        trading_class = "SPXW" if symbol == "SPX" else "SPY"
        contract = Contract(
            con_id, symbol, SecType.OPTION, "SMART", "USD", day, Decimal(strike), right, trading_class, 100
        )
        self._contracts[con_id] = _details(contract, RULE_SPX if symbol == "SPX" else RULE_CENT, under)
        self.quotes.setdefault(con_id, (1.0, 1.2))

    def details(self, query: ContractQuery, at: datetime) -> list[ContractDetails]:
        del at
        if query.con_id:
            found = self._contracts.get(query.con_id)
            return [found] if found else []
        return [item for item in self._contracts.values() if _fits(item.contract, query)]

    def matching(self, pattern: str, at: datetime) -> list[ContractDetails]:
        del at
        rows = (self._contracts[con_id] for con_id in (SPX, SPY))
        return [row for row in rows if pattern and row.contract.symbol.startswith(pattern.upper())]

    def underlyings(self, at: datetime) -> list[ContractDetails]:
        del at
        return [item for item in self._contracts.values() if item.contract.expiry is None]

    def contract(self, con_id: int) -> ContractDetails | None:
        return self._contracts.get(con_id)

    def chains(self, under_con_id: int, at: datetime) -> list[OptionChain]:
        del at
        options = [item.contract for item in self._contracts.values() if item.under_con_id == under_con_id]
        if not options:
            return []
        strikes = tuple(sorted({item.strike for item in options if item.strike}))
        expirations = tuple(f"{day:%Y%m%d}" for day in DAYS)
        return [OptionChain("SMART", under_con_id, options[0].trading_class, 100, expirations, strikes)]

    def quote(self, con_id: int, at: datetime) -> Quote | None:
        if self.quote_hook is not None:
            self.quote_hook(at)
        if con_id not in self._contracts:
            return None
        bid, ask = self.quotes.get(con_id, (None, None))
        sizes = tuple(0.0 if side is None else size for side, size in zip((bid, ask), self.sizes[con_id], strict=True))
        return Quote(con_id, at, bid, ask, *sizes, last=self._last(con_id, at))

    def greeks(self, con_id: int, at: datetime, price: float | None = None) -> Greeks | None:
        del at, price
        if con_id not in self._contracts or self._contracts[con_id].contract.strike is None:
            return None
        return Greeks(0.2, -0.25, 0.01, 1.5, -0.5, 1.1, 4700.0)

    def statistics(self, con_id: int, at: datetime) -> DayStatistics:
        last = self._last(con_id, at)
        return DayStatistics(last, last, last, last, 100.0) if last else DayStatistics(None, None, None, 1.1, 0.0)

    def candles(self, con_id: int, seconds: int, since: datetime, until: datetime, show: Show) -> list[Candle]:
        """The price rises a hundredth a second, so that every bar is known by its times; sides lie a cent away."""
        if show is not Show.TRADES and con_id == SPX:
            return []
        away = {Show.BID: -0.01, Show.ASK: 0.01}.get(show, 0.0)
        found = []
        for session in self.sessions.all():
            start = session.opens
            while start < session.closes:
                closes = min(start + timedelta(seconds=seconds), session.closes)
                if since <= start <= until:
                    end = min(closes, until)
                    first, final = round(self._level(start) + away, 2), round(self._level(end) + away, 2)
                    passed = (end - start).total_seconds()
                    traded = (passed, round((first + final) / 2, 4), int(passed)) if show is Show.TRADES else ()
                    found.append(Candle(start, seconds, first, final, first, final, *traded))
                start = closes
        return found

    def prints(self, con_id: int, after: datetime, until: datetime) -> Sequence[Print]:
        return [row for row in self.tape.get(con_id, ()) if after < row.at <= until]

    def has_tape(self, con_id: int) -> bool:
        return con_id in self.tape

    def halted(self, con_id: int, at: datetime) -> bool:
        del at
        return con_id in self.halts

    def quote_changes(self, con_id: int, after: datetime, until: datetime) -> Sequence[Quote]:
        """A hand-set quote has no history: it is seen at the end of the span."""
        quote = self.quote(con_id, until) if after < until else None
        return [] if quote is None else [quote]

    def is_trading(self, con_id: int, at: datetime, *, outside_rth: bool) -> bool:
        hours = self.hours(con_id, at.astimezone(NEW_YORK).date())
        return any(begins <= at < ends for begins, ends in (hours.trading if outside_rth else hours.liquid))

    def hours(self, con_id: int, day: date) -> TradingHours:
        """Regular hours of the session; stocks also from 04:00 to 20:00."""
        session = self.sessions.on(day)
        if session is None:
            return TradingHours("US/Eastern")
        regular = ((session.opens, session.closes),)
        extended = ((session.at(4, 0), session.at(20, 0)),) if con_id == SPY else regular
        return TradingHours("US/Eastern", extended, regular)

    def head(self, con_id: int) -> datetime | None:
        return self.sessions.all()[0].opens if con_id in self._contracts else None

    def settlement(self, con_id: int, day: date | None = None) -> Decimal | None:
        expiry = day or self._contracts[con_id].contract.expiry
        value = self.settlements.get(expiry) if expiry else None
        return None if value is None else Decimal(str(value))

    def next_event(self, after: datetime) -> datetime | None:
        for session in self.sessions.all():
            if after < session.opens:
                return session.opens
            if after < session.closes:
                seconds = int(after.timestamp())
                following = datetime.fromtimestamp(seconds - seconds % self.step_s + self.step_s, UTC)
                return following if self.end is None or following <= self.end else None
        return None

    def _last(self, con_id: int, at: datetime) -> float | None:
        if con_id == SPX:
            return self._level(at)
        return self.last.get(con_id)

    def _level(self, at: datetime) -> float:
        return round(self.last[SPX] + (at - START).total_seconds() / 100, 2)


def _fits(contract: Contract, query: ContractQuery) -> bool:
    pairs = (
        (query.symbol, contract.symbol),
        (query.sec_type, contract.sec_type.value),
        (query.expiry, f"{contract.expiry:%Y%m%d}" if contract.expiry else ""),
        (query.strike, float(contract.strike or 0)),
        (query.right, contract.right.value if contract.right else ""),
        (query.trading_class, contract.trading_class),
    )
    return all(not asked or asked == actual for asked, actual in pairs)
