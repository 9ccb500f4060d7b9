"""The one snapshot per instant that the desk publishes and every decision of it reads (ARCHITECTURE section 2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from htbot.domain.accounts import NO_FIGURES, AccountFigures
from htbot.domain.bars import Bar
from htbot.domain.instruments import Right
from htbot.domain.quotes import Quote


@dataclass(frozen=True, slots=True)
class ListedOption:
    """One option that the broker lists for an expiry."""

    con_id: int
    expiry: date
    strike: Decimal
    right: Right
    trading_class: str


@dataclass(frozen=True, slots=True)
class OpenBar:
    """The bar that is still being made. `seen_*` are the extremes since the desk (re)started watching (RULINGS 2)."""

    bar: Bar
    seen_high: float | None
    seen_low: float | None


@dataclass(frozen=True, slots=True)
class AccountState:
    """What a decision for an account reads besides the market: the broker's figures, and whether entries may leave.

    Dollars; None while the broker has not told them.
    """

    net_liquidation: Decimal | None = None
    buying_power: Decimal | None = None
    figures: AccountFigures = NO_FIGURES
    trading_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything quoted at one market time (`as_of`, aware UTC) for one underlying.

    `options` is the listed chain of the session's expiry around the spot, ordered by strike; `quotes` is keyed by
    contract id and holds the underlying and every streamed option; `net_liquidation` and `buying_power` are None while
    the broker has not told them, `figures` are its other account values. `watching_since` is when the desk began (or
    resumed) watching without a gap. `shares` are the stocks and funds that strategies trade: contract ids by symbol;
    `shortable` is how many of them can be borrowed, as far as the broker has told. `account` is the main one; `others`
    are those that the desk trades beside it, which `of_account` puts in its place.
    """

    as_of: datetime
    world_id: str
    account: str
    symbol: str
    underlying_con_id: int
    spot: float | None
    last_closed: OpenBar | None
    open_bar: OpenBar | None
    options: tuple[ListedOption, ...] = ()
    quotes: Mapping[int, Quote] = field(default_factory=dict)
    net_liquidation: Decimal | None = None
    buying_power: Decimal | None = None
    connected: bool = True
    trading_enabled: bool = True
    watching_since: datetime | None = None
    figures: AccountFigures = NO_FIGURES
    shares: Mapping[str, int] = field(default_factory=dict)
    shortable: Mapping[str, float] = field(default_factory=dict)
    others: Mapping[str, AccountState] = field(default_factory=dict)

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account that the desk trades, the main one first."""
        return (self.account, *self.others)

    def of_account(self, account: str | None) -> Snapshot | None:
        """The same for a decision of another account; None stands for the main one, and is told of one not traded."""
        if account is None or account == self.account:
            return self
        told = self.others.get(account)
        if told is None:
            return None
        return replace(
            self,
            account=account,
            net_liquidation=told.net_liquidation,
            buying_power=told.buying_power,
            figures=told.figures,
            trading_enabled=told.trading_enabled,
        )


def _bar_to_json(watched: OpenBar | None) -> list[object] | None:
    if watched is None:
        return None
    bar = watched.bar
    prices = [bar.open, bar.high, bar.low, bar.close, bar.volume]
    return [bar.symbol, bar.start.isoformat(), bar.minutes, *prices, watched.seen_high, watched.seen_low]


def _bar_from_json(fields: list[object] | None) -> OpenBar | None:
    if fields is None:
        return None
    symbol, start, minutes, *numbers = fields
    prices = [float(str(number)) for number in numbers[:5]]
    seen = [None if number is None else float(str(number)) for number in numbers[5:]]
    bar = Bar(str(symbol), datetime.fromisoformat(str(start)), int(str(minutes)), *prices)
    return OpenBar(bar, *seen)


def _state_to_json(state: AccountState) -> list[object]:
    amounts = [None if one is None else str(one) for one in (state.net_liquidation, state.buying_power)]
    return [*amounts, state.figures.as_texts(), state.trading_enabled]


def _state_from_json(
    net_liquidation: str | None, buying_power: str | None, figures: Mapping[str, str], trading_enabled: bool
) -> AccountState:
    own, lent = (None if text is None else Decimal(text) for text in (net_liquidation, buying_power))
    return AccountState(own, lent, AccountFigures.of_texts(figures), trading_enabled)


def encode(snapshot: Snapshot) -> str:
    """The snapshot as compact JSON text."""
    quotes = [
        [q.con_id, q.as_of.isoformat(), q.bid, q.ask, q.bid_size, q.ask_size, q.last, q.modelled, q.data_type]
        for q in snapshot.quotes.values()
    ]
    options = [
        [option.con_id, option.expiry.isoformat(), str(option.strike), option.right.value, option.trading_class]
        for option in snapshot.options
    ]
    document = {
        "as_of": snapshot.as_of.isoformat(),
        "world_id": snapshot.world_id,
        "account": snapshot.account,
        "symbol": snapshot.symbol,
        "underlying_con_id": snapshot.underlying_con_id,
        "spot": snapshot.spot,
        "last_closed": _bar_to_json(snapshot.last_closed),
        "open_bar": _bar_to_json(snapshot.open_bar),
        "options": options,
        "quotes": quotes,
        "net_liquidation": None if snapshot.net_liquidation is None else str(snapshot.net_liquidation),
        "buying_power": None if snapshot.buying_power is None else str(snapshot.buying_power),
        "connected": snapshot.connected,
        "trading_enabled": snapshot.trading_enabled,
        "watching_since": None if snapshot.watching_since is None else snapshot.watching_since.isoformat(),
        "figures": snapshot.figures.as_texts(),
        "shares": dict(snapshot.shares),
        "shortable": dict(snapshot.shortable),
        "others": {account: _state_to_json(state) for account, state in snapshot.others.items()},
    }
    return json.dumps(document, separators=(",", ":"))


def decode(text: str | bytes) -> Snapshot:
    """The snapshot back from its JSON text."""
    raw = json.loads(text)
    quotes = {con_id: Quote(con_id, datetime.fromisoformat(as_of), *rest) for con_id, as_of, *rest in raw["quotes"]}
    options = tuple(
        ListedOption(con_id, date.fromisoformat(expiry), Decimal(strike), Right(right), trading_class)
        for con_id, expiry, strike, right, trading_class in raw["options"]
    )
    return Snapshot(
        as_of=datetime.fromisoformat(raw["as_of"]),
        world_id=raw["world_id"],
        account=raw["account"],
        symbol=raw["symbol"],
        underlying_con_id=raw["underlying_con_id"],
        spot=raw["spot"],
        last_closed=_bar_from_json(raw["last_closed"]),
        open_bar=_bar_from_json(raw["open_bar"]),
        options=options,
        quotes=quotes,
        net_liquidation=None if raw["net_liquidation"] is None else Decimal(raw["net_liquidation"]),
        buying_power=None if raw["buying_power"] is None else Decimal(raw["buying_power"]),
        connected=raw["connected"],
        trading_enabled=raw["trading_enabled"],
        watching_since=None if raw["watching_since"] is None else datetime.fromisoformat(raw["watching_since"]),
        figures=AccountFigures.of_texts(raw["figures"]),
        shares=raw.get("shares", {}),
        shortable=raw.get("shortable", {}),
        others={account: _state_from_json(*state) for account, state in raw.get("others", {}).items()},
    )
