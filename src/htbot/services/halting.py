"""Halts of people and their end, and trips of the breaker that a person lifts (RULINGS 13, 14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import redis
from sqlalchemy.orm import Session

from htbot.domain.errors import NotFound, Retryable
from htbot.persistence.engine import Database
from htbot.persistence.queries import watch
from htbot.persistence.records import AuditEntry, Command, Halt
from htbot.persistence.repositories import (
    AuditRepository,
    CommandRepository,
    EquityRepository,
    HaltRepository,
    HaltRequest,
)
from htbot.persistence.states import CommandState, HaltKind
from htbot.services.callers import Caller, one_line, take
from htbot.services.command_kinds import EVERY_ACCOUNT, HALT, REDIS_SOURCE, RESUME
from htbot.services.desk_line import DeskLine
from htbot.services.desk_view import DeskView, Live, look, market_now
from htbot.services.kill_switch import FILE_SOURCE, KillSwitch, SwitchStuck
from htbot.services.pin import require_pin


@dataclass(frozen=True, slots=True)
class HaltAnswer:
    """Whether trading is halted now, and by what; `warning` says what did not work.

    `accounts` are those that are halted while others are not; null: all are, or none is.
    """

    halted: bool
    by: list[str]
    warning: str | None = None
    accounts: list[str] | None = None


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


class Halting:
    """What halts, and what a person lifts."""

    def __init__(self, parts: CommandParts) -> None:
        self._parts = parts

    def halt(self, reason: str, caller: Caller, account: str | None = None) -> HaltAnswer:
        """Originate nothing from now on. The file comes first: it works with everything else dead.

        Args:
            reason: why.
            caller: who.
            account: the one that is halted, by the record alone: neither the file nor Redis can name one. None: all.

        Raises:
            Retryable: neither the file nor the row could be written.
            NotFound: there is no such account.
        """
        at = self._now()
        reason = one_line(reason)
        if account not in {None, EVERY_ACCOUNT}:
            return self._halt_account(reason, caller, at, str(account))
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

    def _halt_account(self, reason: str, caller: Caller, at: datetime, account: str) -> HaltAnswer:
        try:
            return self._halt_row(reason, caller, at, None, account)[0]
        except Retryable as error:
            raise Retryable(f"{account} is not halted, {error}; a halt of all goes without the record") from error

    def _ring(self, reason: str) -> bool:
        """Tell the desk through Redis when there is no other way; False when it cannot be told so."""
        try:
            self._parts.live.raise_halt(reason)
        except redis.RedisError:
            return False
        return True

    def _halt_row(
        self, reason: str, caller: Caller, at: datetime, problem: str | None, account: str | None = None
    ) -> tuple[HaltAnswer, bool]:
        """The answer, and True when an earlier call with this key had the effect already."""
        with self._parts.database.transaction() as session:
            command, created = take(session, HALT, {"reason": reason, **_of(account)}, caller, at)
            if not created:
                return _answer(command), True
            self._require_account(session, account)
            source = caller.actor.partition(":")[0]
            HaltRepository(session).set(HaltRequest(source, reason, caller.actor, at, account=account))
            answer = self._standing(session, at, problem)
            self._finish(session, command, at, answer)
            return answer, False

    def resume(self, caller: Caller, account: str | None = None) -> HaltAnswer:
        """Lift every halt that a person set here. A STOP file made by hand and a tripped breaker stay, and are named.

        Of an `account` its own halts only: one of all accounts stays.

        Raises:
            Retryable: PostgreSQL does not answer; nothing was lifted.
            NotFound: there is no such account.
        """
        at, account = self._now(), None if account == EVERY_ACCOUNT else account
        with self._parts.database.transaction() as session:
            command, created = take(session, RESUME, _of(account), caller, at)
            if not created:
                return _answer(command)
            self._require_account(session, account)
            rung = account is None and any(halt.source == REDIS_SOURCE for halt in self._halts(session, at))
            rings = self._silence() if rung else None
            HaltRepository(session).clear(caller.actor, at, kind=HaltKind.HALT, account=account)
            if account is None:
                self._parts.kill_switch.clear_ours()
            return self._resumed(session, command, at, rings, account)

    def reset_breaker(self, caller: Caller, pin: str | None, account: str | None = None) -> HaltAnswer:
        """Lift every trip of the breaker, and nothing else; equity and day are judged from where they stand now.

        Of an `account` its own trips only.

        Raises:
            PinRefused: without the right PIN (RULINGS 14).
            PinLocked: after five wrong ones within a minute.
            Retryable: PostgreSQL does not answer; nothing was lifted.
            NotFound: there is no such account.
        """
        at, account = self._now(), None if account == EVERY_ACCOUNT else account
        require_pin(self._parts.database, self._parts.pin_digest, pin, caller.actor, at)
        with self._parts.database.transaction() as session:
            command, created = take(session, RESUME, {"breaker": True, **_of(account)}, caller, at)
            if not created:
                return _answer(command)
            self._require_account(session, account)
            HaltRepository(session).clear(caller.actor, at, kind=HaltKind.BREAKER, account=account)
            for before in EquityRepository(session).reset(at, account):
                detail = {
                    "day": before.day,
                    "daily_pnl_usd": before.daily_pnl_usd,
                    "equity_usd": before.equity_usd,
                    "peak_equity_usd": before.peak_equity_usd,
                }
                entry = AuditEntry(at, caller.actor, "breaker.reset", before.account, detail)
                AuditRepository(session).add(entry)
            return self._resumed(session, command, at, None, account)

    def _resumed(
        self, session: Session, command: Command, at: datetime, rings: str | None, account: str | None
    ) -> HaltAnswer:
        """What halts still, after something was lifted; of an account what halts it."""
        left = self._standing(session, at, None, account)
        warning = "; ".join(filter(None, (self._left(left), rings))) or None
        answer = replace(left, warning=warning)
        self._finish(session, command, at, answer)
        return answer

    def _silence(self) -> str | None:
        """Take the flag out of Redis before the halt that it rang for is lifted; why it may ring again, or None."""
        try:
            self._parts.live.drop_halt()
        except redis.RedisError:
            return "redis does not answer: a halt that stands there will count again"
        return None

    def _left(self, left: HaltAnswer) -> str | None:
        if FILE_SOURCE in left.by:
            return f"still halted: {self._parts.kill_switch.path} was made by hand and is removed by hand"
        return f"still halted by {', '.join(left.by)}" if left.by else None

    def _standing(self, session: Session, at: datetime, warning: str | None, account: str | None = None) -> HaltAnswer:
        """What halts now; of an account what halts it: its own, and what halts all of them."""
        halts = [halt for halt in self._halts(session, at) if account is None or halt.account in {None, account}]
        by_file = self._parts.kill_switch.present()
        sources = [*dict.fromkeys(halt.source for halt in halts), *([FILE_SOURCE] if by_file else [])]
        named = sorted({halt.account for halt in halts if halt.account is not None})
        everywhere = by_file or len(named) == 0 or any(halt.account is None for halt in halts)
        return HaltAnswer(bool(sources), sources, warning, accounts=None if everywhere else named)

    def _halts(self, session: Session, at: datetime) -> list[Halt]:
        """Rows in force; that of the file follows the file, which is looked at itself."""
        return [halt for halt in HaltRepository(session).active(at) if halt.source != FILE_SOURCE]

    def _require_account(self, session: Session, account: str | None, desk: DeskView | None = None) -> None:
        """None and `all` are every account.

        Raises:
            NotFound: there is no such account.
        """
        if account in {None, EVERY_ACCOUNT}:
            return
        told = desk or look(self._parts.live, self._parts.host_now())
        known = {view.account for view in watch.accounts(session)} | {*told.accounts, self._parts.account}
        if account not in known:
            raise NotFound(f"there is no account {account}: `htbot status` names those that are traded")

    def _finish(self, session: Session, command: Command, at: datetime, answer: HaltAnswer) -> None:
        result = asdict(answer)
        CommandRepository(session).advance(command.id, CommandState.PENDING, CommandState.DONE, at, result)
        subject = str(command.params.get("reason", "breaker" if "breaker" in command.params else ""))
        detail = {**result, **_of(command.params.get("account"))}
        AuditRepository(session).add(AuditEntry(at, command.requested_by, command.kind, subject, detail))

    def _now(self) -> datetime:
        return market_now(self._parts.live, self._parts.host_now())


def _answer(command: Command) -> HaltAnswer:
    """What the first call with this key was told."""
    told = command.result
    return HaltAnswer(bool(told["halted"]), list(told["by"]), told["warning"], told.get("accounts"))


def _of(account: str | None) -> dict[str, str]:
    """What a command of one account says beside what one of all does."""
    return {} if account is None else {"account": account}
