"""What people tell the desk: halt, resume, close, cancel. Each is one durable row, done once per idempotency key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import redis
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake, NotFound, Retryable
from htbot.persistence.engine import Database
from htbot.persistence.queries import watch
from htbot.persistence.records import AuditEntry, CashFlow, Command
from htbot.persistence.repositories import (
    AuditRepository,
    CommandRepository,
    CommandRequest,
    EquityRepository,
    HaltRepository,
    HaltRequest,
    IntentRepository,
    TradeRepository,
)
from htbot.persistence.states import LIVE_TRADE_STATES, CommandState, HaltKind
from htbot.services.command_kinds import (
    CANCEL,
    CLOSE_ALL,
    CLOSE_TRADE,
    CLOSES,
    EVERY_ACCOUNT,
    HALT,
    REDIS_SOURCE,
    RESUME,
)
from htbot.services.desk_line import FLATTEN, DeskLine
from htbot.services.desk_view import DeskView, Live, look, market_now
from htbot.services.kill_switch import FILE_SOURCE, KillSwitch, SwitchStuck
from htbot.services.pin import require_pin

_CONNECTED = "connected"
JOIN_LOCK = "htbot:commands"
"""Whoever makes or joins a close holds this lock, so that two at once become one."""


class Conflict(CallerMistake):
    """The request is well formed and cannot be done in the present state (409)."""


class DeskAway(Conflict):
    """The desk is not running or not connected to the broker (RULINGS 37)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and under which idempotency key (None: no key was given)."""

    actor: str
    key: str | None = None

    def stored_key(self, kind: str) -> str:
        """The key of the row: the caller's own, or one that nobody else has."""
        return f"{kind}:{uuid4()}" if self.key is None else self.key


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command that was taken: by this call, or by an earlier one that it joined."""

    command_id: UUID
    state: str


@dataclass(frozen=True, slots=True)
class HaltAnswer:
    """Whether trading is halted now, and by what; `warning` says what did not work."""

    halted: bool
    by: list[str]
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class CommandParts:
    """What commands work with. `host_now` is wall time; `account` the configured account; `line` the desk's own.

    `pin_digest` is that of the PIN, None when none is set.
    """

    database: Database
    live: Live
    kill_switch: KillSwitch
    account: str | None
    host_now: Callable[[], datetime]
    line: DeskLine
    pin_digest: str | None = None


class Commands:
    """Writes what a person wants; the desk does it."""

    def __init__(self, parts: CommandParts) -> None:
        self._parts = parts

    def halt(self, reason: str, caller: Caller) -> HaltAnswer:
        """Originate nothing from now on. The file comes first: it works with everything else dead.

        Raises:
            Retryable: neither the file nor the row could be written.
        """
        at = self._now()
        reason = _one_line(reason)
        made, problem = False, None
        try:
            made = self._parts.kill_switch.set(reason, caller.actor, at)
        except SwitchStuck as error:
            problem = str(error)
        try:
            answer, repeated = self._halt_row(reason, caller, at, problem)
        except Retryable as error:
            by = [] if problem is not None else [FILE_SOURCE]
            by += [REDIS_SOURCE] if self._ring(reason) else []
            if not by:
                raise Retryable(f"not halted: {problem}; {error}") from error
            return HaltAnswer(halted=True, by=by, warning="; ".join(filter(None, (problem, str(error)))))
        if made and repeated:
            self._parts.kill_switch.clear_ours()
        return answer

    def _ring(self, reason: str) -> bool:
        """Tell the desk through Redis when there is no other way; False when it cannot be told so."""
        try:
            self._parts.live.raise_halt(reason)
        except redis.RedisError:
            return False
        return True

    def _halt_row(self, reason: str, caller: Caller, at: datetime, problem: str | None) -> tuple[HaltAnswer, bool]:
        """The answer, and True when an earlier call with this key had the effect already."""
        with self._parts.database.transaction() as session:
            command, created = take(session, HALT, {"reason": reason}, caller, at)
            if not created:
                return _answer(command), True
            source = caller.actor.partition(":")[0]
            HaltRepository(session).set(HaltRequest(source, reason, caller.actor, at))
            answer = HaltAnswer(halted=True, by=self._sources(session, at), warning=problem)
            self._finish(session, command, at, answer)
            return answer, False

    def resume(self, caller: Caller) -> HaltAnswer:
        """Lift every halt that a person set here. A STOP file made by hand and a tripped breaker stay, and are named.

        Raises:
            Retryable: PostgreSQL does not answer; nothing was lifted.
        """
        at = self._now()
        with self._parts.database.transaction() as session:
            command, created = take(session, RESUME, {}, caller, at)
            if not created:
                return _answer(command)
            rung = REDIS_SOURCE in self._sources(session, at)
            rings = self._silence() if rung else None
            HaltRepository(session).clear(caller.actor, at, kind=HaltKind.HALT)
            self._parts.kill_switch.clear_ours()
            return self._resumed(session, command, at, rings)

    def reset_breaker(self, caller: Caller, pin: str | None) -> HaltAnswer:
        """Lift every trip of the breaker, and nothing else; equity and day are judged from where they stand now.

        Raises:
            PinRefused: without the right PIN (RULINGS 14).
            PinLocked: after five wrong ones within a minute.
            Retryable: PostgreSQL does not answer; nothing was lifted.
        """
        at = self._now()
        require_pin(self._parts.database, self._parts.pin_digest, pin, caller.actor, at)
        with self._parts.database.transaction() as session:
            command, created = take(session, RESUME, {"breaker": True}, caller, at)
            if not created:
                return _answer(command)
            HaltRepository(session).clear(caller.actor, at, kind=HaltKind.BREAKER)
            for before in EquityRepository(session).reset(at):
                detail = {
                    "day": before.day,
                    "daily_pnl_usd": before.daily_pnl_usd,
                    "equity_usd": before.equity_usd,
                    "peak_equity_usd": before.peak_equity_usd,
                }
                entry = AuditEntry(at, caller.actor, "breaker.reset", before.account, detail)
                AuditRepository(session).add(entry)
            return self._resumed(session, command, at, None)

    def _resumed(self, session: Session, command: Command, at: datetime, rings: str | None) -> HaltAnswer:
        """What halts still, after something was lifted."""
        sources = self._sources(session, at)
        warning = "; ".join(filter(None, (self._left(sources), rings))) or None
        answer = HaltAnswer(halted=bool(sources), by=sources, warning=warning)
        self._finish(session, command, at, answer)
        return answer

    def _silence(self) -> str | None:
        """Take the flag out of Redis before the halt that it rang for is lifted; why it may ring again, or None."""
        try:
            self._parts.live.drop_halt()
        except redis.RedisError:
            return "redis does not answer: a halt that stands there will count again"
        return None

    def note_cash_flow(self, amount_usd: Decimal, note: str, account: str | None, caller: Caller) -> CashFlow:
        """A person took money out (negative) or paid it in: the breaker's peak and start move with it.

        Raises:
            CallerMistake: the amount is zero, or no account is known.
            NotFound: there is no such account.
        """
        at = self._now()
        if not amount_usd.is_finite() or amount_usd == 0:
            raise CallerMistake(f"amount {amount_usd}: name dollars, negative for a withdrawal")
        with self._parts.database.transaction() as session:
            desk = look(self._parts.live, self._parts.host_now())
            told = [view.account for view in watch.accounts(session)]
            chosen = account or desk.account or self._parts.account or next(iter(told), None)
            if chosen is None:
                raise CallerMistake("no account is known yet: name one with --account")
            self._require_account(session, chosen, desk)
            flow = CashFlow(chosen, at, amount_usd, _one_line(note), caller.actor)
            EquityRepository(session).add_flow(flow)
            detail = {"amount_usd": amount_usd, "note": flow.note}
            AuditRepository(session).add(AuditEntry(at, caller.actor, "cash_flow", chosen, detail))
        return flow

    def _left(self, sources: list[str]) -> str | None:
        if FILE_SOURCE in sources:
            return f"still halted: {self._parts.kill_switch.path} was made by hand and is removed by hand"
        return f"still halted by {', '.join(sources)}" if sources else None

    def _sources(self, session: Session, at: datetime) -> list[str]:
        rows = [halt.source for halt in HaltRepository(session).active(at) if halt.source != FILE_SOURCE]
        return [*rows, FILE_SOURCE] if self._parts.kill_switch.present() else rows

    def close(self, scope: str, caller: Caller) -> Accepted:
        """Close every position of an account, or of all: one row, which the desk executes.

        Without a key it joins a close of the same scope, or of everything, that is under way. With PostgreSQL dead the
        desk is told directly, and promises it in its journal (RULINGS 1).

        Raises:
            NotFound: there is no such account.
            DeskAway: nobody is there to execute it.
            Conflict: the key was used for another command.
            Retryable: neither PostgreSQL nor the desk answers.
        """
        try:
            return self._close_by_row(scope, caller)
        except Retryable:
            told = self._parts.line.ask({"do": FLATTEN, "scope": scope, "key": caller.key, "by": caller.actor})
            return Accepted(UUID(told["command_id"]), str(told["state"]))

    def _close_by_row(self, scope: str, caller: Caller) -> Accepted:
        at = self._now()
        with self._parts.database.transaction() as session:
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext(JOIN_LOCK))))
            if caller.key is None:
                for running in CommandRepository(session).open(CLOSE_ALL):
                    if running.params.get("scope") in {scope, EVERY_ACCOUNT}:
                        return Accepted(running.id, running.state.value)
            command, created = take(session, CLOSE_ALL, {"scope": scope}, caller, at)
            if created:
                desk = self._require_desk()
                self._require_account(session, scope, desk)
                self._audit(session, caller, CLOSE_ALL, scope, at)
        return Accepted(command.id, command.state.value)

    def close_trade(self, trade_id: str, caller: Caller) -> Accepted:
        """Close one trade, an entry of it that still works included: one row, which the desk executes.

        Without a key it joins a close of this trade, of its account or of everything that is under way.

        Raises:
            NotFound: there is no such trade.
            DeskAway: nobody is there to execute it.
            Conflict: the trade is over, or the key was used for another command.
        """
        at = self._now()
        with self._parts.database.transaction() as session:
            session.execute(select(func.pg_advisory_xact_lock(func.hashtext(JOIN_LOCK))))
            trade = TradeRepository(session).get(trade_id)
            if trade is None:
                raise NotFound(f"there is no trade {trade_id}: `htbot trades` lists them")
            scopes = [{"trade": trade_id}, {"scope": trade.account}, {"scope": EVERY_ACCOUNT}]
            if caller.key is None:
                for running in CommandRepository(session).open():
                    if running.kind in CLOSES and running.params in scopes:
                        return Accepted(running.id, running.state.value)
            command, created = take(session, CLOSE_TRADE, {"trade": trade_id}, caller, at)
            if created:
                if trade.state not in LIVE_TRADE_STATES:
                    raise Conflict(f"trade {trade_id} is over: it is {trade.state}")
                self._require_desk()
                self._audit(session, caller, CLOSE_TRADE, trade_id, at)
        return Accepted(command.id, command.state.value)

    def cancel(self, ref: str, caller: Caller) -> Accepted:
        """Cancel the working order of a reference.

        Raises:
            NotFound: there is no such order.
            DeskAway: nobody is there to execute it.
            Conflict: the key was used for another command.
        """
        at = self._now()
        with self._parts.database.transaction() as session:
            command, created = take(session, CANCEL, {"ref": ref}, caller, at)
            if created:
                self._require_desk()
                if ref != EVERY_ACCOUNT and IntentRepository(session).get(ref) is None:
                    raise NotFound(f"there is no order {ref}: `htbot orders` lists them")
                self._audit(session, caller, CANCEL, ref, at)
        return Accepted(command.id, command.state.value)

    def _finish(self, session: Session, command: Command, at: datetime, answer: HaltAnswer) -> None:
        result = {"halted": answer.halted, "by": answer.by, "warning": answer.warning}
        CommandRepository(session).advance(command.id, CommandState.PENDING, CommandState.DONE, at, result)
        subject = str(command.params.get("reason", "breaker" if "breaker" in command.params else ""))
        AuditRepository(session).add(AuditEntry(at, command.requested_by, command.kind, subject, result))

    def _audit(self, session: Session, caller: Caller, action: str, subject: str, at: datetime) -> None:
        AuditRepository(session).add(AuditEntry(at, caller.actor, action, subject, {"key": caller.key}))

    def _require_desk(self) -> DeskView:
        return require_desk(look(self._parts.live, self._parts.host_now()))

    def _require_account(self, session: Session, scope: str, desk: DeskView) -> None:
        known = {view.account for view in watch.accounts(session)} | {*desk.accounts, self._parts.account}
        if scope != EVERY_ACCOUNT and scope not in known:
            raise NotFound(f"there is no account {scope}: `htbot status` names the one that is traded")

    def _now(self) -> datetime:
        return market_now(self._parts.live, self._parts.host_now())


def require_desk(desk: DeskView) -> DeskView:
    """The desk, unless it is known to be unable to act; with Redis away nobody knows, and the row will be read.

    Raises:
        DeskAway: it does not run, or has no session with the broker.
    """
    if desk.state == "not running" or (desk.state == "running" and desk.connection != _CONNECTED):
        raise DeskAway(f"the desk cannot act now ({desk.connection}): nothing was sent, try again once it is connected")
    return desk


def take(session: Session, kind: str, params: Mapping[str, Any], caller: Caller, at: datetime) -> tuple[Command, bool]:
    """The command of a caller's key, and True when this call made it.

    Raises:
        Conflict: the key was used for another command before.
    """
    request = CommandRequest(caller.stored_key(kind), kind, caller.actor, at, params)
    try:
        return CommandRepository(session).create(request)
    except CallerMistake as error:
        raise Conflict(str(error)) from error


def _one_line(reason: str) -> str:
    """What a person typed, fit for a file, a row and a log line."""
    readable = reason.encode("utf-8", "replace").decode()
    return (
        " ".join("".join(letter if letter.isprintable() else " " for letter in readable).split()) or "no reason given"
    )


def _answer(command: Command) -> HaltAnswer:
    """What the first call with this key was told."""
    told = command.result
    return HaltAnswer(halted=bool(told["halted"]), by=list(told["by"]), warning=told["warning"])
