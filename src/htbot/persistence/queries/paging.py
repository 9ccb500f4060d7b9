"""Pages of long lists: the next page begins behind the last row of this one, whatever has been inserted meanwhile."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from htbot.domain.errors import CallerMistake

RowT = TypeVar("RowT")
ViewT = TypeVar("ViewT")
_NO_CURSOR = "cursor: it is none of this list with these filters; begin without one, and take `next` as it is"
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[ViewT]):
    """Some of a list; `next` asks for what follows, null at the end."""

    items: list[ViewT]
    next: str | None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """At most `limit` rows, behind the row that `cursor` names (None: from the beginning)."""

    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Keyset:
    """The order of a list: columns that together are unique with the kinds of their values, newest first by default."""

    columns: tuple[InstrumentedAttribute[Any], ...]
    kinds: tuple[type, ...]
    newest_first: bool = True

    def page(
        self, session: Session, query: Select[Any], asked: PageRequest, filters: object
    ) -> tuple[list[Any], str | None]:
        """Rows of a page and the cursor of the next one; `filters` are what the query's conditions were made of.

        Raises:
            CallerMistake: the cursor is none of this list with these filters.
        """
        stamp = self._stamp(filters)
        if asked.cursor is not None:
            query = query.where(self._behind(self._read(asked.cursor, stamp)))
        order = [column.desc() if self.newest_first else column.asc() for column in self.columns]
        rows = list(session.scalars(query.order_by(*order).limit(asked.limit + 1)).all())
        more = len(rows) > asked.limit
        rows = rows[: asked.limit]
        return rows, self._write(rows[-1], stamp) if more else None

    def _behind(self, values: Sequence[Any]) -> ColumnElement[bool]:
        told = [literal(value, column.type) for value, column in zip(values, self.columns, strict=True)]
        mine, theirs = tuple_(*self.columns), tuple_(*told)
        return mine < theirs if self.newest_first else mine > theirs

    def _stamp(self, filters: object) -> str:
        """What tells two lists, and two sets of filters, apart."""
        identity = f"{[str(column) for column in self.columns]}|{filters!r}"
        return hashlib.sha256(identity.encode()).hexdigest()[:12]

    def _write(self, row: Any, stamp: str) -> str:
        values = [getattr(row, column.key) for column in self.columns]
        told = [value.isoformat() if isinstance(value, datetime) else value for value in values]
        return base64.urlsafe_b64encode(json.dumps([stamp, *told]).encode()).decode().rstrip("=")

    def _read(self, cursor: str, stamp: str) -> list[Any]:
        try:
            text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            theirs, *values = json.loads(text)
            read = [_value(kind, one) for kind, one in zip(self.kinds, values, strict=True)]
        except (ValueError, TypeError, LookupError, RecursionError, binascii.Error) as error:
            raise CallerMistake(_NO_CURSOR) from error
        if theirs != stamp:
            raise CallerMistake(_NO_CURSOR)
        return read


def _value(kind: type, told: Any) -> Any:
    if kind is datetime:
        instant = datetime.fromisoformat(told)
        if instant.tzinfo is None:
            raise ValueError("a time without zone")
        return instant
    if isinstance(told, bool) or not isinstance(told, kind):
        raise ValueError("of another kind")  # noqa: TRY004 - a cursor that was tampered with, not a mistake of ours
    if isinstance(told, int) and abs(told) > _LARGEST:
        raise ValueError("no such number")
    if isinstance(told, str) and "\x00" in told:
        raise ValueError("no such text")
    return told


def page_of(rows: tuple[list[RowT], str | None], view: Callable[[RowT], ViewT]) -> Page[ViewT]:
    """The page of a page's rows."""
    return Page([view(row) for row in rows[0]], rows[1])
