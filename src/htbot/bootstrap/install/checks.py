"""What restart.sh looks at from outside: the gateway's handshake, the worker's registration, the API."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, create_engine, make_url, select
from sqlalchemy import func as sql
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.pool import NullPool

from htbot.persistence.repositories.trades import to_trade
from htbot.persistence.rows.tasks import WorkerRow
from htbot.persistence.rows.trades import TradeRow
from htbot.persistence.states import LIVE_TRADE_STATES
from htbot.portfolio.pnl import maximum_loss_usd
from htbot.settings import Settings

_HELLO = b"v157..178"
"""Versions that ib_async speaks; the payload has no trailing NUL (TWS_PROTOCOL section 2)."""


@dataclass(frozen=True, slots=True)
class OpenTrade:
    """A trade that is not closed. `max_loss_usd` is None while its credit is unknown."""

    id: str
    account: str
    symbol: str
    state: str
    max_loss_usd: Decimal | None


def gateway_version(host: str, port: int, timeout_s: float = 3.0) -> int:
    """Shake hands with a TWS or gateway and leave before a session begins.

    Returns:
        The server's protocol version.

    Raises:
        OSError: nothing listens, or it hung up.
        ValueError: something else than a gateway answered.
    """
    with socket.create_connection((host, port), timeout=timeout_s) as connection:
        connection.sendall(b"API\0" + struct.pack(">I", len(_HELLO)) + _HELLO)
        (length,) = struct.unpack(">I", _read_exactly(connection, 4))
        if not 3 <= length <= 200:
            raise ValueError(f"{host}:{port} is no gateway: it answered a frame of {length} bytes")
        version = _read_exactly(connection, length).split(b"\0")[0]
    return int(version)


def _read_exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise ConnectionError("hung up in the handshake")
        data += part
    return data


class Record:
    """The few questions that the installer asks the database."""

    def __init__(self, url: str) -> None:
        """Connect anew for each question: servers come and go around us."""
        self._engine: Engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})

    def now(self) -> datetime:
        """The database's wall clock, which `ready_at` is compared with."""
        with self._engine.connect() as connection:
            return connection.execute(select(sql.now())).scalar_one()

    def registered_tasks(self, since: datetime) -> list[str] | None:
        """Tasks of the worker that became ready since then; None while there is none (RULINGS 35)."""
        newest = select(WorkerRow.tasks).where(WorkerRow.ready_at >= since).order_by(WorkerRow.ready_at.desc()).limit(1)
        with self._engine.connect() as connection:
            row = connection.execute(newest).first()
        return None if row is None else [str(name) for name in row[0]]

    def open_trades(self) -> list[OpenTrade] | None:
        """Trades that are not closed; None when the database does not answer."""
        live = select(TradeRow).where(TradeRow.state.in_(LIVE_TRADE_STATES)).order_by(TradeRow.opened_at)
        try:
            with self._engine.connect() as connection:
                rows: Sequence[Any] = connection.execute(live).all()
        except ProgrammingError:
            return []  # no such table: nothing was ever traded
        except OperationalError:
            return None
        return [
            OpenTrade(
                id=row.id,
                account=row.account,
                symbol=row.symbol,
                state=str(row.state),
                max_loss_usd=maximum_loss_usd(to_trade(row)),
            )
            for row in rows
        ]


def api_answers(settings: Settings) -> bool:
    """Whether `GET /ready` says 200."""
    return _get(settings, "/ready")[0] == 200


def api_status(settings: Settings) -> dict[str, Any]:
    """`GET /status`; empty when it does not answer."""
    code, body = _get(settings, "/status")
    return body if code == 200 else {}


def _get(settings: Settings, path: str) -> tuple[int, dict[str, Any]]:
    url = make_url(settings.api.url)
    connection = (
        http.client.HTTPConnection(str(url.host), url.port, timeout=3)
        if (trust := settings.api.trust) is None
        else http.client.HTTPSConnection(str(url.host), url.port, timeout=3, context=trust)
    )
    token = settings.api.token.get_secret_value() if settings.api.token else ""
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        body = json.loads(answer.read() or b"{}")
    except (OSError, http.client.HTTPException, ValueError):
        return 0, {}
    finally:
        connection.close()
    return answer.status, body if isinstance(body, dict) else {}
