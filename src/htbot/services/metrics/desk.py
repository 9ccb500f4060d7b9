"""What the desk last published, as metrics."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from htbot.marketdata.snapshot import Snapshot
from htbot.services.desk_view import SILENT_AFTER_S, DeskView
from htbot.telemetry.metrics import Gathered

CONNECTION, FEED = "desk", "ib"


def put_desk(gathered: Gathered, desk: DeskView) -> None:
    """Session, heartbeat, whether it originates orders."""
    running = desk.state == "running"
    gathered.put("htbot_ib_connected", int(running and desk.connection == "connected"), CONNECTION)
    gathered.put("htbot_trading_enabled", int(running and desk.clock is not None and desk.clock.trading_enabled))
    gathered.put("htbot_heartbeat_age_seconds", desk.heartbeat_age_s, "desk")


def put_snapshots(gathered: Gathered, snapshots: list[Snapshot], market_now: datetime | None) -> None:
    """Age of the underlyings' quotes, and the account's leverage."""
    if market_now is None:
        return
    ages = {one.symbol: age for one in snapshots if (age := _age_s(one, market_now)) is not None}
    for symbol, age_s in ages.items():
        gathered.put("htbot_data_age_seconds", age_s, symbol)
    gathered.put("htbot_symbols_active", len(snapshots), "option")
    if ages:
        gathered.put("htbot_feed_connected", int(min(ages.values()) <= SILENT_AFTER_S * 4), FEED)
    for one in snapshots:
        for account in one.accounts:
            gathered.put("htbot_gross_leverage", _leverage(one.of_account(account) or one), account)


def _age_s(snapshot: Snapshot, market_now: datetime) -> float | None:
    quote = snapshot.quotes.get(snapshot.underlying_con_id)
    return None if quote is None else max((market_now - quote.as_of).total_seconds(), 0.0)


def _leverage(snapshot: Snapshot) -> float | None:
    gross, net = snapshot.figures.gross_position_value, snapshot.net_liquidation
    if gross is None or net is None or net <= Decimal(0):
        return None
    return float(gross / net)
