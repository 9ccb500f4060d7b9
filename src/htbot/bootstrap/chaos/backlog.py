"""The same ticks again and again: what a queue holds after an outage, and the largest source of double orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from celery import Celery
from kombu.exceptions import OperationalError

from htbot.adapters.live import LiveReader
from htbot.domain.errors import Retryable
from htbot.domain.sessions import floor_to
from htbot.domain.trades import TradeState
from htbot.marketdata.clock_state import GRID_S, step_number
from htbot.persistence.engine import Database
from htbot.persistence.repositories import TradeRepository
from htbot.services.schedule import EXIT_TRADE, MARK_PNL, READ_MARKET
from htbot.settings import Settings

TICK_COPIES, EXIT_COPIES, EXITS = 20, 6, 4
_BROKER = {"socket_timeout": 3, "socket_connect_timeout": 3}


class Backlog:
    """Queues messages for the worker as beat and the tasks do."""

    def __init__(self, settings: Settings, live: LiveReader, database: Database) -> None:
        self._live = live
        self._database = database
        self._app = Celery("htbot-chaos", broker=settings.redis.broker_url)
        self._app.conf.update(
            task_serializer="json",
            task_ignore_result=True,
            task_default_queue="default",
            broker_transport_options=_BROKER,
        )

    def pile_up(self) -> int:
        """Queue the ticks of this instant and of the one before 20 times each, and exits of a few open trades.

        Returns:
            How many messages were queued.

        Raises:
            Retryable: Redis or PostgreSQL is away, or nobody has told the time yet.
        """
        as_of = floor_to(self._market_now(), GRID_S)
        instants = (as_of - timedelta(seconds=GRID_S), as_of)
        ticks = [(task, instant, "all") for instant in instants for task in (READ_MARKET, MARK_PNL)] * TICK_COPIES
        with self._database.transaction() as session:
            held = [trade.id for trade in TradeRepository(session).live() if trade.state is TradeState.OPEN]
        exits = [(EXIT_TRADE, as_of, trade_id) for trade_id in held[:EXITS]] * EXIT_COPIES
        for task, instant, key in (*ticks, *exits):
            self._send(task, instant, key)
        return len(ticks) + len(exits)

    def ask_exit(self, trade_id: str, copies: int) -> None:
        """Queue the exit of one trade, several times the same message.

        Raises:
            Retryable: Redis is away, or nobody has told the time yet.
        """
        as_of = self._market_now()
        for _ in range(copies):
            self._send(EXIT_TRADE, as_of, trade_id)

    def close(self) -> None:
        """Close the connections to the queue."""
        self._app.close()

    def _market_now(self) -> datetime:
        clock = self._live.clock()
        if clock is None:
            raise Retryable("the desk has not told the time")
        return clock.market_now(datetime.now(UTC))

    def _send(self, task: str, as_of: datetime, key: str) -> None:
        message = {"as_of": as_of.isoformat(), "step": step_number(floor_to(as_of, GRID_S)), "key": key}
        try:
            self._app.send_task(task, kwargs=message, retry=False)
        except OperationalError as error:
            raise Retryable(f"the queue is away: {error}") from error
