"""Instances of strategies: added, changed, switched on and off by people. Each act is audited."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from htbot.alerts.wording import error_alert
from htbot.domain.errors import CallerMistake, ConfigurationError, NotFound
from htbot.domain.suggestions import suggestion
from htbot.marketdata.tape_bars import BAR_MINUTES
from htbot.persistence.engine import Database
from htbot.persistence.records import OBSERVE, TRADE, AuditEntry, StrategyInstance
from htbot.persistence.repositories import AuditRepository, EvaluationRepository, StrategyRepository, TradeRepository
from htbot.services.callers import Caller, Conflict
from htbot.services.desk_view import Live, look, market_now
from htbot.services.once import Act, once
from htbot.services.option_instances import with_symbol
from htbot.services.outbox import tell_seldom
from htbot.services.trade_mode import require_mode
from htbot.strategies.config import StrategyConfig
from htbot.strategies.registry import Entry, create, create_bar
from htbot.strategies.vertical_spread import VerticalSpread

ADDED, CHANGED, REMOVED = "strategy.added", "strategy.changed", "strategy.removed"
ENABLED, DISABLED = "strategy.enabled", "strategy.disabled"
EVALUATOR = "evaluator"
MANUAL = VerticalSpread.name
"""The name under which signals by hand are recorded."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9. ]{0,15}")

Catalogue = Callable[[], Mapping[str, Entry]]


class UnfitSetting(ConfigurationError, CallerMistake):
    """A setting that the type of strategy does not take: whoever sent it can send another."""


class NameTaken(Conflict):
    """There is an instance of this name (409)."""


class StillHolds(Conflict):
    """A trade of the instance is not over (409)."""


@dataclass(frozen=True, slots=True)
class StrategyParts:
    """What the service works with. `catalogue` finds the types that there are, `host_now` is wall time.

    `accounts` are those that the settings let the desk trade; empty: the only one of its login.
    """

    database: Database
    live: Live
    catalogue: Catalogue
    host_now: Callable[[], datetime]
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewStrategy:
    """What a person asks for; `settings` are texts or values by name, `account` None is the desk's main one."""

    name: str
    type: str
    symbol: str
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    enabled: bool = False
    mode: str = OBSERVE
    account: str | None = None


@dataclass(frozen=True, slots=True)
class StrategyState:
    """An instance and its last evaluation; `why_not` None beside a time means that a signal fired."""

    instance: StrategyInstance
    as_of: datetime | None = None
    why_not: str | None = None


class Strategies:
    """Every change is one row and one act in the audit log, and counts from the next evaluation on."""

    def __init__(self, parts: StrategyParts) -> None:
        self._parts = parts

    def states(self) -> list[StrategyState]:
        """Every instance by name, with what it said when it was last looked at."""
        with self._parts.database.transaction() as session:
            instances = StrategyRepository(session).all()
            said = EvaluationRepository(session).last_words(instances)
        return [StrategyState(one, *said.get(one.name, (None, None))) for one in instances]

    def show(self, name: str) -> tuple[StrategyInstance, dict[str, object]]:
        """An instance, and every setting in force.

        Raises:
            NotFound: there is no such instance, or its type is gone.
        """
        with self._parts.database.transaction() as session:
            found = self._get(session, name)
        made = fitting(found.type, found.symbol, found.settings, self._parts.catalogue())
        return found, {key: as_json(value) for key, value in made.config.as_fields().items()}

    def add(self, asked: NewStrategy, caller: Caller) -> StrategyInstance:
        """Store a new instance.

        Raises:
            NotFound: no strategy of this type.
            NameTaken: there is an instance of this name.
            CallerMistake: it is no name, the symbol is none, the type has no orders, the settings cannot be traded, or
                the account is not.
            UnfitSetting: a setting that does not fit.
        """
        catalogue = self._parts.catalogue()
        self._require_name(asked.name, catalogue)
        symbol = asked.symbol.strip().upper()
        if not _SYMBOL.fullmatch(symbol):
            raise CallerMistake(f"symbol {asked.symbol!r}: letters and digits, as IB writes it")
        made, at = fitting(asked.type, symbol, asked.settings, catalogue), self._now()
        require_mode(asked.mode, made.config)
        self._require_account(asked.account)
        instance = StrategyInstance(
            name=asked.name,
            type=asked.type,
            symbol=symbol,
            enabled=asked.enabled,
            mode=asked.mode,
            created_at=at,
            changed_at=at,
            account=asked.account,
            **_kept(made, asked.settings),
        )
        with self._parts.database.transaction() as session:

            def work() -> StrategyInstance:
                if not StrategyRepository(session).add(instance):
                    raise NameTaken(f"there is a strategy {asked.name} already: change that one, or take another name")
                self._audit(session, caller, ADDED, _facts(instance))
                return instance

            told = {**dataclasses.asdict(asked), "symbol": symbol}
            if asked.account is None:
                del told["account"]  # the same act as before there were several
            act = Act(ADDED, told, caller, at)
            return once(session, act, StrategyInstance, work)

    def change(
        self, name: str, settings: Mapping[str, object], caller: Caller, unset: Iterable[str] = ()
    ) -> StrategyInstance:
        """Change some settings, and give others their defaults back; its state is folded anew from there on.

        Raises:
            NotFound: there is no such instance.
            UnfitSetting: a setting that does not fit.
            StillHolds: a trade of it is not over.
        """
        catalogue, dropped, at = self._parts.catalogue(), set(unset), self._now()
        act = Act(CHANGED, {"name": name, "settings": settings, "unset": sorted(dropped)}, caller, at)
        with self._parts.database.transaction() as session:

            def work() -> StrategyInstance:
                found = self._get(session, name, lock=True)
                kept = {key: value for key, value in found.settings.items() if key not in dropped}
                _require_known(found.type, dropped, catalogue)
                values = {**kept, **settings}
                made = fitting(found.type, found.symbol, values, catalogue)
                require_mode(found.mode, made.config)
                told = _kept(made, values)
                if told["config_hash"] == found.config_hash and told["settings"] == found.settings:
                    return found
                _require_flat(session, found)
                changed = dataclasses.replace(found, **told, changed_at=at, observed=None)
                StrategyRepository(session).change(changed)
                self._audit(session, caller, CHANGED, {**_facts(changed), "before": dict(found.settings)})
                return changed

            return once(session, act, StrategyInstance, work)

    def switch(self, name: str, caller: Caller, *, enabled: bool) -> StrategyInstance:
        """Enable or disable an instance. One that is enabled begins anew: what it would have held before is forgotten.

        One that trades and is disabled while it holds something enters nothing more; its own exits go on until then.

        Raises:
            NotFound: there is no such instance, or its type is gone.
            UnfitSetting: its settings do not fit its type any more.
        """
        kind, at = ENABLED if enabled else DISABLED, self._now()
        with self._parts.database.transaction() as session:

            def work() -> StrategyInstance:
                found = self._get(session, name, lock=True)
                if found.enabled == enabled:
                    return found
                if enabled:
                    fitting(found.type, found.symbol, found.settings, self._parts.catalogue())
                observed = None if enabled else found.observed
                changed = dataclasses.replace(found, enabled=enabled, changed_at=at, observed=observed)
                StrategyRepository(session).change(changed)
                self._audit(session, caller, kind, _facts(changed))
                return changed

            return once(session, Act(kind, {"name": name}, caller, at), StrategyInstance, work)

    def set_mode(self, name: str, mode: str, caller: Caller) -> StrategyInstance:
        """Watch an instance only, or let it trade; it begins anew.

        Raises:
            NotFound: there is no such instance, or its type is gone.
            CallerMistake: no such mode, or settings that cannot be traded.
            StillHolds: a trade of it is not over.
        """
        act = Act(CHANGED, {"name": name, "mode": mode}, caller, self._now())
        with self._parts.database.transaction() as session:

            def work() -> StrategyInstance:
                found = self._get(session, name, lock=True)
                require_mode(mode, fitting(found.type, found.symbol, found.settings, self._parts.catalogue()).config)
                if found.mode == mode:
                    return found
                _require_flat(session, found)
                changed = dataclasses.replace(found, mode=mode, changed_at=act.at, observed=None)
                StrategyRepository(session).change(changed)
                self._audit(session, caller, CHANGED, _facts(changed))
                return changed

            return once(session, act, StrategyInstance, work)

    def remove(self, name: str, caller: Caller) -> StrategyInstance:
        """Forget an instance; its evaluations and signals stay.

        Raises:
            NotFound: there is no such instance.
            StillHolds: a trade of it is not over.
        """
        with self._parts.database.transaction() as session:

            def work() -> StrategyInstance:
                found = self._get(session, name, lock=True)
                _require_flat(session, found)
                StrategyRepository(session).remove(name)
                self._audit(session, caller, REMOVED, _facts(found))
                return found

            return once(session, Act(REMOVED, {"name": name}, caller, self._now()), StrategyInstance, work)

    def _get(self, session: Session, name: str, *, lock: bool = False) -> StrategyInstance:
        strategies = StrategyRepository(session)
        found = strategies.get(name, lock=lock)
        if found is None:
            names = [one.name for one in strategies.all()]
            raise NotFound(f"there is no strategy {name}: {suggestion(name, names)}")
        return found

    @staticmethod
    def _require_name(name: str, catalogue: Mapping[str, Entry]) -> None:
        if not _NAME.fullmatch(name):
            raise CallerMistake(f"name {name!r}: letters, digits, _ . and -, at most 64, a letter or digit first")
        entry = catalogue.get(name)
        if name == MANUAL or (entry is not None and not entry.plain):
            raise CallerMistake(f"name {name} is that of a strategy on options: take another")

    def _require_account(self, account: str | None) -> None:
        known = dict.fromkeys([*self._parts.accounts, *look(self._parts.live, self._parts.host_now()).accounts])
        if account is not None and account not in known:
            traded = ", ".join(known) or "its login's only one"
            raise CallerMistake(f"account {account}: the desk trades {traded}; others are named in IB_ACCOUNTS")

    def _now(self) -> datetime:
        return market_now(self._parts.live, self._parts.host_now())

    def _audit(self, session: Session, caller: Caller, action: str, facts: Mapping[str, Any]) -> None:
        detail = {name: value for name, value in facts.items() if name != "name"}
        AuditRepository(session).add(AuditEntry(self._now(), caller.actor, action, facts["name"], detail))


def _require_flat(session: Session, instance: StrategyInstance) -> None:
    """What an instance holds leaves by the settings that it was entered with.

    Raises:
        StillHolds: a trade of it is not over.
    """
    live = TradeRepository(session).live(strategy=instance.name) if instance.mode == TRADE else []
    if live:
        told = f"strategy {instance.name} holds trade {live[0].id}: disable it or close the trade, then wait"
        raise StillHolds(told)


@dataclass(frozen=True, slots=True)
class Made:
    """What the type makes of the settings of an instance: its whole configuration, and the bars that it asks for."""

    config: StrategyConfig
    config_hash: str
    minutes: int
    warm_up_bars: int


def fitting(type_name: str, symbol: str, settings: Mapping[str, object], catalogue: Mapping[str, Entry]) -> Made:
    """An instance's configuration, of whatever it trades.

    Raises:
        NotFound: no strategy of this type.
        UnfitSetting: a setting that does not fit.
    """
    entry = catalogue.get(type_name)
    try:
        if entry is None or entry.plain:
            plain = create_bar(type_name, settings, catalogue)
            return Made(plain.config, plain.config_hash, plain.inputs.bar_minutes, plain.inputs.warm_up_bars)
        values = with_symbol(settings, symbol)
        strategy, config = create(type_name, values), entry.config.from_mapping(values)
    except ConfigurationError as error:
        raise UnfitSetting(str(error)) from error
    return Made(config, strategy.config_hash, strategy.needs.bar_minutes, strategy.needs.warm_up_bars)


def give_up(session: Session, instance: StrategyInstance, why: str, at: datetime) -> None:
    """Disable an instance that cannot be evaluated, in the transaction that found out; a person is told."""
    if StrategyRepository(session).disable(instance.name, instance.config_hash, at):
        detail = {**_facts(instance), "enabled": False, "reason": why}
        AuditRepository(session).add(AuditEntry(at, EVALUATOR, DISABLED, instance.name, detail))
        tell_seldom(session, error_alert(f"strategy {instance.name}", f"it is disabled: {why}", at))


def _facts(instance: StrategyInstance) -> dict[str, Any]:
    """What the audit log is told of an instance."""
    return {
        "name": instance.name,
        "type": instance.type,
        "symbol": instance.symbol,
        "settings": dict(instance.settings),
        "config_hash": instance.config_hash,
        "enabled": instance.enabled,
        "mode": instance.mode,
        **({} if instance.account is None else {"account": instance.account}),
    }


def as_json(value: object) -> object:
    """A value of a configuration as JSON, spelled as `from_mapping` takes it."""
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.isoformat("minutes") if isinstance(value, time) else value


def _kept(made: Made, settings: Mapping[str, object]) -> dict[str, Any]:
    """What is stored of them; only those that were given, so that defaults stay defaults."""
    fields = made.config.as_fields()
    if made.minutes not in BAR_MINUTES:
        allowed = ", ".join(str(minutes) for minutes in BAR_MINUTES)
        raise UnfitSetting(f"bars of {made.minutes} min cannot be streamed: {allowed} min can")
    return {
        "minutes": made.minutes,
        "warm_up_bars": made.warm_up_bars,
        "settings": {name: as_json(fields[name]) for name in sorted(settings)},
        "config_hash": made.config_hash,
    }


def _require_known(type_name: str, names: Iterable[str], catalogue: Mapping[str, Entry]) -> None:
    known = [str(one["name"]) for one in catalogue[type_name].config.schema()] if type_name in catalogue else []
    for name in sorted(names):
        if name not in known:
            raise UnfitSetting(f"unknown setting {name}: {suggestion(name, known)}")
