"""What every repository does with a session: read fresh rows, and say whether a write took hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CursorResult,
    Enum,
    Executable,
    Select,
    Table,
    TableValuedAlias,
    Text,
    and_,
    bindparam,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.types import TypeEngine

from htbot.domain.sessions import NEW_YORK

RowT = TypeVar("RowT")
NounT = TypeVar("NounT")


def on_day(
    column: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None], day: date
) -> ColumnElement[bool]:
    """SQL condition: the instant falls on a New York day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
    return and_(column >= midnight, column < midnight + timedelta(days=1))


def told_rows(kinds: Mapping[str, TypeEngine[Any]]) -> TableValuedAlias:
    """Rows of parameters (`told_columns`) as a table: one statement for as many of them as there are."""
    arrays = [bindparam(f"told_{name}", type_=ARRAY(kind)) for name, kind in kinds.items()]
    columns = [column(name, kind) for name, kind in kinds.items()]
    return func.unnest(*arrays).table_valued(*columns, name="told").render_derived()


def told_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The parameters of `told_rows`."""
    return {f"told_{name}": [row[name] for row in rows] for name in rows[0]}


def insert_told(table: Table, where: Callable[[TableValuedAlias], ColumnElement[bool]] | None = None) -> Insert:
    """An INSERT of whole rows that come as `told_columns`, of those of which a condition holds."""
    # words travel as text: an array of an enumeration would be checked in Python, value by value
    kinds: dict[str, TypeEngine[Any]] = {
        each.name: Text() if isinstance(each.type, Enum) else each.type for each in table.columns
    }
    told = told_rows(kinds)
    query = select(told) if where is None else select(told).where(where(told))
    return insert(table).from_select(list(kinds), query)


class Repository:
    """A repository lives as long as its session: one unit of work."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def _all(
        self, query: Select[RowT], to_noun: Callable[[RowT], NounT], parameters: Mapping[str, Any] | None = None
    ) -> list[NounT]:
        fresh = {"populate_existing": True}
        rows: Sequence[RowT] = self._session.scalars(query, parameters, execution_options=fresh).all()
        return [to_noun(row) for row in rows]

    def _first(self, query: Select[RowT], to_noun: Callable[[RowT], NounT]) -> NounT | None:
        row = self._session.scalars(query.limit(1), execution_options={"populate_existing": True}).first()
        return None if row is None else to_noun(row)

    def _read(
        self, query: Select[Any], to_noun: Callable[[Any], NounT], parameters: Mapping[str, Any] | None = None
    ) -> list[NounT]:
        """The same of a query on tables: without objects between a row and its noun, for what is read often."""
        return [to_noun(row) for row in self._session.execute(query, parameters)]

    def _count(self, statement: Executable, parameters: Mapping[str, Any] | None = None) -> int:
        """Rows that a write touched."""
        result: CursorResult[Any] = self._session.execute(  # type: ignore[assignment]
            statement, parameters, execution_options={"synchronize_session": False}
        )
        return result.rowcount
