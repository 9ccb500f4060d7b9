"""Strategies as people look at them: the types that there are, the instances, what they said and would say now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake, ConfigurationError, NotFound
from htbot.engine.guarding import guarded
from htbot.engine.observation import Fired, Observation
from htbot.engine.recorded_bars import HISTORY_BARS, placed
from htbot.marketdata.tape_bars import TapeCalendar
from htbot.persistence.queries import strategies as counted
from htbot.persistence.queries import trading
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import SignalView
from htbot.persistence.queries.strategies import SignalCount, TradeCount
from htbot.persistence.records import StrategyInstance
from htbot.persistence.repositories import (
    ClosedBarRepository,
    DeskStateRepository,
    EvaluationRepository,
    HistoryNeed,
    SessionRepository,
    StrategyRepository,
)
from htbot.persistence.repositories.desk_state import WORLD_ID
from htbot.services.desk_view import look
from htbot.services.option_instances import with_symbol
from htbot.services.strategies import Strategies, StrategyParts, UnfitSetting, as_json
from htbot.services.strategy_types import type_described, types_in
from htbot.strategies.bar_strategy import BarStrategy
from htbot.strategies.registry import Entry, create_bar

_KINDS: Mapping[str, dict[str, object]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "decimal": {"type": ["string", "number"], "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    "time": {"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"},
    "text": {"type": "string"},
}


@dataclass(frozen=True, slots=True)
class TypeView:
    """A type of strategy: what it does, when it enters and leaves.

    `settings` lists what it takes, each with its `meaning` and `unit`; `json_schema` says the same (2020-12).
    """

    name: str
    instruments: str
    description: str
    enters: str
    leaves: str
    settings_description: str
    settings: list[dict[str, Any]]
    json_schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class InstanceView:
    """An instance, and its last evaluation at market time `as_of`; `why_not` null beside a time: a signal fired.

    `in_force` are all settings, defaults included; null where several instances are listed. `account` null is the main
    one.
    """

    name: str
    type: str
    symbol: str
    minutes: int
    warm_up_bars: int
    settings: dict[str, Any]
    config_hash: str
    enabled: bool
    mode: str
    created_at: datetime
    changed_at: datetime
    as_of: datetime | None = None
    why_not: str | None = None
    in_force: dict[str, Any] | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class StrategyStats:
    """What a strategy has signalled and traded since the record began."""

    strategy: str
    type: str | None
    symbol: str | None
    enabled: bool | None
    signals: SignalCount
    trades: TradeCount


@dataclass(frozen=True, slots=True)
class LookRequest:
    """What is to be tried: an instance by name, or a type on a symbol with settings."""

    name: str | None = None
    type: str | None = None
    symbol: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FiredView:
    """What it did at a closed bar that starts at `bar_start`; `direction` is that of the order it would send."""

    bar_start: datetime
    action: str
    direction: int
    price: float
    reason: str


@dataclass(frozen=True, slots=True)
class LookView:
    """A strategy folded over the stored bars now; nothing is stored and nothing is sent.

    `standing` says in words where it stands after its last bar; `fired` is what it did at the bars of the last session.
    """

    type: str
    symbol: str
    minutes: int
    config_hash: str
    as_of: datetime
    bars: int
    last_bar: datetime
    standing: str
    fired: list[FiredView]


class StrategyReads:
    """Reads of strategies. Every method raises `Retryable` when PostgreSQL does not answer."""

    def __init__(self, parts: StrategyParts) -> None:
        self._parts = parts
        self._strategies = Strategies(parts)

    def types(self) -> list[TypeView]:
        """The types that instances can be made of, and backtests play."""
        return [_type_view(one) for one in types_in(self._parts.catalogue())]

    def require_fit(self, type_name: str, symbol: str, settings: Mapping[str, object]) -> None:
        """A backtest of a type with these settings can be begun.

        Raises:
            NotFound: no strategy of this type.
            UnfitSetting: a setting that does not fit.
        """
        catalogue = self._parts.catalogue()
        type_described(type_name, catalogue)
        entry = catalogue[type_name]
        given = {name: value for name, value in settings.items() if value is not None}
        try:
            entry.config.from_mapping(given if entry.plain else with_symbol(given, symbol))
        except ConfigurationError as error:
            raise UnfitSetting(str(error)) from error

    def instances(self, *, enabled_only: bool = False) -> list[InstanceView]:
        """Every instance by name, or those that are enabled."""
        states = self._strategies.states()
        views = (instance_view(one.instance, one.as_of, one.why_not) for one in states)
        return [view for view in views if view.enabled or not enabled_only]

    def instance(self, name: str) -> InstanceView:
        """One instance with every setting in force.

        Raises:
            NotFound: there is none of this name.
        """
        found, in_force = self._strategies.show(name)
        with self._parts.database.transaction() as session:
            said = EvaluationRepository(session).last_words([found])
        as_of, why_not = said.get(name, (None, None))
        return instance_view(found, as_of, why_not, in_force)

    def stats(self) -> list[StrategyStats]:
        """Counts of every instance, and of every other strategy that has signalled or traded."""
        with self._parts.database.transaction() as session:
            instances = {one.name: one for one in StrategyRepository(session).all()}
            signals, trades = counted.signal_counts(session), counted.trade_counts(session)
        names = sorted(instances.keys() | signals.keys() | trades.keys())
        return [
            StrategyStats(
                strategy=name,
                type=instances[name].type if name in instances else None,
                symbol=instances[name].symbol if name in instances else None,
                enabled=instances[name].enabled if name in instances else None,
                signals=signals.get(name, SignalCount()),
                trades=trades.get(name, TradeCount()),
            )
            for name in names
        ]

    def recent_signals(self, limit: int, strategy: str | None = None) -> list[SignalView]:
        """The last signals of all accounts, newest first."""
        with self._parts.database.transaction() as session:
            return trading.signals(session, Selection(limit=limit), strategy)[::-1]

    def evaluate(self, asked: LookRequest) -> LookView:
        """Fold a strategy over the stored bars of the present world, as an evaluation would.

        Raises:
            CallerMistake: neither an instance nor a type with a symbol is named, it trades options, or itself fails.
            NotFound: there is no such instance, type or history.
            UnfitSetting: a setting that does not fit.
        """
        catalogue = self._parts.catalogue()
        with self._parts.database.transaction() as session:
            type_name, symbol, settings = self._wanted(asked)
            strategy = _plain(type_name, settings, catalogue)
            minutes, most = strategy.inputs.bar_minutes, max(HISTORY_BARS, strategy.inputs.warm_up_bars)
            now = self._now()
            need = HistoryNeed(symbol, minutes, most=most)
            world = DeskStateRepository(session).get(WORLD_ID)
            found = {} if world is None else ClosedBarRepository(session).history(world, [need], now)
            bars = found.get((symbol, minutes), [])
            if not bars:
                raise NotFound(f"there are no {minutes}-minute bars of {symbol}: the desk streams what is enabled")
            first = datetime.fromtimestamp(bars[0].start_s, UTC)
            calendar = _calendar(session, first, now)
        shown, failed = placed(bars, calendar, minutes), dict[str, str]()
        observation = Observation(strategy, 0.0)
        fired = guarded(failed, type_name, lambda: [(bar, observation.show(tape)) for bar, tape in shown])
        if fired is None:
            raise CallerMistake(f"strategy {type_name} fails on these bars: {failed[type_name]}")
        last_session = shown[-1][1].session if shown else 0
        told = [
            _fired_view(bar.start_s, what)
            for bar, what in fired
            if what is not None and what.bar.session == last_session
        ]
        return LookView(
            type=type_name,
            symbol=symbol,
            minutes=minutes,
            config_hash=strategy.config_hash,
            as_of=now,
            bars=len(shown),
            last_bar=datetime.fromtimestamp(bars[-1].start_s, UTC),
            standing=observation.standing(),
            fired=told,
        )

    def _wanted(self, asked: LookRequest) -> tuple[str, str, Mapping[str, object]]:
        if asked.name is not None:
            found, _ = self._strategies.show(asked.name)
            return found.type, asked.symbol or found.symbol, {**found.settings, **asked.settings}
        if asked.type is None or asked.symbol is None:
            raise CallerMistake("name an instance, or a type and a symbol")
        return asked.type, asked.symbol.upper(), asked.settings

    def _now(self) -> datetime:
        host_now = self._parts.host_now()
        return look(self._parts.live, host_now).market_time or host_now


def _plain(type_name: str, settings: Mapping[str, object], catalogue: Mapping[str, Entry]) -> BarStrategy:
    try:
        return create_bar(type_name, settings, catalogue)
    except ConfigurationError as error:
        raise UnfitSetting(str(error)) from error


def instance_view(
    one: StrategyInstance,
    as_of: datetime | None = None,
    why_not: str | None = None,
    in_force: Mapping[str, object] | None = None,
) -> InstanceView:
    """An instance as it is shown."""
    return InstanceView(
        name=one.name,
        type=one.type,
        symbol=one.symbol,
        minutes=one.minutes,
        warm_up_bars=one.warm_up_bars,
        settings={key: as_json(value) for key, value in one.settings.items()},
        config_hash=one.config_hash,
        enabled=one.enabled,
        mode=one.mode,
        created_at=one.created_at,
        changed_at=one.changed_at,
        as_of=as_of,
        why_not=why_not,
        in_force=None if in_force is None else dict(in_force),
        account=one.account,
    )


def json_schema(described: Mapping[str, Any]) -> dict[str, Any]:
    """What a type takes, as JSON Schema; `settings` of `registry.schema` in, an object's schema out."""
    properties = {one["name"]: _property(one) for one in described["settings"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": described["name"],
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _property(setting: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = dict(_KINDS[setting["type"]])
    if setting["optional"]:
        kinds = told["type"]
        told["type"] = [*(kinds if isinstance(kinds, list) else [kinds]), "null"]
    if "choices" in setting:
        told["enum"] = [*setting["choices"], *([None] if setting["optional"] else [])]
    if "low" in setting:
        told |= {"minimum": setting["low"], "maximum": setting["high"]}
    said = ", ".join(part for part in (setting["meaning"], setting["unit"]) if part)
    return {**told, **({"description": said} if said else {}), "default": setting["default"]}


def _type_view(described: Mapping[str, Any]) -> TypeView:
    return TypeView(**described, json_schema=json_schema(described))


def _fired_view(start_s: int, fired: Fired) -> FiredView:
    start = datetime.fromtimestamp(start_s, UTC)
    return FiredView(start, fired.action, int(fired.direction), fired.price, fired.reason)


def _calendar(session: Session, first: datetime, now: datetime) -> TapeCalendar:
    margin = timedelta(days=14)
    return TapeCalendar(SessionRepository(session).between(first.date() - margin, now.date() + margin))
