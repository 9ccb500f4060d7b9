"""Five-minute bars of the synthetic market as a data file, so that a replayed day needs nothing from outside."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from htbot.bootstrap.paper import PaperOptions, build_market
from htbot.domain.instruments import plain_instrument
from htbot.market.ports import ContractQuery, Show

EARLIER_SESSIONS = 11
MINUTES = 5


def write_synthetic_file(path: Path, symbol: str, day: date, seed: int = 7, others: Sequence[str] = ()) -> Path:
    """The day and the sessions before it, enough for the trend's warm-up; of `others` three sessions before it."""
    market = build_market(PaperOptions(state_dir=path.parent, start=day, seed=seed), day)
    session = market.sessions.on(day)
    assert session is not None
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(("ts", "symbol", "open", "high", "low", "close", "volume"))
        for name, earlier in ((symbol, EARLIER_SESSIONS), *((other, 3) for other in others)):
            facts = plain_instrument(name)
            query = ContractQuery(symbol=name, sec_type=facts.sec_type.value, exchange=facts.exchange, currency="USD")
            con_id = market.details(query, session.opens)[0].contract.con_id
            first = market.sessions.before(day, earlier)[0].opens
            for bar in market.candles(con_id, MINUTES * 60, first, session.closes, Show.TRADES):
                if bar.start < session.closes:
                    writer.writerow((bar.start.isoformat(), name, bar.open, bar.high, bar.low, bar.close, bar.volume))
    return path
