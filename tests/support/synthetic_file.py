"""Five-minute bars of the synthetic market as a data file, so that a replayed day needs nothing from outside."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

from htbot.bootstrap.paper import PaperOptions, build_market
from htbot.domain.instruments import UNDERLYINGS
from htbot.market.ports import ContractQuery, Show

EARLIER_SESSIONS = 11
MINUTES = 5


def write_synthetic_file(path: Path, symbol: str, day: date, seed: int = 7) -> Path:
    """The day and the sessions before it, enough for the trend's warm-up."""
    market = build_market(PaperOptions(state_dir=path.parent, start=day, seed=seed), day)
    session = market.sessions.on(day)
    assert session is not None
    sessions = [*market.sessions.before(day, EARLIER_SESSIONS), session]
    facts = UNDERLYINGS[symbol]
    query = ContractQuery(symbol=symbol, sec_type=facts.sec_type.value, exchange=facts.exchange, currency="USD")
    con_id = market.details(query, session.opens)[0].contract.con_id
    bars = market.candles(con_id, MINUTES * 60, sessions[0].opens, session.closes, Show.TRADES)
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(("ts", "symbol", "open", "high", "low", "close", "volume"))
        for bar in bars:
            if bar.start < session.closes:
                writer.writerow((bar.start.isoformat(), symbol, bar.open, bar.high, bar.low, bar.close, bar.volume))
    return path
