"""Answers of a strategy that were worked out by hand or by another reading of its rules, as a CSV file.

One row is one bar, in the order of time; rows with the same `case` are one run from its first bar. Columns:

    case        name of the run
    settings    on a case's first row, what differs from the defaults: short_window=2 long_window=3
    start       start of the bar, New York: 2024-01-02 09:30
    open high low close volume
    advice      what the strategy says to the bar: long, short, leave; empty: nothing
    stop target confidence   of an entry; empty: none
    closed      why the position was closed at this bar, as `Leave` names it; empty: it was not
    why         the sum, for the reader
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path

import numpy as np
from tests.support.strategy_tapes import columns_of, weekdays

from htbot.backtest.tape import Tape, make_tape
from htbot.domain.sessions import NEW_YORK
from htbot.strategies.bar_strategy import LONG, SHORT, Advice

COLUMNS = (
    "case", "settings", "start", "open", "high", "low", "close", "volume", "advice", "stop", "target", "confidence",
    "closed", "why",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What is expected at one bar."""

    line: int
    advice: str
    stop: float
    target: float
    confidence: float
    closed: str


@dataclass(frozen=True)
class Case:
    """One run: settings, bars, and an answer for each of them."""

    name: str
    settings: dict[str, object]
    tape: Tape
    answers: list[Answer]


def read_answers(path: Path, minutes: int) -> list[Case]:
    """The cases of a file; `minutes` is the length of its bars."""
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        assert tuple(reader.fieldnames or ()) == COLUMNS, f"{path}: columns are {COLUMNS}"
        rows = [{**row, "line": str(number)} for number, row in enumerate(reader, 2)]
    return list(_cases(rows, minutes))


def _cases(rows: list[dict[str, str]], minutes: int) -> Iterator[Case]:
    for name, group in groupby(rows, key=lambda row: row["case"]):
        of_case = list(group)
        starts = [int(datetime.fromisoformat(row["start"]).replace(tzinfo=NEW_YORK).timestamp()) for row in of_case]
        prices = np.array([[float(row[column]) for column in ("open", "high", "low", "close")] for row in of_case])
        columns = columns_of(starts, prices, [float(row["volume"]) for row in of_case], 60 * minutes)
        tape = make_tape("ANSWERS", columns, weekdays())
        assert len(tape) == len(of_case), f"{name}: a bar lies outside of regular hours"
        settings: dict[str, object] = dict(word.split("=") for word in of_case[0]["settings"].split())
        yield Case(name, settings, tape, [_answer(row) for row in of_case])


def _answer(row: dict[str, str]) -> Answer:
    stop, target = (float(row[column] or math.nan) for column in ("stop", "target"))
    return Answer(int(row["line"]), row["advice"], stop, target, float(row["confidence"] or 0), row["closed"])


def said(advice: Advice) -> str:
    """An advice in the words of the file."""
    if advice.side != 0:
        return {LONG: "long", SHORT: "short"}[advice.side]
    return "leave" if advice.leave else ""
