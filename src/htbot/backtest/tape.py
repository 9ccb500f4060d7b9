"""The bars of one instrument as a tape: a NumPy record per closed bar of regular hours, ready for the loop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, get_type_hints

import numpy as np
import numpy.typing as npt

from htbot.domain.bars import TapeBar
from htbot.domain.errors import ConfigurationError
from htbot.domain.recorded import BarColumns
from htbot.domain.sessions import NEW_YORK, OPEN_MINUTE, SESSION_MINUTES, SessionTable

_KINDS = {int: "i8", float: "f8", bool: "?"}
BAR_RECORD = np.dtype([(name, _KINDS[kind]) for name, kind in get_type_hints(TapeBar).items()], align=True)
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Tape:
    """`bars` has the fields of `TapeBar`, oldest first; `seconds` is the length of a bar, 86,400 for whole sessions."""

    symbol: str
    seconds: int
    bars: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.bars)

    def between(self, first: date | None, last: date | None) -> Tape:
        """The part of the sessions from `first` to `last`, both included; None leaves that end open."""
        sessions = self.bars["session"]
        begin = 0 if first is None else int(np.searchsorted(sessions, first.toordinal(), "left"))
        end = len(sessions) if last is None else int(np.searchsorted(sessions, last.toordinal(), "right"))
        return Tape(self.symbol, self.seconds, self.bars[begin:end])

    def of_length(self, minutes: int) -> Tape:
        """Longer bars made of these, on a grid that begins at the open; from 390 minutes on one for each session.

        Raises:
            ConfigurationError: the bars are longer, do not fill such a bar evenly, or lie across its bounds.
        """
        wanted = DAY_S if minutes >= SESSION_MINUTES else minutes * 60
        if wanted == self.seconds:
            return self
        if self.seconds > wanted or wanted % self.seconds:
            have = "whole sessions" if self.seconds == DAY_S else f"{self.seconds // 60} minutes"
            raise ConfigurationError(f"bars of {minutes} minutes cannot be made of bars of {have}")
        bars = self.bars
        if self.seconds != DAY_S and ((bars["minute"] - OPEN_MINUTE) % (self.seconds // 60)).any():
            raise ConfigurationError(f"bars of {self.symbol} do not lie on a grid that begins at 09:30 New York")
        place = np.zeros(len(bars), np.int64) if wanted == DAY_S else (bars["minute"] - OPEN_MINUTE) // minutes
        begins = np.ones(len(bars), np.bool_)
        begins[1:] = (place[1:] != place[:-1]) | (bars["session"][1:] != bars["session"][:-1])
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(bars)) - 1
        made = bars[first]
        made["high"], made["low"] = np.maximum.reduceat(bars["high"], first), np.minimum.reduceat(bars["low"], first)
        made["volume"], made["close"] = np.add.reduceat(bars["volume"], first), bars["close"][last]
        made["ends_session"] = bars["ends_session"][last]
        made["minute"] = OPEN_MINUTE + place[first] * minutes
        made["start_s"] -= (bars["minute"][first] - made["minute"]) * 60
        made["end_minute"] = np.minimum(made["minute"] + minutes, made["close_minute"])
        return Tape(self.symbol, wanted, made)


def make_tape(symbol: str, columns: BarColumns, table: SessionTable) -> Tape:
    """Bars of regular hours with their place in the session; everything outside of it is left out.

    Raises:
        ConfigurationError: no bar lies within a session, or bars that are not whole minutes.
    """
    seconds = columns.seconds
    if seconds % 60:
        raise ConfigurationError(f"{columns.file}: bars of {seconds} s; a backtest takes whole minutes, or 1d")
    start_s = np.frombuffer(columns.start_s, np.int64)
    sessions = table.all()
    opens_s = np.array([int(one.opens.timestamp()) for one in sessions], np.int64)
    closes_s = np.array([int(one.closes.timestamp()) for one in sessions], np.int64)
    if seconds == DAY_S:
        days = np.array([one.day.toordinal() for one in sessions], np.int64)
        row_days = _days_of(start_s)
        place = np.searchsorted(days, row_days).clip(0, len(sessions) - 1)
        inside = days[place] == row_days
    else:
        place = (np.searchsorted(opens_s, start_s, "right") - 1).clip(0)
        inside = (opens_s[place] <= start_s) & (start_s < closes_s[place])
    if not inside.any():
        raise ConfigurationError(f"{columns.file}: no bar of {symbol} lies within regular hours")
    place = place[inside]
    bars = np.zeros(len(place), BAR_RECORD)
    for name in ("open", "high", "low", "close", "volume"):
        bars[name] = np.frombuffer(getattr(columns, name), np.float64)[inside]
    midnight_s = np.array([int(one.at(0, 0).timestamp()) for one in sessions], np.int64)
    bars["session"] = np.array([one.day.toordinal() for one in sessions], np.int64)[place]
    bars["close_minute"] = (closes_s - midnight_s)[place] // 60
    bars["start_s"] = opens_s[place] if seconds == DAY_S else start_s[inside]
    bars["minute"] = (bars["start_s"] - midnight_s[place]) // 60
    bars["end_minute"] = np.minimum(bars["minute"] + seconds // 60, bars["close_minute"])
    bars["ends_session"][:-1] = bars["session"][1:] != bars["session"][:-1]
    bars["ends_session"][-1] = True
    return Tape(symbol, seconds, bars)


def _days_of(start_s: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The New York day of each start; a bar of a day may start at midnight UTC, which is the evening before there."""

    def day(at_s: int) -> int:
        moment = datetime.fromtimestamp(at_s, UTC)
        return (moment if at_s % DAY_S == 0 else moment.astimezone(NEW_YORK)).date().toordinal()

    return np.array([day(at_s) for at_s in start_s.tolist()], np.int64)
