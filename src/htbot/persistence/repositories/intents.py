"""Intents: committed, claimed, sent, resolved (ARCHITECTURE section 7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from typing import cast as typed

from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Row,
    Table,
    Text,
    Update,
    bindparam,
    case,
    cast,
    func,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.orders import IntentState, OrderIntent, Purpose
from htbot.persistence.codecs import legs_from_json, legs_to_json, plain
from htbot.persistence.columns import UtcDateTime
from htbot.persistence.records import FollowedIntent, IntentMove, SentAs, StoredIntent
from htbot.persistence.repositories.base import Repository, told_columns, told_rows
from htbot.persistence.repositories.desk_state import EPOCH
from htbot.persistence.rows.control import DeskStateRow
from htbot.persistence.rows.intents import IntentRow
from htbot.persistence.rows.orders import OrderRow
from htbot.persistence.states import LIVE_INTENT_STATES

_INTENTS, _ORDERS = typed(Table, IntentRow.__table__), typed(Table, OrderRow.__table__)


def sequence_of(ref: str) -> int:
    """The running number at the end of an order reference: 2 of `htbot-spx-DU1-20220826-E2`.

    Raises:
        ValueError: the text is no reference of ours.
    """
    number = ref.rpartition("-")[2][1:]
    if not number.isdecimal():
        raise ValueError(f"order_ref {ref!r} does not end in -E<number> or -X<number>")
    return int(number)


class IntentRepository(Repository):
    """What was decided to be sent, and how far it has come."""

    def add(self, intent: OrderIntent, evidence: Mapping[str, Any] | None = None) -> bool:
        """Store an intent as PENDING; False when its ref is there, its trade has a live exit or a sale of its level.

        `evidence` is what the decision saw (quotes, limit, value: RULINGS 6), for people.
        """
        return self._insert(intent, evidence, {})

    def add_filled(self, intent: OrderIntent, evidence: Mapping[str, Any], epoch: int) -> bool:
        """Store an intent that nobody ever sends, because the broker has done what it would ask for (expiry)."""
        return self._insert(intent, evidence, {"state": IntentState.FILLED, "claim_epoch": epoch, "reason": "not sent"})

    def add_sent(self, intent: OrderIntent, evidence: Mapping[str, Any], sent: SentAs, at: datetime) -> bool:
        """Store an intent that has left already, from the desk's journal; False as of `add`, or when its id is used."""
        return self._insert(intent, evidence, {"state": IntentState.SENDING, "changed_at": at, **asdict(sent)})

    def _insert(self, intent: OrderIntent, evidence: Mapping[str, Any] | None, state: Mapping[str, Any]) -> bool:
        values = {
            **_decided(intent, evidence),
            "state": IntentState.PENDING,
            "changed_at": intent.created_at,
            "reason": "",
            **state,
        }
        return self._count(_ADD, values) == 1

    def claim_some(self, epoch: int, at: datetime, most: int, *, purpose: Purpose | None = None) -> list[StoredIntent]:
        """Claim up to `most` PENDING intents in one statement, exits first, then the oldest.

        Rows that another transaction holds are passed over. None of them when the epoch is over. A part that is to be
        sold is not claimed: it waits for room (`waiting_parts`), and leaves by the desk's journal.
        """
        waiting = select(IntentRow.ref).where(IntentRow.state == IntentState.PENDING, IntentRow.level.is_(None))
        if purpose is not None:
            waiting = waiting.where(IntentRow.purpose == purpose)
        order = ((IntentRow.purpose == Purpose.EXIT).desc(), IntentRow.created_at, IntentRow.ref)
        chosen = waiting.where(_present(epoch)).order_by(*order).limit(most).with_for_update(skip_locked=True)
        picked = chosen.cte("picked")
        statement = (
            update(IntentRow)
            .where(IntentRow.ref.in_(select(picked.c.ref)))
            .values(state=IntentState.CLAIMED, claim_epoch=epoch, changed_at=at)
            .returning(IntentRow)
        )
        options = {"synchronize_session": False, "populate_existing": True}
        claimed = [_to_intent(row) for row in self._session.scalars(statement, execution_options=options)]
        return sorted(claimed, key=_urgency)

    def move(
        self,
        ref: str,
        from_state: IntentState,
        to_state: IntentState,
        *,
        epoch: int,
        at: datetime,
        reason: str = "",
    ) -> bool:
        """Move a claimed intent; False when it left `from_state`, or another desk owns it or the epoch.

        An intent that has ended belongs to the desk of the present epoch: news that come late are its to write.
        """
        return self.move_all([IntentMove(ref, from_state, to_state, at, reason)], epoch) == 1

    def move_all(self, moves: Sequence[IntentMove], epoch: int) -> int:
        """The same for several intents in one statement; how many moved."""
        if not moves:
            return 0
        return self._count(_MOVE, {**told_columns([asdict(move) for move in moves]), "epoch": epoch})

    def begin_sending(self, order_ids: Mapping[str, int], client_id: int, *, epoch: int, at: datetime) -> int:
        """CLAIMED to SENDING, each reference with its reserved order id, in one statement; how many moved.

        Commit before anything goes to the broker.
        """
        claimed = (IntentRow.ref.in_(order_ids), IntentRow.state == IntentState.CLAIMED, IntentRow.claim_epoch == epoch)
        statement = update(IntentRow).where(*claimed, _present(epoch))
        own = case(dict(order_ids), value=IntentRow.ref)
        return self._count(
            statement.values(state=IntentState.SENDING, changed_at=at, client_id=client_id, order_id=own)
        )

    def take_as_sent(self, ref: str, sent: SentAs, at: datetime) -> bool:
        """What left from the desk's journal is SENDING under this id; False when the record knows more already.

        A wish that was withdrawn, or went too old, before anybody claimed it has left its reference to this order.
        """
        unsent = IntentRow.state.in_((IntentState.PENDING, IntentState.CLAIMED))
        never = IntentRow.state.in_((IntentState.WITHDRAWN, IntentState.EXPIRED)) & IntentRow.order_id.is_(None)
        claimed_twice = (IntentRow.state == IntentState.SENDING) & (IntentRow.order_id != sent.order_id)
        free = unsent | never | claimed_twice
        statement = update(IntentRow).where(IntentRow.ref == ref, free, _present(sent.claim_epoch))
        return self._count(statement.values(state=IntentState.SENDING, changed_at=at, reason="", **asdict(sent))) == 1

    def rewrite(self, intent: OrderIntent, evidence: Mapping[str, Any] | None = None) -> None:
        """What left under a reference was decided by somebody else than whoever had stored it: this is the order."""
        self._count(update(IntentRow).where(IntentRow.ref == intent.ref).values(_decided(intent, evidence)))

    def end_overtaken(self, ref: str, epoch: int, at: datetime, reason: str) -> bool:
        """A sent close that a later one has followed is over, whichever desk has sent it."""
        live = IntentRow.state.in_([state for state in LIVE_INTENT_STATES if state is not IntentState.PENDING])
        statement = update(IntentRow).where(IntentRow.ref == ref, live, _present(epoch))
        values = {"state": IntentState.CANCELLED, "claim_epoch": epoch, "changed_at": at, "reason": reason}
        return self._count(statement.values(**values)) == 1

    def withdraw(self, ref: str, at: datetime, reason: str, *, to_state: IntentState = IntentState.WITHDRAWN) -> bool:
        """End an intent that no desk has claimed, as withdrawn or expired; False when one has."""
        statement = update(IntentRow).where(IntentRow.ref == ref, IntentRow.state == IntentState.PENDING)
        return self._count(statement.values(state=to_state, changed_at=at, reason=reason)) == 1

    def take_over(self, epoch: int) -> list[StoredIntent]:
        """Make every unfinished claimed intent this desk's, states unchanged, and return them, oldest first."""
        live = (IntentRow.state.in_(LIVE_INTENT_STATES), IntentRow.state != IntentState.PENDING)
        self._count(update(IntentRow).where(*live, _present(epoch)).values(claim_epoch=epoch))
        return [stored for stored in self.live() if stored.claim_epoch == epoch]

    def get(self, ref: str) -> StoredIntent | None:
        """One intent."""
        return self._first(select(IntentRow).where(IntentRow.ref == ref), _to_intent)

    def of_refs(self, refs: Collection[str]) -> dict[str, StoredIntent]:
        """Intents by reference; one that there is not is absent."""
        found = self._read(_OF_REFS, _to_followed, {"refs": list(refs)}) if refs else ()
        return {one.stored.intent.ref: one.stored for one in found}

    def states(self, refs: Collection[str]) -> dict[str, IntentState]:
        """Where these intents stand; a reference that there is not is absent."""
        rows = self._session.execute(_STATES, {"refs": list(refs)}) if refs else ()
        return {row.ref: row.state for row in rows}

    def next_sequence(self, strategy: str, account: str, session: date, purpose: Purpose) -> int:
        """One above the highest sequence of this purpose in the session, so that no reference is used twice."""
        query = select(func.coalesce(func.max(IntentRow.sequence), 0) + 1).where(
            IntentRow.strategy == strategy,
            IntentRow.account == account,
            IntentRow.session == session,
            IntentRow.purpose == purpose,
        )
        return self._session.scalars(query).one()

    def live(self, account: str | None = None, purpose: Purpose | None = None) -> list[StoredIntent]:
        """Intents that have not ended, oldest first."""
        return self._in_states(LIVE_INTENT_STATES, account, purpose)

    def pending(self, purpose: Purpose | None = None) -> list[StoredIntent]:
        """Intents that nobody has claimed."""
        return self._in_states((IntentState.PENDING,), purpose=purpose)

    def waiting_parts(self) -> list[OrderIntent]:
        """Sales at profit levels that have not left, oldest first."""
        return [stored.intent for stored in self.pending(Purpose.EXIT) if stored.intent.in_part]

    def of_trade(self, trade_id: str) -> list[StoredIntent]:
        """Entry and exits of one trade in order of time."""
        return [one.stored for one in self.of_trades([trade_id])[trade_id]]

    def of_trades(self, trade_ids: Collection[str]) -> dict[str, list[FollowedIntent]]:
        """The same for several trades, by trade, with what the broker has told of each."""
        found: dict[str, list[FollowedIntent]] = {trade_id: [] for trade_id in trade_ids}
        for one in self._read(_OF_TRADES, _to_followed, {"trade_ids": list(found)}) if found else ():
            found[one.stored.intent.trade_id].append(one)
        return found

    def of_session(self, session: date, account: str | None = None) -> list[StoredIntent]:
        """Intents of one session in order of time."""
        query = select(IntentRow).where(IntentRow.session == session)
        if account is not None:
            query = query.where(IntentRow.account == account)
        return self._all(query.order_by(IntentRow.created_at, IntentRow.ref), _to_intent)

    def _in_states(
        self, states: Collection[IntentState], account: str | None = None, purpose: Purpose | None = None
    ) -> list[StoredIntent]:
        query = select(IntentRow).where(IntentRow.state.in_(states))
        if account is not None:
            query = query.where(IntentRow.account == account)
        if purpose is not None:
            query = query.where(IntentRow.purpose == purpose)
        return self._all(query.order_by(IntentRow.created_at, IntentRow.ref), _to_intent)


def _decided(intent: OrderIntent, evidence: Mapping[str, Any] | None) -> dict[str, Any]:
    """The columns of what was decided; the others say how far it has come."""
    return {
        "ref": intent.ref,
        "trade_id": intent.trade_id,
        "strategy": intent.strategy,
        "account": intent.account,
        "session": intent.session,
        "purpose": intent.purpose,
        "sequence": sequence_of(intent.ref),
        "action": intent.action,
        "symbol": intent.symbol,
        "quantity": intent.quantity,
        "legs": legs_to_json(intent.legs),
        "limit_price": intent.limit,
        "worst_limit": intent.worst_limit,
        "tick": intent.tick,
        "style": intent.style,
        "created_at": intent.created_at,
        "good_till": intent.good_till,
        "decision_id": intent.decision_id,
        "exit_reason": intent.exit_reason,
        "order_group": intent.group,
        "level": intent.level,
        "evidence": plain(evidence or {}),
    }


def _present(epoch: int | BindParameter[int]) -> ColumnElement[bool]:
    """SQL condition: the record is still in this epoch."""
    state = typed(Table, DeskStateRow.__table__).c
    stored = select(cast(state.value, BigInteger)).where(state.key == EPOCH).scalar_subquery()
    return stored == epoch


def _move() -> Update:
    """Every move holds from its own state only; a live intent is moved by nobody but its claimant."""
    moves = told_rows(
        {"ref": Text(), "from_state": Text(), "to_state": Text(), "at": UtcDateTime(), "reason": Text()},
    )
    epoch: BindParameter[int] = bindparam("epoch", type_=BigInteger())
    ours = moves.c.from_state.not_in(LIVE_INTENT_STATES) | (_INTENTS.c.claim_epoch == epoch)
    stands = type_coerce(_INTENTS.c.state, Text()) == moves.c.from_state
    moved = {"state": moves.c.to_state, "changed_at": moves.c.at, "reason": moves.c.reason, "claim_epoch": epoch}
    return update(_INTENTS).where(_INTENTS.c.ref == moves.c.ref, stands, ours, _present(epoch)).values(moved)


# What each message of the broker reads and writes is built once.
_ADD = insert(_INTENTS).on_conflict_do_nothing()
_MOVE = _move()
_STATES = select(_INTENTS.c.ref, _INTENTS.c.state).where(_INTENTS.c.ref.in_(bindparam("refs", expanding=True)))
_FOLLOWED = (
    select(_INTENTS, _ORDERS.c.filled)
    .outerjoin(_ORDERS, _ORDERS.c.ref == _INTENTS.c.ref)
    .order_by(_INTENTS.c.created_at, _INTENTS.c.ref)
)
_OF_REFS = _FOLLOWED.where(_INTENTS.c.ref.in_(bindparam("refs", expanding=True)))
_OF_TRADES = _FOLLOWED.where(_INTENTS.c.trade_id.in_(bindparam("trade_ids", expanding=True)))


def _urgency(stored: StoredIntent) -> tuple[bool, datetime, str]:
    """Exits first, then the oldest."""
    return stored.intent.purpose is not Purpose.EXIT, stored.intent.created_at, stored.intent.ref


def _to_followed(row: Row[Any]) -> FollowedIntent:
    return FollowedIntent(_to_intent(row), row.filled or 0)


def _to_intent(row: IntentRow | Row[Any]) -> StoredIntent:
    intent = OrderIntent(
        ref=row.ref,
        trade_id=row.trade_id,
        strategy=row.strategy,
        account=row.account,
        session=row.session,
        purpose=row.purpose,
        action=row.action,
        symbol=row.symbol,
        quantity=row.quantity,
        legs=legs_from_json(row.legs),
        limit=row.limit_price,
        worst_limit=row.worst_limit,
        tick=row.tick,
        style=row.style,
        created_at=row.created_at,
        good_till=row.good_till,
        decision_id=row.decision_id,
        exit_reason=row.exit_reason,
        group=row.order_group,
        level=row.level,
    )
    return StoredIntent(
        intent=intent,
        sequence=row.sequence,
        state=row.state,
        changed_at=row.changed_at,
        reason=row.reason,
        claim_epoch=row.claim_epoch,
        client_id=row.client_id,
        order_id=row.order_id,
        evidence=row.evidence,
    )
