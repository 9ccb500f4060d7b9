"""Rows in order, and the length of a file's bars (RULINGS 39)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from htbot.adapters.replay.table import Ints, Table
from htbot.domain.errors import ConfigurationError
from htbot.domain.sessions import NEW_YORK

_RUN = 12  # gaps in a row that are longer than a bar: a stretch of other bars, not trading that paused
DAY_S = 86_400
SESSION_S = 390 * 60
_OPENS_S, _CLOSES_S = (9 * 60 + 30) * 60, 16 * 3600


def series_runs(table: Table) -> Iterator[npt.NDArray[np.int64]]:
    """Row numbers of each series (symbol, or option), in file order; each strictly ascending in time.

    Ticks may share a time: then their order in the file stands, and a `seq` must rise with it.

    Raises:
        ConfigurationError: a repeated or an earlier time within a series.
    """
    codes = _codes(table)
    order = np.argsort(codes, kind="stable")
    borders = np.flatnonzero(np.diff(codes[order])) + 1
    for rows in np.split(order, borders):
        if table.of_ticks:
            _check_tape(table, rows)
            yield rows
            continue
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


def _check_tape(table: Table, rows: Ints) -> None:
    earlier = np.flatnonzero(np.diff(table.at_ms[rows]) < 0)
    if len(earlier):
        raise table.fail(int(rows[earlier[0] + 1]), "not sorted: its time is before that of the row before")
    if "seq" in table.values:
        fallen = np.flatnonzero(np.diff(table.values["seq"][rows]) <= 0)
        if len(fallen):
            raise table.fail(int(rows[fallen[0] + 1]), "not sorted: its seq does not rise")


def bar_seconds(table: Table, runs: list[npt.NDArray[np.int64]], given: int | None) -> int:
    """The commonest gap between neighbours of a session's regular hours, or what was given; 86,400 for daily bars.

    Raises:
        ConfigurationError: bars of several lengths, a length between a session and a day, a given one that no two
            bars have, or none to be seen.
    """
    sessions = [rows for run in runs for rows in _sessions(table, run)]
    gaps = [np.diff(table.start_s[rows]) for rows in sessions]
    length_s = given or _commonest(table, gaps)
    if length_s > DAY_S or SESSION_S < length_s < DAY_S:
        raise ConfigurationError(
            f"{table.name}: bars of {_length(length_s)}; 1 second to {_length(SESSION_S)} and 1 day can be played, "
            "or give the length (--bar 5m)"
        )
    if table.of_options:
        return length_s  # options rest for any time between two rows
    if length_s == DAY_S:
        _refuse_two_a_day(table, runs)
        return length_s
    for rows, steps in zip(sessions, gaps, strict=True):
        _refuse_mixed(table, rows, steps, length_s, given=given is not None)
    if given and any(len(steps) for steps in gaps) and not any((steps == length_s).any() for steps in gaps):
        usual = _length(_commonest(table, gaps))
        raise ConfigurationError(
            f"{table.name}: no two bars are {_length(length_s)} apart, most are {usual}: see --bar"
        )
    return length_s


def _length(seconds: int) -> str:
    """A length in words: `5 minutes`, `1 second`."""
    for unit, size in (("day", DAY_S), ("minute", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}{'s' if seconds != size else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"


def _refuse_two_a_day(table: Table, runs: list[npt.NDArray[np.int64]]) -> None:
    for rows in runs:
        starts = table.start_s[rows]
        same = np.flatnonzero(np.diff((starts + _offsets(starts)) // DAY_S) == 0)
        if len(same):
            raise table.fail(int(rows[same[0] + 1]), "mixed bar length: a second row on one day, in bars of 1 day")


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
    clock = (starts + offsets) % DAY_S
    inside = (clock >= _OPENS_S) & (clock < _CLOSES_S)
    kept, days = rows[inside], ((starts + offsets) // DAY_S)[inside]
    return [part for part in np.split(kept, np.flatnonzero(np.diff(days)) + 1) if len(part)]


def _offsets(starts: Ints) -> Ints:
    """New York's offset from UTC in seconds, looked up once per UTC day (changes fall on Sunday nights)."""
    days, inverse = np.unique(starts // DAY_S, return_inverse=True)
    noon = [datetime.fromtimestamp(int(day) * DAY_S + DAY_S // 2, NEW_YORK).utcoffset() for day in days]
    seconds = np.array([offset.total_seconds() if offset else 0 for offset in noon], dtype=np.int64)
    return np.asarray(seconds[inverse], dtype=np.int64)


def _commonest(table: Table, gaps: list[Ints]) -> int:
    joined = np.concatenate(gaps) if gaps else np.array([], dtype=np.int64)
    if len(joined):
        values, counts = np.unique(joined, return_counts=True)
        return int(values[counts.argmax()])
    steps = np.diff(table.start_s)
    days = steps[steps >= DAY_S]
    if len(days) and not ((steps > 0) & (steps < DAY_S)).any():
        return DAY_S if days.min() < 2 * DAY_S else int(days.min())
    raise ConfigurationError(
        f"{table.name}: no two bars lie in one session, their length is unknown: give it (--bar 5m)"
    )


def _refuse_mixed(table: Table, rows: Ints, steps: Ints, length_s: int, *, given: bool) -> None:
    short = np.flatnonzero((steps < length_s) | (steps % length_s != 0))
    if len(short):
        at = int(short[0])
        raise table.fail(
            int(rows[at + 1]),
            f"mixed bar length: {_length(int(steps[at]))} after the row before, in bars of {_length(length_s)}",
        )
    if given:
        return
    same = 0
    for number, step in enumerate(steps.tolist()):
        same = same + 1 if step > length_s and number and step == steps[number - 1] else int(step > length_s)
        if same >= _RUN:
            raise table.fail(
                int(rows[number + 1]),
                f"mixed bar length: {same} bars of {_length(step)} in a file of {_length(length_s)}",
            )
