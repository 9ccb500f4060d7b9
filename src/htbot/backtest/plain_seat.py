"""A seat of a backtest: a strategy that is shown the bars as they become known, and the fates of its entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from htbot.backtest.plain_request import Seat
from htbot.domain.bars import Bar
from htbot.engine.guarding import guarded
from htbot.engine.observation import Fired
from htbot.engine.recorded import Fate, RecordedLoop
from htbot.engine.recorded_bars import Shown, beginning, clock, late_bar_s, placed, require_prices, waits
from htbot.marketdata.tape_bars import ClosedBar, TapeCalendar

_NEVER_S = float("-inf")


class SeatState:
    """What a seat has seen. Its state is a fold, made anew as soon as the past of its entries is another.

    A strategy that raises is `disabled`, as live: it enters nothing more, and is asked only while it holds something.
    Then it is `gone`. `failed` says what its last look raised; the next one folds it anew, as it does when a wish was
    left `undone`. One that has not begun waits for its history.
    """

    def __init__(self, seat: Seat, calendar: TapeCalendar) -> None:
        strategy = seat.build()
        self.seat = seat
        self.minutes, self._warm_up_bars = strategy.inputs.bar_minutes, strategy.inputs.warm_up_bars
        self._since_s = None if seat.since is None else seat.since.timestamp()
        self._waits = ""
        self.config, self.config_hash = strategy.config, strategy.config_hash
        self._calendar = calendar
        self._bars: list[Shown] = []
        self._fates: Sequence[Fate] = ()
        self._shown = 0
        self.loop = self._blank(())
        self.failed = ""
        self.disabled = self.gone = self.undone = False

    def add(self, bars: Iterable[Bar], known_at: datetime) -> None:
        """Bars that have closed and are known from an instant on."""
        own = [_closed(bar, known_at) for bar in bars if (bar.symbol, bar.minutes) == (self.seat.symbol, self.minutes)]
        first_s = _NEVER_S if self.seat.first_bar is None else self.seat.first_bar.timestamp()
        self._bars += placed((bar for bar in own if bar.start_s >= first_s), self._calendar, self.minutes)

    def look(self, fates: Sequence[Fate], as_of: datetime) -> list[tuple[Fired, ClosedBar]]:
        """What the strategy wants after each bar that it has not been shown in this fold; one is shown a bar once."""
        if self._since_s is None and not self._begin(as_of):
            return []
        failed: dict[str, str] = {}
        fired = guarded(failed, self.seat.name, lambda: self._look(fates))
        self.failed = failed.get(self.seat.name, "")
        self.disabled = self.disabled or bool(self.failed)
        return fired or []

    def _begin(self, as_of: datetime) -> bool:
        begins = beginning(self._bars, self._warm_up_bars, self.minutes, self._calendar, as_of)
        if isinstance(begins, str):
            self._waits = begins
            return False
        self._bars = [shown for shown in self._bars if shown[0].start_s >= begins]
        self._since_s, self._waits = as_of.timestamp(), ""
        self.loop = self._blank(self._fates)
        return True

    def _look(self, fates: Sequence[Fate]) -> list[tuple[Fired, ClosedBar]]:
        if self.failed or self.undone or list(fates) != list(self._fates):
            self.undone = False
            self._fates, self._shown, self.loop = fates, 0, self._blank(fates)
        fired = []
        for bar, tape_bar in self._bars[self._shown :]:
            what = self.loop.show(tape_bar)
            if what is not None:
                require_prices(what)
                fired.append((what, bar))
        self._shown = len(self._bars)
        return fired

    def why_not(self, as_of: datetime) -> str:
        """Why nothing has fired, as the record says it."""
        if self.failed:
            return f"disabled: {self.failed}"
        if self._waits or not self._bars:
            return self._waits or waits(0, self._warm_up_bars, self.minutes)
        late_s = late_bar_s(self._calendar, self._bars[-1][0].start_s, self.minutes, as_of)
        said = [] if late_s is None else [f"the bar of {clock(late_s)} is late"]
        return "; ".join([*said, self.loop.standing()])

    @property
    def position(self) -> Mapping[str, float]:
        """What it takes itself to hold; nobody knows of one that has just failed."""
        return {} if self.failed else self.loop.position

    def _blank(self, fates: Sequence[Fate]) -> RecordedLoop:
        return RecordedLoop(self.seat.build(), _NEVER_S if self._since_s is None else self._since_s, fates)


def _closed(bar: Bar, known_at: datetime) -> ClosedBar:
    prices = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return ClosedBar(int(bar.start.timestamp()), known_at.timestamp(), *prices)
