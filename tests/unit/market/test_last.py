from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.paper_world import SPY, START

from htbot.domain.quotes import Quote
from htbot.market.last import shown_trades
from htbot.market.ports import Print


@dataclass
class Tape:
    """Trades up to an instant."""

    rows: list[Print]
    at: datetime = START
    recorded: bool = False
    asked: list[datetime] = field(default_factory=list)

    def prints(self, con_id: int, since: datetime) -> list[Print]:
        assert con_id == SPY
        self.asked.append(since)
        return [row for row in self.rows if since < row.at <= self.at]

    def has_tape(self, con_id: int) -> bool:
        assert con_id == SPY
        return self.recorded


def trade(seconds: float, price: float) -> Print:
    return Print(START + timedelta(seconds=seconds), price, 1.0)


def quote(last: float | None) -> Quote:
    return Quote(SPY, START, 469.99, 470.01, last=last)


ROWS = [trade(-90, 1.0), trade(-50, 2.0), trade(-3, 3.0), trade(-1, 4.0), trade(0, 5.0)]


def test_a_line_begins_with_the_last_trade_of_a_minute() -> None:
    assert shown_trades(Tape(ROWS), quote(5.0), None, None) == [ROWS[-1]]
    assert shown_trades(Tape(ROWS[:1]), quote(1.0), None, None) == []


def test_a_recorded_tape_is_told_whole() -> None:
    since = START - timedelta(seconds=60)
    assert shown_trades(Tape(ROWS, recorded=True), quote(5.0), since, 5.0) == ROWS[1:]


def test_of_a_modelled_tape_the_last_of_two_seconds_is_told_when_the_price_has_changed() -> None:
    since = START - timedelta(seconds=30)
    assert shown_trades(Tape(ROWS), quote(5.0), since, 4.5) == [ROWS[-1]]
    assert shown_trades(Tape(ROWS), quote(5.0), since, 5.0) == ()
    assert shown_trades(Tape(ROWS[:3]), quote(5.0), since, 4.5) == []
    assert shown_trades(Tape(ROWS), quote(None), since, 4.5) == ()


def test_it_never_looks_back_beyond_its_last_look() -> None:
    tape = Tape(ROWS)
    shown_trades(tape, quote(5.0), START - timedelta(seconds=1), 4.5)
    assert tape.asked == [START - timedelta(seconds=1)]
