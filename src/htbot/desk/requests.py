"""Data on request: what is in no snapshot is asked of the desk over Redis, one at a time (ARCHITECTURE section 2).

A request is JSON {"id", "kind", "params", "reply_to", "deadline"}; its answer {"id", "ok", "result" | "error"} stands
on the list `reply_to` for a minute. A request past its deadline (host time) is dropped: nobody waits for it any more.
Nothing here can send an order.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import redis
from sqlalchemy.orm import Session

from htbot.adapters.live import LiveWriter
from htbot.desk.desk import Desk
from htbot.domain.errors import CallerMistake, HtbotError, Retryable
from htbot.domain.instruments import UNDERLYINGS, Right
from htbot.domain.margin import MarginQuestion
from htbot.domain.sessions import NEW_YORK
from htbot.marketdata import snapshot
from htbot.persistence.codecs import plain
from htbot.persistence.repositories import DeskStateRepository

_POLL_S = 1.0
_QUOTES_WITHIN_S = 3.0
_LOOK_EVERY_S = 0.05
# Order ids that the record has as used beyond the one that is: a question does not wait for each.
_IDS_AHEAD = 1024
_log = logging.getLogger(__name__)
Answer = Callable[[Mapping[str, Any]], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class _Request:
    id: str
    kind: str
    params: Mapping[str, Any]
    reply_to: str
    deadline: datetime

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> _Request:
        deadline = datetime.fromisoformat(str(raw["deadline"]))
        return cls(str(raw["id"]), str(raw["kind"]), dict(raw["params"]), str(raw["reply_to"]), deadline)


class RequestDesk:
    """Answers `snapshot`, `contract`, `history`, `whatif`, `ping`, `account`, `positions` and `compare`."""

    def __init__(self, desk: Desk, live: LiveWriter) -> None:
        self._desk = desk
        self._live = live
        self._stopped = False
        self._kept_id = 0
        self._answers: dict[str, Answer] = {
            "snapshot": self._snapshot,
            "contract": self._contract,
            "history": self._history,
            "whatif": self._what_if,
            "ping": self._ping,
            "account": self._account,
            "positions": self._positions,
            "compare": self._compare,
        }

    async def serve(self) -> None:
        """Until `stop`; Redis away only means that nobody can ask."""
        while not self._stopped:
            try:
                raw = await self._live.next_request(_POLL_S)
                if raw is not None:
                    await self._one(raw)
            except ValueError as error:
                _log.warning("a data request that is no JSON was dropped: %s", error)
            except redis.RedisError as error:
                _log.warning("no requests can come: %s", error)
                await asyncio.sleep(_POLL_S)

    def stop(self) -> None:
        """Take no more requests. A cancel alone may be lost in the Redis client."""
        self._stopped = True

    async def _one(self, raw: Mapping[str, Any]) -> None:
        try:
            request = _Request.read(raw)
        except (KeyError, TypeError, ValueError) as error:
            _log.warning("a malformed data request was dropped: %s", error)
            return
        left_s = (request.deadline - datetime.now(UTC)).total_seconds()
        if left_s <= 0:
            _log.info("request %s (%s) is past its deadline", request.id, request.kind)
            return
        await self._live.reply(request.reply_to, await self._answer(request, left_s))

    async def _answer(self, request: _Request, left_s: float) -> dict[str, object]:
        answer = self._answers.get(request.kind)
        try:
            if answer is None:
                raise CallerMistake(f"unknown request {request.kind!r}: one of {', '.join(self._answers)}")
            result = await asyncio.wait_for(answer(request.params), left_s)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            text = f"malformed {request.kind} request: {type(error).__name__} {error}"
            return {"id": request.id, "ok": False, "error": {"message": text, "retryable": False}}
        except (HtbotError, TimeoutError, ConnectionError) as error:
            text = str(error) or "the broker did not answer in time"
            retryable = isinstance(error, Retryable | TimeoutError | ConnectionError)
            return {"id": request.id, "ok": False, "error": {"message": text, "retryable": retryable}}
        return {"id": request.id, "ok": True, "result": result}

    async def _snapshot(self, params: Mapping[str, Any]) -> object:
        """The market of this moment, with the options of today's expiry that were named: [[strike, right], ...]."""
        self._require_connection()
        parts, now = self._desk.parts, self._desk.clock.now()
        named = {(Decimal(strike), Right(right)) for strike, right in params["options"]}
        listed = await parts.watch.listed(parts.session, now.astimezone(NEW_YORK).date())
        asked = tuple(option for option in listed if (option.strike, option.right) in named)
        waited_s = 0.0
        parts.watch.stream(parts.session, asked, now)
        while waited_s < _QUOTES_WITHIN_S and any(parts.session.quote(item.con_id, now) is None for item in asked):
            await asyncio.sleep(_LOOK_EVERY_S)
            waited_s += _LOOK_EVERY_S
        return snapshot.encode(self._desk.notices.snapshot_now(asked))

    async def _contract(self, params: Mapping[str, Any]) -> object:
        self._require_connection()
        underlying = UNDERLYINGS.get(str(params["symbol"]))
        if underlying is None:
            raise CallerMistake(f"symbol {params['symbol']}: one of {', '.join(UNDERLYINGS)}")
        contract = await self._desk.parts.session.qualify(underlying)
        return {"con_id": contract.con_id, "symbol": contract.symbol, "exchange": contract.exchange}

    async def _history(self, params: Mapping[str, Any]) -> object:
        self._require_connection()
        parts = self._desk.parts
        bars = await parts.session.history(parts.watch.contract, int(params["minutes"]), int(params["days"]))
        return [[bar.start.isoformat(), bar.open, bar.high, bar.low, bar.close, bar.volume] for bar in bars]

    async def _what_if(self, params: Mapping[str, Any]) -> object:
        """The broker's margins for an order that is not placed. It takes an order id of its own, as any order does."""
        self._require_connection()
        question, parts = MarginQuestion.of_params(params), self._desk.parts
        self._require_account(question.account)
        await self._keep_ids()
        await self._desk.guard.closes_first()  # a close that is on its way has a lower id
        return (await parts.session.what_if(question, self._desk.trading.numbers.next_id())).as_texts()

    async def _keep_ids(self) -> None:
        """The next id is in the record as used: nothing may leave between the question's id and the socket."""
        numbers, parts = self._desk.trading.numbers, self._desk.parts
        while (upcoming := numbers.upcoming) > self._kept_id:
            kept, client_id = upcoming + _IDS_AHEAD, parts.plan.client_id
            await parts.orders_database.run(partial(_keep_id, client_id=client_id, order_id=kept))
            self._kept_id = max(self._kept_id, kept)

    async def _ping(self, _params: Mapping[str, Any]) -> object:
        """One round trip to the broker: its time, or a contract in a stepped world, where telling the time moves it."""
        self._require_connection()
        session, stepped = self._desk.parts.session, self._desk.clock.stepped
        began_s = time.monotonic()
        if stepped:
            await session.qualify(self._desk.parts.watch.plan.underlying)
        broker_time = None if stepped else (await session.current_time()).isoformat()
        round_trip_ms = round((time.monotonic() - began_s) * 1000, 3)
        return {"asked": "contract" if stepped else "time", "round_trip_ms": round_trip_ms, "broker_time": broker_time}

    async def _account(self, params: Mapping[str, Any]) -> object:
        """What the broker tells of an account that is traded, by the broker's own names, dollars as text."""
        self._require_connection()
        account = str(params.get("account") or self._desk.account)
        self._require_account(account)
        amounts = {tag: str(amount) for tag, amount in self._desk.notices.amounts(account).items()}
        return {"account": account, "as_of": self._desk.clock.now().isoformat(), "amounts": amounts}

    async def _positions(self, _params: Mapping[str, Any]) -> object:
        """What the broker holds in every account of the login, whoever made it."""
        self._require_connection()
        held = self._desk.parts.session.positions()
        return [
            {"account": account, "quantity": quantity, **plain(contract)}
            for (account, _), (contract, quantity) in sorted(held.items(), key=lambda item: item[0])
        ]

    async def _compare(self, _params: Mapping[str, Any]) -> object:
        """Books and broker are compared with the next chore, and the run is stored when it finds something."""
        self._require_connection()
        self._desk.compare_due = True
        return {"asked_at": self._desk.clock.now().isoformat()}

    def _require_account(self, account: str) -> None:
        if account not in self._desk.followed.all:
            raise CallerMistake(f"account {account}: the desk trades {', '.join(self._desk.followed.all)}")

    def _require_connection(self) -> None:
        if self._desk.connection != "connected":
            raise Retryable(f"the desk is {self._desk.connection}")


def _keep_id(session: Session, client_id: int, order_id: int) -> None:
    DeskStateRepository(session).use_order_id(client_id, order_id)
