"""Instances of strategies: on plain instruments, and on options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from psycopg2.extras import execute_values
from sqlalchemy import BigInteger, ColumnElement, and_, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from htbot.persistence.records import TRADE, Observation, StrategyInstance
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.strategies import StrategyRow
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import LIVE_TRADE_STATES
from htbot.strategies.kinds import ON_OPTIONS

_PAGE = 1000
_OBSERVE = """
UPDATE strategies SET world_id = told.world_id, first_bar = told.first_bar, observed_since = told.since
FROM (VALUES %s) AS told (name, config_hash, world_id, first_bar, since)
WHERE strategies.name = told.name AND strategies.config_hash = told.config_hash
"""


_LIVE = select(TradeRow.id).where(TradeRow.strategy == StrategyRow.name, TradeRow.state.in_(LIVE_TRADE_STATES))
_HOLDS = and_(StrategyRow.mode == TRADE, _LIVE.exists())
_LOOKED_AT = or_(StrategyRow.enabled, _HOLDS)
_PLAIN = StrategyRow.type.not_in(sorted(ON_OPTIONS))


class StrategyRepository(Repository):
    """What is watched, with which settings."""

    def add(self, instance: StrategyInstance) -> bool:
        """Store an instance; False when its name is taken."""
        statement = insert(StrategyRow).values(name=instance.name, created_at=instance.created_at, **_fields(instance))
        return self._count(statement.on_conflict_do_nothing()) == 1

    def get(self, name: str, *, lock: bool = False) -> StrategyInstance | None:
        """One instance; `lock` keeps others from changing it until the transaction ends."""
        query = select(StrategyRow).where(StrategyRow.name == name)
        return self._first(query.with_for_update() if lock else query, instance_of)

    def all(self) -> list[StrategyInstance]:
        """Every instance, by name."""
        return self._all(select(StrategyRow).order_by(StrategyRow.name), instance_of)

    def looked_at(self, part: int = 1, parts: int = 1, *, holding: bool = False) -> list[StrategyInstance]:
        """Plain ones of one part of the symbols that are looked at; a symbol is always in the same part, from 1 on.

        Those are the enabled ones, and those that were disabled while they hold something: for their exits. `holding`:
        only those that trade and hold something.
        """
        query = select(*_COLUMNS).where(_PLAIN, _HOLDS if holding else _LOOKED_AT).order_by(StrategyRow.name)
        if parts > 1:
            query = query.where(_part_of(parts) == part - 1)
        return [_of_columns(row) for row in self._session.execute(query)]

    def any_looked_at(self, *, holding: bool = False) -> bool:
        """Whether any plain one is watched at all; `holding`: whether one that trades holds something."""
        found = select(StrategyRow.name).where(_PLAIN, _HOLDS if holding else _LOOKED_AT).exists()
        return bool(self._session.scalar(select(found)))

    def on_options(self, *, holding: bool = False) -> list[StrategyInstance]:
        """Enabled instances on options, by name; `holding`: those too that were disabled while they hold something."""
        query = select(*_COLUMNS).where(~_PLAIN, _LOOKED_AT if holding else StrategyRow.enabled)
        return [_of_columns(row) for row in self._session.execute(query.order_by(StrategyRow.name))]

    def of_different_hours(self) -> list[StrategyInstance]:
        """Of the instances that may trade the first by name of each type with each entry window that is set."""
        window = (StrategyRow.settings["entry_start"].astext, StrategyRow.settings["entry_end"].astext)
        named = select(func.min(StrategyRow.name)).where(StrategyRow.enabled, StrategyRow.mode == TRADE)
        first = named.group_by(StrategyRow.type, *window)
        return self._all(select(StrategyRow).where(StrategyRow.name.in_(first)).order_by(StrategyRow.name), instance_of)

    def series(self) -> dict[tuple[str, int], int]:
        """What is to be streamed for them: symbol and minutes, with the most bars that one of them warms up on."""
        query = (
            select(StrategyRow.symbol, StrategyRow.minutes, func.max(StrategyRow.warm_up_bars))
            .where(_LOOKED_AT)
            .group_by(StrategyRow.symbol, StrategyRow.minutes)
            .order_by(StrategyRow.symbol, StrategyRow.minutes)
        )
        return {(symbol, minutes): bars for symbol, minutes, bars in self._session.execute(query)}

    def traded(self) -> set[str]:
        """Symbols whose shares instances that are looked at trade."""
        query = select(StrategyRow.symbol).where(_PLAIN, _LOOKED_AT, StrategyRow.mode == TRADE)
        return set(self._session.scalars(query))

    def change(self, instance: StrategyInstance) -> bool:
        """Store an instance anew; False when there is none of its name."""
        statement = update(StrategyRow).where(StrategyRow.name == instance.name).values(**_fields(instance))
        return self._count(statement) == 1

    def remove(self, name: str) -> bool:
        """Forget an instance; its evaluations and signals stay."""
        return self._count(StrategyRow.__table__.delete().where(StrategyRow.name == name)) == 1  # type: ignore[attr-defined]

    def disable(self, name: str, config_hash: str, at: datetime) -> bool:
        """Switch an instance off; False when it is off, or has other settings by now."""
        is_it = (StrategyRow.name == name, StrategyRow.config_hash == config_hash, StrategyRow.enabled)
        return self._count(update(StrategyRow).where(*is_it).values(enabled=False, changed_at=at)) == 1

    def observe(self, observed: Mapping[str, tuple[str, Observation]]) -> None:
        """Note from where instances are folded, by name with the hash of their settings, in bulk."""
        rows = [
            (name, config_hash, one.world_id, one.first_bar, one.since)
            for name, (config_hash, one) in sorted(observed.items())
        ]
        cursor = self._session.connection().connection.cursor()
        try:
            for at in range(0, len(rows), _PAGE):
                page = rows[at : at + _PAGE]
                execute_values(
                    cursor, _OBSERVE, page, "(%s, %s, %s, %s::timestamptz, %s::timestamptz)", page_size=len(page)
                )
        finally:
            cursor.close()


_COLUMNS = (
    StrategyRow.name,
    StrategyRow.type,
    StrategyRow.symbol,
    StrategyRow.minutes,
    StrategyRow.warm_up_bars,
    StrategyRow.settings,
    StrategyRow.config_hash,
    StrategyRow.enabled,
    StrategyRow.mode,
    StrategyRow.created_at,
    StrategyRow.changed_at,
    StrategyRow.world_id,
    StrategyRow.first_bar,
    StrategyRow.observed_since,
    StrategyRow.account,
)
_NAMES = tuple(column.key for column in _COLUMNS)


def _part_of(parts: int) -> ColumnElement[int]:
    """A number below `parts`, the same for a symbol in every process."""
    return (cast(func.hashtext(StrategyRow.symbol), BigInteger) + (1 << 31)) % parts


def _fields(instance: StrategyInstance) -> dict[str, Any]:
    """What may change of an instance."""
    observed = instance.observed
    return {
        "type": instance.type,
        "symbol": instance.symbol,
        "minutes": instance.minutes,
        "warm_up_bars": instance.warm_up_bars,
        "settings": dict(instance.settings),
        "config_hash": instance.config_hash,
        "enabled": instance.enabled,
        "mode": instance.mode,
        "account": instance.account,
        "changed_at": instance.changed_at,
        "world_id": None if observed is None else observed.world_id,
        "first_bar": None if observed is None else observed.first_bar,
        "observed_since": None if observed is None else observed.since,
    }


def instance_of(row: StrategyRow) -> StrategyInstance:
    """The instance that a row is of."""
    return _of_columns(tuple(getattr(row, name) for name in _NAMES))


def _of_columns(row: Iterable[Any]) -> StrategyInstance:
    told = dict(zip(_NAMES, row, strict=True))
    place = [told.pop(name) for name in ("world_id", "first_bar", "observed_since")]
    return StrategyInstance(**told, observed=None if place[0] is None else Observation(*place))
