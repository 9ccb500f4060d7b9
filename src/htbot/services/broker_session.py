"""The desk's session with the broker as people see and steer it: connect, disconnect, a round trip, what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.persistence.engine import Database
from htbot.persistence.records import AuditEntry
from htbot.persistence.repositories import (
    AuditRepository,
    CommandRepository,
    DeskStateRepository,
    TradeRepository,
)
from htbot.persistence.repositories.desk_state import HELD_BY
from htbot.persistence.states import CommandState
from htbot.services.callers import JOIN_LOCK, Accepted, Caller, Conflict, DeskAway, take
from htbot.services.command_kinds import CONNECT, DISCONNECT, SESSION_KINDS
from htbot.services.desk_data import CONNECTED, DeskData


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """The session in the desk's own words. `held_by` is who keeps it away, null for nobody; unknown is null."""

    connected: bool
    connection: str
    desk: str
    held_by: str | None
    account: str | None
    mode: str | None
    market_time: datetime | None
    heartbeat_age_s: float | None
    trading_enabled: bool | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One round trip through the desk to the broker and back; `asked` is `time`, or `contract` in a stepped world."""

    asked: str
    round_trip_ms: float
    broker_time: datetime | None


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """Account values by the broker's own names, dollars; what the broker has not told is absent."""

    account: str
    as_of: datetime
    amounts: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class BrokerPosition:
    """What the broker holds of one contract, whoever made it."""

    account: str
    con_id: int
    symbol: str
    sec_type: str
    quantity: int
    expiry: date | None
    strike: Decimal | None
    right: str | None
    multiplier: int


class BrokerSession:
    """Acts are durable commands, which the desk executes; reads are asked of the desk."""

    def __init__(self, database: Database, data: DeskData) -> None:
        self._database = database
        self._data = data

    def status(self) -> BrokerStatus:
        """The session as it stands."""
        desk = self._data.view()
        with self._database.transaction() as session:
            held_by = DeskStateRepository(session).get(HELD_BY) or None
        running, clock = desk.state == "running", desk.clock
        return BrokerStatus(
            connected=running and desk.connection == CONNECTED,
            connection=desk.connection,
            desk=desk.state,
            held_by=held_by,
            account=desk.account,
            mode=None if clock is None else clock.mode.value,
            market_time=desk.market_time,
            heartbeat_age_s=desk.heartbeat_age_s,
            trading_enabled=clock.trading_enabled if clock is not None and running else None,
            reason=None if clock is None else clock.reason,
        )

    def connect(self, caller: Caller) -> Accepted:
        """Let the desk back to the broker; harmless when it is there. Done once the session stands.

        Raises:
            DeskAway: no desk runs.
            Conflict: the key was used for another command.
        """
        with self._database.transaction() as session:
            return self._tell(session, CONNECT, {}, caller)

    def disconnect(self, caller: Caller, *, force: bool = False) -> Accepted:
        """Take the desk off the broker until `connect`, also over a restart. Orders at the broker go on.

        Raises:
            DeskAway: no desk runs.
            Conflict: a trade is open that nobody would guard, and `force` is not given; or the key was used before.
        """
        with self._database.transaction() as session:
            return self._tell(session, DISCONNECT, {"force": force}, caller)

    def _tell(self, session: Session, kind: str, params: dict[str, Any], caller: Caller) -> Accepted:
        """One row; the last word counts, so that one that says otherwise and is not done yet is overtaken."""
        desk, commands = self._data.view(), CommandRepository(session)
        at = desk.market_time or self._data.host_now()
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(JOIN_LOCK))))
        waiting = [one for one in commands.open() if one.kind in SESSION_KINDS]
        if caller.key is None:
            for one in waiting:
                if (one.kind, one.params) == (kind, params):
                    return Accepted(one.id, one.state.value)
        command, created = take(session, kind, params, caller, at)
        if created:
            if kind == DISCONNECT and not params["force"]:
                _require_guarded(session)
            if desk.state == "not running":
                raise DeskAway("the desk is not running: ./restart.sh starts it")
            for one in waiting:
                commands.advance(one.id, one.state, CommandState.FAILED, at, {"why": f"overtaken by {command.id}"})
            AuditRepository(session).add(AuditEntry(at, caller.actor, f"broker.{kind}", kind, params))
        return Accepted(command.id, command.state.value)

    def test(self) -> RoundTrip:
        """One round trip. Raises as `DeskData.get` does."""
        told = self._data.get("ping")
        at = told["broker_time"]
        return RoundTrip(told["asked"], told["round_trip_ms"], None if at is None else datetime.fromisoformat(at))

    def account(self, asked: str | None = None) -> BrokerAccount:
        """What the broker tells now of an account that is traded, by default the main one.

        Raises as `DeskData.get` does.
        """
        told = self._data.get("account", **({} if asked is None else {"account": asked}))
        amounts = {tag: Decimal(amount) for tag, amount in told["amounts"].items()}
        return BrokerAccount(told["account"], datetime.fromisoformat(told["as_of"]), amounts)

    def positions(self) -> list[BrokerPosition]:
        """What the broker holds now in every account of the login. Raises as `DeskData.get` does."""
        return [
            BrokerPosition(
                account=one["account"],
                con_id=one["con_id"],
                symbol=one["symbol"],
                sec_type=one["sec_type"],
                quantity=one["quantity"],
                expiry=None if one["expiry"] is None else date.fromisoformat(one["expiry"]),
                strike=None if one["strike"] is None else Decimal(one["strike"]),
                right=one["right"],
                multiplier=one["multiplier"],
            )
            for one in self._data.get("positions")
        ]

    def compare(self) -> datetime:
        """Have books and broker compared now; the market time at which it was asked. Raises as `DeskData.get` does."""
        return datetime.fromisoformat(self._data.get("compare")["asked_at"])


def _require_guarded(session: Session) -> None:
    """Leave no open trade alone. Asked for a new command only: a key that was used has its answer.

    Raises:
        Conflict: a trade is open.
    """
    live = [trade.id for trade in TradeRepository(session).live()]
    if live:
        raise Conflict(f"nobody would guard {', '.join(live)}: close first, or send force")
