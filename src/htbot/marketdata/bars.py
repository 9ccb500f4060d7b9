"""The fold of a bar stream into closed bars and the one open bar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from htbot.domain.bars import Bar
from htbot.marketdata.snapshot import OpenBar

# A real feed's last update of a bar comes shortly after the bar's end.
CLOSING_GRACE = timedelta(seconds=10)


@dataclass(slots=True)
class _Watched:
    bar: Bar
    seen_high: float | None
    seen_low: float | None

    def frozen(self) -> OpenBar:
        return OpenBar(self.bar, self.seen_high, self.seen_low)


class BarFold:
    """Keeps the open bar apart from closed ones and remembers which extremes were seen live (RULINGS 2).

    `exact` worlds deliver everything of a market time before its marker, so a bar closes at its end; elsewhere it
    closes when a later bar is there or `CLOSING_GRACE` after its end.
    """

    def __init__(self, *, exact: bool) -> None:
        self._grace = timedelta(0) if exact else CLOSING_GRACE
        self._open: _Watched | None = None
        self._unsaved: list[Bar] = []
        self._last_closed: OpenBar | None = None
        self._last_closed_start: datetime | None = None

    def load(self, history: list[Bar], now: datetime) -> list[Bar]:
        """Start from history; returns its closed bars. What the open bar has made before now was not seen live."""
        closed = [bar for bar in history if bar.end + self._grace <= now]
        self._unsaved.clear()
        self._last_closed = None
        self._open = None
        if len(closed) < len(history):
            last = history[-1]
            live = last.start >= now
            self._open = _Watched(last, last.high if live else None, last.low if live else None)
            closed = history[:-1]
        self._last_closed_start = closed[-1].start if closed else None
        return closed

    def update(self, bar: Bar) -> None:
        """One message of the stream."""
        if self._last_closed_start is not None and bar.start <= self._last_closed_start:
            return
        watched = self._open
        if watched is not None and bar.start > watched.bar.start:
            self._close()
            watched = None
        if watched is None or bar.start < watched.bar.start:
            self._open = _Watched(bar, bar.high, bar.low)
            return
        self._note_extremes(watched, bar)
        watched.bar = bar

    @staticmethod
    def _note_extremes(watched: _Watched, bar: Bar) -> None:
        high = bar.high if bar.high > watched.bar.high else bar.close
        low = bar.low if bar.low < watched.bar.low else bar.close
        watched.seen_high = high if watched.seen_high is None else max(watched.seen_high, high)
        watched.seen_low = low if watched.seen_low is None else min(watched.seen_low, low)

    def _close(self) -> None:
        if self._open is not None:
            self._last_closed = self._open.frozen()
            self._unsaved.append(self._open.bar)
            self._last_closed_start = self._open.bar.start
            self._open = None

    def settle(self, now: datetime) -> list[Bar]:
        """Close what has ended by `now`; returns the bars closed since the last call, oldest first."""
        if self._open is not None and self._open.bar.end + self._grace <= now:
            self._close()
        closed, self._unsaved = self._unsaved, []
        return closed

    def take_last_closed(self) -> OpenBar | None:
        """The newest bar that closed since the last call of this, None when none did."""
        last, self._last_closed = self._last_closed, None
        return last

    def forget_extremes(self) -> None:
        """After a halt or a gap: what the open bar has made so far was not watched."""
        if self._open is not None:
            self._open.seen_high = None
            self._open.seen_low = None

    @property
    def open_bar(self) -> OpenBar | None:
        """The bar that is being made."""
        return None if self._open is None else self._open.frozen()
