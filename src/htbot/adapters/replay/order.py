"""Rows in order, and the length of a file's bars (RULINGS 39)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from htbot.adapters.replay.table import Ints, Table
from htbot.domain.errors import ConfigurationError
from htbot.domain.sessions import NEW_YORK

LONGEST_MINUTES = 390
_RUN = 12  # gaps in a row that are longer than a bar: a stretch of other bars, not trading that paused
_DAY_S = 86_400
_OPENS_S, _CLOSES_S = (9 * 60 + 30) * 60, 16 * 3600


def series_runs(table: Table) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers of each series (symbol, or option), in file order; each strictly ascending in time.

    Raises:
        ConfigurationError: a repeated or an earlier time within a series.
    """
    codes = _codes(table)
    order = np.argsort(codes, kind="stable")
    borders = np.flatnonzero(np.diff(codes[order])) + 1
    for rows in np.split(order, borders):
        steps = np.diff(table.start_s[rows])
        wrong = np.flatnonzero(steps <= 0)
        if len(wrong):
            row = int(rows[wrong[0] + 1])
            earlier = table.start_s[rows[: wrong[0] + 1]]
            text = datetime.fromtimestamp(int(table.start_s[row]), UTC).strftime("%Y-%m-%d %H:%M")
            if (earlier == table.start_s[row]).any():
                raise table.fail(row, f"duplicate row for {text} UTC")
            raise table.fail(row, f"not sorted: {text} UTC comes after a later row")
        yield rows


def bar_minutes(table: Table, runs: list[npt.NDArray[np.int64]], given: int | None) -> int:
    """The commonest gap between neighbours of a session's regular hours, or what was given.

    Raises:
        ConfigurationError: bars of several lengths, a length outside 1..390 minutes, or none to be seen.
    """
    sessions = [rows for run in runs for rows in _sessions(table, run)]
    gaps = [np.diff(table.start_s[rows]) for rows in sessions]
    length_s = given * 60 if given else _commonest(table, gaps)
    if not 1 <= length_s // 60 <= LONGEST_MINUTES:
        raise ConfigurationError(
            f"{table.name}: bars of {length_s // 60} minutes; 1 to {LONGEST_MINUTES} can be played, "
            "or give the length (--bar 5m)"
        )
    if table.of_options:
        return length_s // 60  # options rest for any time between two rows
    for rows, steps in zip(sessions, gaps, strict=True):
        _refuse_mixed(table, rows, steps, length_s, given=given is not None)
    return length_s // 60


def _codes(table: Table) -> Ints:
    columns = [np.unique(np.asarray(table.symbols), return_inverse=True)[1]]
    if table.of_options:
        keys = (np.asarray(table.expiries), np.asarray(table.rights), table.values["strike"])
        columns += [np.unique(key, return_inverse=True)[1] for key in keys]
    codes = np.zeros(len(table.start_s), dtype=np.int64)
    for column in columns:
        codes = codes * (int(column.max()) + 1) + column
    return codes


def _sessions(table: Table, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """A series' rows by New York date, those within 09:30 to 16:00 only."""
    starts = table.start_s[rows]
    offsets = _offsets(starts)
    clock = (starts + offsets) % _DAY_S
    inside = (clock >= _OPENS_S) & (clock < _CLOSES_S)
    kept, days = rows[inside], ((starts + offsets) // _DAY_S)[inside]
    return [part for part in np.split(kept, np.flatnonzero(np.diff(days)) + 1) if len(part)]


def _offsets(starts: Ints) -> Ints:
    """New York's offset from UTC in seconds, looked up once per UTC day (changes fall on Sunday nights)."""
    days, inverse = np.unique(starts // _DAY_S, return_inverse=True)
    noon = [datetime.fromtimestamp(int(day) * _DAY_S + _DAY_S // 2, NEW_YORK).utcoffset() for day in days]
    seconds = np.array([offset.total_seconds() if offset else 0 for offset in noon], dtype=np.int64)
    return np.asarray(seconds[inverse], dtype=np.int64)


def _commonest(table: Table, gaps: list[Ints]) -> int:
    joined = np.concatenate(gaps) if gaps else np.array([], dtype=np.int64)
    if len(joined):
        values, counts = np.unique(joined, return_counts=True)
        return int(values[counts.argmax()])
    steps = np.diff(table.start_s)
    days = steps[steps >= _DAY_S]
    if len(days) and not ((steps > 0) & (steps < _DAY_S)).any():
        return int(days.min())  # a row a day: said as such
    raise ConfigurationError(
        f"{table.name}: no two bars lie in one session, their length is unknown: give it (--bar 5m)"
    )


def _refuse_mixed(table: Table, rows: Ints, steps: Ints, length_s: int, *, given: bool) -> None:
    minutes = length_s // 60
    short = np.flatnonzero((steps < length_s) | (steps % length_s != 0))
    if len(short):
        at = int(short[0])
        raise table.fail(
            int(rows[at + 1]), f"mixed bar length: {steps[at] // 60} minutes after the row before, in bars of {minutes}"
        )
    if given:
        return
    same = 0
    for number, step in enumerate(steps.tolist()):
        same = same + 1 if step > length_s and number and step == steps[number - 1] else int(step > length_s)
        if same >= _RUN:
            raise table.fail(
                int(rows[number + 1]), f"mixed bar length: {same} bars of {step // 60} minutes in a file of {minutes}"
            )
