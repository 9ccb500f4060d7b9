"""What people tell the desk: halt, resume, close, cancel. Each is one durable row, done once per idempotency key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from htbot.domain.errors import CallerMistake, NotFound, Retryable
from htbot.domain.trades import Trade
from htbot.persistence.queries import watch
from htbot.persistence.records import AuditEntry, CashFlow
from htbot.persistence.repositories import (
    AuditRepository,
    CommandRepository,
    EquityRepository,
    IntentRepository,
    TradeRepository,
)
from htbot.persistence.states import LIVE_TRADE_STATES
from htbot.services.callers import JOIN_LOCK, Accepted, Caller, Conflict, one_line, require_desk, take
from htbot.services.command_kinds import (
    CANCEL,
    CLOSE_ALL,
    CLOSE_TRADE,
    CLOSE_TRADES,
    CLOSES,
    EVERY_ACCOUNT,
)
from htbot.services.desk_line import FLATTEN
from htbot.services.desk_view import DeskView, look
from htbot.services.halting import Halting
from htbot.services.once import Act, once


@dataclass(frozen=True, slots=True)
class Closing:
    """The commands that close, in the order in which they were asked for."""

    commands: list[Accepted]


class Commands(Halting):
    """Writes what a person wants, the desk does it; halts are in force at once."""

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
            flow = CashFlow(chosen, at, amount_usd, one_line(note), caller.actor)
            EquityRepository(session).add_flow(flow)
            detail = {"amount_usd": amount_usd, "note": flow.note}
            AuditRepository(session).add(AuditEntry(at, caller.actor, "cash_flow", chosen, detail))
        return flow

    def close(self, scope: str, caller: Caller) -> Accepted:
        """Close every position of an account, or of all: one row, which the desk executes.

        Without a key it joins a close of the same scope, or of everything, that is under way. With PostgreSQL dead the
        desk is told directly, and promises it in its journal (RULINGS 1).

        Raises:
            NotFound: there is no such account.
            DeskAway: nobody is there to execute it.
            Conflict: the key was used for another command, or the desk that was told directly refuses.
            Retryable: neither PostgreSQL nor the desk answers.
        """
        try:
            return self._close_by_row(scope, caller)
        except Retryable:
            told = self._by_line({"do": FLATTEN, "scope": scope, "key": caller.key, "by": caller.actor})
            return Accepted(UUID(told["command_id"]), str(told["state"]))

    def _by_line(self, request: Mapping[str, str | None]) -> dict[str, Any]:
        try:
            return self._parts.line.ask(request)
        except CallerMistake as error:
            raise Conflict(str(error)) from error

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
            [trade] = self._locked(session, [trade_id])
            return self._close_trade(session, trade, caller, at)

    def close_trades(self, trade_ids: Sequence[str], caller: Caller) -> Closing:
        """Close several trades, a command each, all in one transaction; those that are over are passed by.

        Raises:
            NotFound: there is no such trade; none of the others is closed.
            DeskAway: nobody is there to execute it.
            Conflict: all are over, or the key was used for another command, for other trades among them.
        """
        at = self._now()
        with self._parts.database.transaction() as session:

            def work() -> Closing:
                trades = self._locked(session, trade_ids)
                live = [trade for trade in trades if trade.state in LIVE_TRADE_STATES]
                if not live:
                    raise Conflict(_over(trades[0]))
                keys = [None if caller.key is None else f"{caller.key}:{trade.id}" for trade in live]
                each = [replace(caller, key=key) for key in keys]
                return Closing([self._close_trade(session, *one, at) for one in zip(live, each, strict=True)])

            act = Act(CLOSE_TRADES, {"trades": sorted(set(trade_ids))}, caller, at)
            return once(session, act, Closing, work)

    def _locked(self, session: Session, trade_ids: Iterable[str]) -> list[Trade]:
        """Each trade once, in the order asked for, under the lock of whoever makes or joins a close."""
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(JOIN_LOCK))))
        wanted = tuple(dict.fromkeys(trade_ids))
        found = TradeRepository(session).of_ids(wanted)
        if unknown := [one for one in wanted if one not in found]:
            raise NotFound(f"there is no trade {', '.join(unknown)}: `htbot trades` lists them")
        return [found[one] for one in wanted]

    def _close_trade(self, session: Session, trade: Trade, caller: Caller, at: datetime) -> Accepted:
        scopes = [{"trade": trade.id}, {"scope": trade.account}, {"scope": EVERY_ACCOUNT}]
        if caller.key is None:
            for running in CommandRepository(session).open():
                if running.kind in CLOSES and running.params in scopes:
                    return Accepted(running.id, running.state.value)
        command, created = take(session, CLOSE_TRADE, {"trade": trade.id}, caller, at)
        if created:
            if trade.state not in LIVE_TRADE_STATES:
                raise Conflict(_over(trade))
            self._require_desk()
            self._audit(session, caller, CLOSE_TRADE, trade.id, at)
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

    def _audit(self, session: Session, caller: Caller, action: str, subject: str, at: datetime) -> None:
        AuditRepository(session).add(AuditEntry(at, caller.actor, action, subject, {"key": caller.key}))

    def _require_desk(self) -> DeskView:
        return require_desk(look(self._parts.live, self._parts.host_now()))


def _over(trade: Trade) -> str:
    return f"trade {trade.id} is over: it is {trade.state}"
