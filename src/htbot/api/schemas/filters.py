"""Query parameters that several endpoints take: bounded, and described once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from htbot.domain.alerts import Severity
from htbot.domain.orders import OrderState, Purpose
from htbot.execution.disagreement import Verdict
from htbot.persistence.queries.lists import Filters
from htbot.persistence.queries.paging import PageRequest
from htbot.persistence.states import HaltKind

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2100, 1, 1)


def _known_day(day: date) -> date:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"a day from {FIRST_DAY} to {LAST_DAY}")
    return day


def _known_instant(instant: datetime) -> datetime:
    """In UTC; a time that no calendar here knows is refused before anything is added to it."""
    if not FIRST_DAY <= instant.date() <= LAST_DAY:
        raise ValueError(f"a time from {FIRST_DAY} to {LAST_DAY}, with its zone")
    return instant.astimezone(UTC)


KnownDay = Annotated[date, AfterValidator(_known_day)]
KnownInstant = Annotated[AwareDatetime, AfterValidator(_known_instant)]
DayOrInstant = Annotated[KnownInstant | KnownDay, Field(union_mode="left_to_right")]

Day = Annotated[KnownDay | None, Query(description="session day, New York; default: any")]


AccountQuery = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9._-]{1,64}$", description="account, or `all`; default: the traded one"),
]
SymbolQuery = Annotated[str | None, Query(pattern=r"^[A-Z0-9][A-Z0-9. ]{0,15}$", description="one underlying")]


class ListQuery(BaseModel):
    """A page of a list; a parameter that is not named is refused, since a misspelled filter must not be ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(100, ge=1, le=500, description="at most so many")
    cursor: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_-]{1,512}$", description="`next` of the page before, as it is"
    )

    @property
    def page(self) -> PageRequest:
        """Which page."""
        return PageRequest(self.limit, self.cursor)

    @property
    def filters(self) -> Filters:
        """Which rows."""
        return Filters(**{name: value for name, value in self if name not in {"limit", "cursor"}})


def _word(description: str, pattern: str = r"^[A-Za-z0-9_.:-]{1,64}$") -> Any:
    return Field(None, pattern=pattern, description=f"{description}; default: any")


ACCOUNT = r"^[A-Za-z0-9._-]{1,64}$"
_SYMBOL = r"^[A-Z0-9][A-Z0-9. ]{0,15}$"


class TimedQuery(ListQuery):
    """A list in the order of time."""

    day: KnownDay | None = Field(None, description="session day, New York; default: any")
    since: KnownInstant | None = Field(None, description="from this market time on, inclusive; with its zone")
    until: KnownInstant | None = Field(None, description="up to this market time, exclusive; with its zone")


class OrdersQuery(ListQuery):
    """Orders."""

    account: str | None = _word("account", ACCOUNT)
    symbol: str | None = _word("underlying", _SYMBOL)
    day: KnownDay | None = Field(None, description="session day, New York; default: any")
    status: OrderState | None = Field(None, description="only in this state")
    working: bool | None = Field(None, description="true: not over yet; false: over")
    purpose: Purpose | None = Field(None, description="entries or exits only")


class PositionsQuery(ListQuery):
    """Positions."""

    account: str | None = _word("account", ACCOUNT)
    symbol: str | None = _word("underlying", _SYMBOL)


class HaltsQuery(ListQuery):
    """Halts and trips."""

    kind: HaltKind | None = Field(None, description="one kind only")
    in_force: bool | None = Field(None, description="true: in force now; false: over")


class AuditQuery(TimedQuery):
    """Acts."""

    action: str | None = _word("an action or its family, as `halt`")
    actor: str | None = _word("one actor, as `rest:first`")


class AlertsQuery(TimedQuery):
    """Messages to people."""

    account: str | None = _word("account; those of none come along", ACCOUNT)
    kind: str | None = _word("kind")
    severity: Severity | None = Field(None, description="one severity only")
    acknowledged: bool | None = Field(None, alias="ack", description="true: acknowledged; false: not yet")


class EvaluationsQuery(TimedQuery):
    """Looks of strategies."""

    strategy: str | None = _word("strategy")
    account: str | None = _word("account", ACCOUNT)
    symbol: str | None = _word("symbol", _SYMBOL)
    fired: bool | None = Field(None, description="true: a signal fired; false: nothing happened")


class InstancesQuery(ListQuery):
    """Instances of strategies."""

    kind: str | None = Field(None, alias="type", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="type; default: any")
    symbol: str | None = _word("symbol", _SYMBOL)
    enabled: bool | None = Field(None, description="true: enabled; false: not")
    mode: Literal["observe", "trade"] | None = Field(None, description="one mode only")


class ReconciliationsQuery(TimedQuery):
    """Comparisons with the broker."""

    account: str | None = _word("account", ACCOUNT)
    verdict: Verdict | None = Field(None, description="one verdict only")


class SpanQuery(BaseModel):
    """A span of stored bars. A day is New York's, and as an end it is included; a time needs its zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minutes: int | None = Field(None, ge=1, le=1440, description="length of the bars; default: the shortest stored")
    start: DayOrInstant | None = Field(None, description="first day, or time (inclusive)")
    end: DayOrInstant | None = Field(None, description="last day (inclusive), or time (exclusive)")


class HistoryQuery(SpanQuery):
    """Bars of a span."""

    limit: int = Field(1000, ge=1, le=10_000, description="the newest so many")


class HistoricalQuery(HistoryQuery):
    """The same, or the broker's own bars of the last days, for which start and end do not count."""

    source: Literal["stored", "broker"] = Field("stored", description="what is stored, or the broker asked now")
    days: int = Field(5, ge=1, le=30, description="how many days the broker is asked for")
