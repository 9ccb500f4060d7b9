"""Contracts of a world: what a query fits, and the way back from an id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.instruments import Right, SecType
from htbot.domain.recorded import OptionSeries
from htbot.domain.sessions import NEW_YORK
from htbot.market.con_ids import CLASSES_OF, UNDERLYING_OF, option_series, underlying_id
from htbot.market.details import (
    MULTIPLIER,
    future_details,
    option_details,
    parse_occ,
    underlying_details,
)
from htbot.market.futures import ROOTS, future_of, listed_futures
from htbot.market.listing import ExpiryRules, strike_grid
from htbot.market.ports import ContractDetails, ContractQuery, OptionChain
from htbot.market.universe import LISTED

_RIGHTS = {"": None, "0": None, "?": None, "C": Right.CALL, "CALL": Right.CALL, "P": Right.PUT, "PUT": Right.PUT}
_FUTURES = {SecType.FUTURE.value, SecType.CONTINUOUS_FUTURE.value, "FUT+CONTFUT"}
_KEPT_LISTS = 512
_SAME_EXCHANGE = {"ISLAND": "NASDAQ"}


class ContractBook:
    """Everything that can be named in a world.

    Args:
        symbols: underlyings that have prices.
        rules: which expiries are listed.
        reference: price around which strikes are listed on a day (fixed for the day), None without one.
        recorded: options with recorded quotes or trades; always listed until they expire.
        roots: families of futures that have prices.
    """

    def __init__(
        self,
        symbols: Iterable[str],
        rules: ExpiryRules,
        reference: Callable[[str, date], float | None],
        recorded: Iterable[OptionSeries] = (),
        roots: Sequence[str] = (),
    ) -> None:
        self.symbols = tuple(sorted(symbols))
        self._rules = rules
        self._reference = reference
        self._roots = frozenset(roots)
        self._recorded: dict[tuple[str, date], set[tuple[Decimal, Right]]] = {}
        for series in recorded:
            key = (series.trading_class, series.expiry)
            self._recorded.setdefault(key, set()).add((series.strike, series.right))
        self._listed: dict[tuple[str, date], list[date]] = {}
        self._strikes_of: dict[tuple[str, date, date], list[tuple[Decimal, Right]]] = {}
        self._chains: dict[tuple[int, date], list[OptionChain]] = {}
        self._underlyings = {underlying_id(symbol): symbol for symbol in self.symbols}

    def symbol(self, con_id: int) -> str | None:
        """The tape's symbol behind an id, of a future its month's; None for options and strangers."""
        found = self._underlyings.get(con_id)
        if found is None:
            future = future_of(con_id)
            return future.key if future and future.root.name in self._roots else None
        return found

    def contract(self, con_id: int) -> ContractDetails | None:
        """The contract behind an id, listed today or not; None for an underlying that the world does not have."""
        symbol = self._underlyings.get(con_id)
        if symbol is not None:
            return underlying_details(symbol)
        future = future_of(con_id)
        if future is not None:
            return future_details(future) if future.root.name in self._roots else None
        series = option_series(con_id)
        if series is None or UNDERLYING_OF[series.trading_class] not in self.symbols:
            return None
        return self._option(series)

    def details(self, query: ContractQuery, at: datetime) -> list[ContractDetails]:
        """Contracts that a query fits on the New York date of `at`, in order of class, expiry, strike and right."""
        day = at.astimezone(NEW_YORK).date()
        return [row for row in self._by_name(query, day) if _is_traded_as_asked(row, query)]

    def matching(self, pattern: str) -> list[ContractDetails]:
        """Underlyings by symbol, then by the beginning of the symbol, then of a word of the name."""
        wanted = pattern.strip().upper()
        ranked = []
        for symbol in self.symbols if wanted else ():
            row = underlying_details(symbol)
            in_name = any(word.startswith(wanted) for word in row.long_name.upper().replace("-", " ").split())
            if symbol.startswith(wanted) or in_name or row.long_name.upper().startswith(wanted):
                ranked.append((symbol != wanted, not symbol.startswith(wanted), symbol, row))
        return [row for *_, row in sorted(ranked, key=lambda rank: rank[:3])]

    def front_months(self, at: datetime) -> list[ContractDetails]:
        """Of every family of futures the nearest month."""
        day = at.astimezone(NEW_YORK).date()
        roots = (ROOTS[name] for name in sorted(self._roots))
        return [future_details(next(listed_futures(root, day))) for root in roots]

    def chains(self, under_con_id: int, day: date) -> list[OptionChain]:
        """Chains of an underlying on a day, per class and exchange."""
        key = (under_con_id, day)
        if key not in self._chains:
            if len(self._chains) > _KEPT_LISTS:
                self._chains.clear()
            self._chains[key] = self._make_chains(under_con_id, day)
        return self._chains[key]

    def _make_chains(self, under_con_id: int, day: date) -> list[OptionChain]:
        symbol = self._underlyings.get(under_con_id)
        chains = []
        for name in CLASSES_OF.get(symbol, ()) if symbol else ():
            expiries = self._expiries(name, day)
            strikes = sorted({strike for expiry in expiries for strike, _ in self._strikes(name, expiry, day)})
            if not strikes:
                continue
            dates = tuple(f"{self._rules.last_trade(name, expiry):%Y%m%d}" for expiry in expiries)
            chains += [
                OptionChain(exchange, under_con_id, name, MULTIPLIER, dates, tuple(strikes))
                for exchange in ("CBOE", "SMART")
            ]
        return chains

    def _option(self, series: OptionSeries) -> ContractDetails | None:
        recorded = (series.strike, series.right) in self._recorded.get((series.trading_class, series.expiry), ())
        last_trade = self._rules.last_trade(series.trading_class, series.expiry)
        return option_details(series, "recorded" if recorded else self._rules.listing, last_trade)

    def _by_name(self, query: ContractQuery, day: date) -> list[ContractDetails]:
        kind = query.sec_type.upper()
        if query.con_id:
            row = self.contract(query.con_id)
            expiry = row.contract.expiry if row else None
            alive = expiry is None or expiry >= day or query.include_expired
            return [row] if row is not None and alive else []
        if kind == SecType.OPTION:
            return list(self._options(query, day))
        if kind in _FUTURES:
            return list(self._futures(query, day))
        if query.sec_id:
            rows = map(underlying_details, self.symbols)
            return [row for row in rows if (query.sec_id_type.upper(), query.sec_id.upper()) in row.sec_ids]
        return [row for row in self._named(query) if kind in {"", row.contract.sec_type.value}]

    def _named(self, query: ContractQuery) -> list[ContractDetails]:
        """Instruments with a symbol (of a pair its first currency) or a local symbol."""
        name, local = query.symbol.upper(), query.local_symbol.upper()
        keys = [key for key in (local or name, f"{name}.{query.currency.upper()}") if key in self.symbols]
        if not keys and name:
            keys = [key for key in self.symbols if key.startswith(f"{name}.") and key in LISTED]
        rows = [underlying_details(key) for key in keys]
        return [row for row in rows if name in {"", row.contract.symbol}]

    def _futures(self, query: ContractQuery, day: date) -> Iterator[ContractDetails]:
        """Months of the roots that a query names, nearest first; CONTFUT is the nearest one."""
        symbol, name = query.symbol.upper(), query.trading_class.upper()
        continuous = query.sec_type.upper() == SecType.CONTINUOUS_FUTURE
        local = query.local_symbol.upper()
        for root in ROOTS.values():
            named = symbol == root.symbol if symbol else bool(local or name)
            if root.name not in self._roots or not named or name not in {"", root.name}:
                continue
            months = listed_futures(root, day, expired=query.include_expired and not continuous)
            for future in months:
                row = future_details(future)
                expiry = f"{future.expiry:%Y%m%d}"
                if local not in {"", row.local_symbol} or query.multiplier not in {"", str(root.multiplier)}:
                    continue
                if continuous:
                    yield replace(row, contract=replace(row.contract, sec_type=SecType.CONTINUOUS_FUTURE))
                    break
                if query.expiry in {"", expiry, future.contract_month}:
                    yield row

    def _options(self, query: ContractQuery, day: date) -> Iterator[ContractDetails]:
        if query.local_symbol:
            series = parse_occ(query.local_symbol)
            alive = series is not None and (series.expiry >= day or query.include_expired)
            row = self._option(series) if series and alive and self._knows(series) else None
            yield from [row] if row else []
            return
        right_text, strike = query.right.upper(), _strike(query.strike)
        if right_text not in _RIGHTS or strike is None or query.multiplier not in {"", str(MULTIPLIER)}:
            return
        right = _RIGHTS[right_text]
        for name in self._classes(query):
            for expiry in self._expiries(name, day):
                last = self._rules.last_trade(name, expiry)
                if not f"{last:%Y%m%d}".startswith(query.expiry.replace("-", "")[:8]):
                    continue
                for listed, listed_right in self._strikes(name, expiry, day):
                    if right in {None, listed_right} and (not strike or strike == listed):
                        row = self._option(OptionSeries(name, expiry, listed, listed_right))
                        yield from [row] if row else []

    def _knows(self, series: OptionSeries) -> bool:
        return UNDERLYING_OF.get(series.trading_class) in self.symbols

    def _classes(self, query: ContractQuery) -> list[str]:
        symbol, wanted = query.symbol.upper(), query.trading_class.upper()
        if symbol not in self.symbols:
            found = [symbol] if symbol == "SPXW" and "SPX" in self.symbols else []
        else:
            found = list(CLASSES_OF.get(symbol, ()))
        return [name for name in found if wanted in {"", name}]

    def _expiries(self, name: str, day: date) -> list[date]:
        if (name, day) not in self._listed:
            if len(self._listed) > _KEPT_LISTS:
                self._listed.clear()
            recorded = {expiry for traded, expiry in self._recorded if traded == name and expiry >= day}
            self._listed[name, day] = sorted(recorded.union(self._rules.ahead(name, day)))
        return self._listed[name, day]

    def _strikes(self, name: str, expiry: date, day: date) -> list[tuple[Decimal, Right]]:
        """What is listed of an expiry on a day, in order; a day's list does not change."""
        key = (name, expiry, day)
        if key not in self._strikes_of:
            if len(self._strikes_of) > _KEPT_LISTS:
                self._strikes_of.clear()
            self._strikes_of[key] = sorted(self._listed_strikes(name, expiry, day))
        return self._strikes_of[key]

    def _listed_strikes(self, name: str, expiry: date, day: date) -> set[tuple[Decimal, Right]]:
        listed = set(self._recorded.get((name, expiry), ()))
        reference = self._reference(UNDERLYING_OF[name], day)
        if reference is not None and expiry >= day and self._rules.lists(name, expiry):
            listed.update((strike, right) for strike in strike_grid(name, round(reference, 2)) for right in Right)
        return listed


def _is_traded_as_asked(row: ContractDetails, query: ContractQuery) -> bool:
    """Exchange, primary exchange, currency, symbol and class of a query, where they are said."""
    exchanges = row.valid_exchanges.split(",")
    asked = [name.upper() for name in (query.exchange, query.primary_exchange) if name]
    if any(_SAME_EXCHANGE.get(name, name) not in exchanges for name in asked):
        return False
    return query.currency.upper() in {"", row.contract.currency}


def _strike(value: float) -> Decimal | None:
    """A query's strike to a thousandth of a dollar; 0 is 'any', None is nonsense."""
    if not 0.0 <= value < 1e6:
        return None
    return Decimal(str(value)).quantize(Decimal("0.001"))
