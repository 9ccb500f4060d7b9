"""What is live in Redis: the clock, one snapshot per underlying, the step hints. None of it is a record of anything."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import redis
import redis.asyncio

from htbot.domain.errors import CallerMistake, Retryable
from htbot.marketdata import clock_state, snapshot
from htbot.marketdata.clock_state import ClockState
from htbot.marketdata.snapshot import Snapshot

CLOCK_KEY = "htbot:clock"
STEP_CHANNEL = "htbot:step"
REQUEST_LIST = "htbot:requests"
TICKERS_KEY = "htbot:tickers"
"""A hash of the newest quotes by underlying: a snapshot without its chain, for whoever shows prices."""
HALT_KEY = "htbot:halt"
"""Whoever sets it halts the desk; it is a doorbell, what counts is the record (RULINGS 13)."""
_EXPIRY_S = 3600


def snapshot_key(symbol: str) -> str:
    """Where the latest snapshot of an underlying stands."""
    return f"htbot:snapshot:{symbol}"


@dataclass(frozen=True, slots=True)
class Step:
    """One barrier of a stepped world: the tasks due at `as_of` are to be sent. `attempt` above 0 is a repeated hint."""

    number: int
    as_of: datetime
    attempt: int = 0

    def encode(self) -> str:
        """JSON text for the channel."""
        return json.dumps({"n": self.number, "as_of": self.as_of.isoformat(), "attempt": self.attempt})

    @classmethod
    def decode(cls, text: str | bytes) -> Step:
        """The step back from its JSON text."""
        raw = json.loads(text)
        return cls(raw["n"], datetime.fromisoformat(raw["as_of"]), raw["attempt"])


class LiveReader:
    """Blocking reader for worker, beat, API and CLI."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)
        self._patient = redis.Redis.from_url(url, socket_timeout=30, socket_connect_timeout=2)

    def clock(self) -> ClockState | None:
        """The desk's last clock, or None when it has not spoken."""
        text = self._redis.get(CLOCK_KEY)
        return None if text is None else clock_state.decode(text)  # type: ignore[arg-type]

    def market_now(self) -> datetime | None:
        """Market time now, or None without a clock."""
        state = self.clock()
        return None if state is None else state.market_now(datetime.now(UTC))

    def snapshot(self, symbol: str) -> Snapshot | None:
        """The latest snapshot of an underlying, or None."""
        text = self._redis.get(snapshot_key(symbol))
        return None if text is None else snapshot.decode(text)  # type: ignore[arg-type]

    def tickers(self) -> dict[str, Snapshot]:
        """The newest quotes of each underlying and of what is held, by symbol; their `as_of` says how new."""
        told: Any = self._redis.hgetall(TICKERS_KEY)
        return {symbol.decode(): snapshot.decode(text) for symbol, text in told.items()}

    def steps(self) -> redis.client.PubSub:
        """A subscription to the step hints."""
        subscription: redis.client.PubSub = self._redis.pubsub(  # type: ignore[no-untyped-call]
            ignore_subscribe_messages=True
        )
        subscription.subscribe(STEP_CHANNEL)  # type: ignore[no-untyped-call]
        return subscription

    def ask(self, kind: str, params: Mapping[str, object], timeout_s: float = 5.0) -> Any:
        """Ask the desk for data that is in no snapshot and wait for its answer.

        Raises:
            Retryable: the desk did not answer in time, or told that a later try may work.
            CallerMistake: the desk does not know what was asked for.
        """
        request_id = uuid4().hex
        reply_to = f"htbot:reply:{request_id}"
        deadline = datetime.now(UTC) + timedelta(seconds=timeout_s)
        request = {"id": request_id, "kind": kind, "params": params, "reply_to": reply_to}
        self._redis.rpush(REQUEST_LIST, json.dumps({**request, "deadline": deadline.isoformat()}))
        popped: Any = self._patient.blpop([reply_to], timeout=timeout_s)
        if popped is None:
            raise Retryable(f"the desk did not answer a request for {kind} within {timeout_s:g} s")
        answer = json.loads(popped[1])
        if answer["ok"]:
            return answer["result"]
        failure = Retryable if answer["error"]["retryable"] else CallerMistake
        raise failure(str(answer["error"]["message"]))

    def raise_halt(self, reason: str) -> None:
        """Ring for a halt: the desk copies it to the record and keeps it, whatever happens to Redis."""
        self._redis.set(HALT_KEY, reason)

    def drop_halt(self) -> None:
        """Stop ringing. What was heard stays in force until a person lifts it."""
        self._redis.delete(HALT_KEY)

    def ping(self) -> bool:
        """True when Redis answers."""
        return bool(self._redis.ping())


class LiveWriter:
    """The desk's side, in its event loop. Redis away is said once and never stops the desk."""

    def __init__(self, url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)

    async def publish_clock(self, state: ClockState) -> None:
        """Set the clock."""
        await self._redis.set(CLOCK_KEY, clock_state.encode(state), ex=_EXPIRY_S)

    async def publish_snapshots(self, told: Iterable[Snapshot], clock: ClockState) -> None:
        """Set the snapshots and the clock of one instant together; the clock alone where the server refuses them."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            for current in told:
                pipeline.set(snapshot_key(current.symbol), snapshot.encode(current), ex=_EXPIRY_S)
            pipeline.set(CLOCK_KEY, clock_state.encode(clock), ex=_EXPIRY_S)
            try:
                await pipeline.execute()
            except redis.ResponseError:
                # fails in the server's own words, which the client leaves out of the error of a pipeline
                await self.publish_clock(clock)
                raise

    async def publish_ticker(self, ticker: Snapshot) -> None:
        """Set the newest quotes of an underlying and of what is held; nothing is decided on them."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(TICKERS_KEY, ticker.symbol, snapshot.encode(ticker))
            pipeline.expire(TICKERS_KEY, _EXPIRY_S)
            await pipeline.execute()

    async def publish_step(self, step: Step) -> None:
        """Tell beat which barrier stands."""
        await self._redis.publish(STEP_CHANNEL, step.encode())

    async def halt_flag(self) -> str | None:
        """What somebody halts the desk for through Redis, None while nobody does."""
        found: bytes | None = await self._redis.get(HALT_KEY)
        return None if found is None else found.decode("utf-8", "replace")

    async def next_request(self, timeout_s: float) -> dict[str, object] | None:
        """The next data request, waiting at most `timeout_s`."""
        popped = await self._redis.blpop([REQUEST_LIST], timeout=timeout_s)
        return None if popped is None else json.loads(popped[1])

    async def reply(self, key: str, document: dict[str, object]) -> None:
        """Answer one data request; the answer stands for a minute."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.rpush(key, json.dumps(document))
            pipeline.expire(key, 60)
            await pipeline.execute()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()
