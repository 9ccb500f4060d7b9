"""What the real stack did on days of real data, a file a day: recorded once, held against the backtest for ever.

A stack day takes a minute, so CI plays one. These were played when they were recorded, and were identical to the
backtest then; a backtest that gives something else today has changed. Record a day anew, from the project's folder:

    python -m tests.golden.parity_days us_equities_5m_2022.parquet SPY 2022-08-26
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from tests.support.shared_data import shared_file

from htbot.backtest.day_rows import DayRows, Row
from htbot.bootstrap.demo import DemoOptions, run
from htbot.domain.sessions import Session
from htbot.persistence.codecs import plain

FOLDER = Path(__file__).parent / "parity"
WRITTEN = ("signal", "intent", "fill", "trade")


# What rows have got since the days of spreads were recorded.
_SINCE: Mapping[str, set[str]] = {
    "bar": {"symbol", "known_at"},
    "evaluation": {"strategy", "symbol"},
    "signal": {"strategy", "symbol", "action", "bar_start", "levels"},
    "intent": {"trade", "group"},
    "trade": {"strategy"},
}


def lines(rows: DayRows, session: Session, without: Mapping[str, set[str]] = _SINCE) -> list[str]:
    """Signals, intents, fills and trades as JSON lines; of bars and looks, of which there are many, one checksum.

    `without` names fields by kind of row that are left out.
    """
    found = sorted(rows.rows(session), key=lambda row: (row.at, row.kind, row.key))
    written = [_text(_told(row, without)) for row in found if row.kind in WRITTEN]
    return [*written, *_checksums(found, without)]


def path_of(symbol: str, day: date) -> Path:
    return FOLDER / f"{symbol}-{day}.jsonl"


def _told(row: Row, without: Mapping[str, set[str]]) -> dict[str, Any]:
    out = without.get(row.kind, set())
    return {"kind": row.kind, **plain({name: _even(value) for name, value in row.fields.items() if name not in out})}


def _even(value: Any) -> Any:
    """Money as the number that it is: 8.00 is 8."""
    return f"{value.normalize():f}" if hasattr(value, "normalize") else value


def _checksums(rows: Iterable[Row], without: Mapping[str, set[str]]) -> Iterator[str]:
    every = list(rows)
    for kind in ("bar", "evaluation"):
        own = [_text(_told(row, without)) for row in every if row.kind == kind]
        digest = hashlib.sha256("\n".join(own).encode()).hexdigest()
        yield _text({"kind": f"{kind}s", "count": len(own), "sha256": digest})


def _text(told: dict[str, Any]) -> str:
    return json.dumps(told, sort_keys=True)


def main(arguments: list[str]) -> None:
    """Play a day through the stack and write down what it did."""
    file, symbol, day = arguments[0], arguments[1], date.fromisoformat(arguments[2])
    played = run(DemoOptions(data=(shared_file(f"market/{file}"),), day=day, symbol=symbol))
    FOLDER.mkdir(exist_ok=True)
    text = "".join(f"{line}\n" for line in lines(played.record.rows, played.session))
    path_of(symbol, day).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
