"""An open trade is shown at the prices that its exit guard looks at, when they are newer than the record's."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.support import record
from tests.support.people import HOST_NOW, chain, clock

from htbot.domain.quotes import Quote
from htbot.domain.scheduler import SchedulerSetting
from htbot.marketdata.snapshot import Snapshot
from htbot.persistence.queries.selection import Selection
from htbot.persistence.queries.shapes import DayPnl, OpenTradeView
from htbot.services.board.picture import at_market, picture_of
from htbot.services.board.readings import LiveReading, RecordReading
from htbot.services.desk_view import DeskView
from htbot.services.status_view import StoredStatus

TRADE = record.trade(credit=Decimal("4.30"))
VIEW = OpenTradeView(
    id=TRADE.id,
    strategy="s",
    account=record.ACCOUNT,
    symbol="SPX",
    direction=1,
    state="open",
    opened_at=record.NOON,
    legs=[],
    quantity=1,
    width=Decimal(40),
    credit=Decimal("4.30"),
    maximum_loss=None,
    mark=Decimal("3.90"),
    natural=Decimal("4.10"),
    pnl_mid=Decimal("40.00"),
    pnl_natural=Decimal("20.00"),
    max_gain=None,
    marked_at=record.at(3),
    target=Decimal(400),
    stop=Decimal(200),
    exit_at=record.at(180),
    flat_deadline=record.at(225),
)


def ticker(
    minutes: float, short: tuple[float | None, float | None], long: tuple[float | None, float | None]
) -> Snapshot:
    at = record.at(minutes)
    quotes = {
        record.SHORT.con_id: Quote(record.SHORT.con_id, at, *short, 1, 1),
        record.LONG.con_id: Quote(record.LONG.con_id, at, *long, 1, 1),
    }
    return replace(chain(), as_of=at, quotes=quotes)


def test_the_day_is_closed_trades_and_the_marks_of_the_same_picture() -> None:
    closed = DayPnl(record.DAY, 1, Decimal(40), Decimal("2.50"), Decimal("37.50"))
    view = replace(VIEW, maximum_loss=Decimal(3570), commissions=Decimal("1.25"))
    stored = StoredStatus((), [], [view, replace(view, id="other")], [], [], [], HOST_NOW, [], SchedulerSetting(), [])
    read = RecordReading(
        version="1",
        wanted=frozenset(),
        traded=Selection(record.ACCOUNT),
        told_at=HOST_NOW,
        read_at=HOST_NOW,
        status=stored,
        positions=[],
        closed={record.ACCOUNT: closed, "DU2": replace(closed, net=Decimal(1))},
        carried={record.ACCOUNT: Decimal(10), "DU2": Decimal(0)},
        trades={TRADE.id: TRADE},
    )
    said = clock(market_time=record.at(4))
    quoted = ticker(4, (6.10, 6.30), (1.90, 2.00))
    live = LiveReading(DeskView("running", "connected", said, said.market_time), True, {"SPX": quoted})
    seen = picture_of(live, read, [], ("paper", HOST_NOW), away=False)
    assert [trade.pnl_mid for trade in seen.open_trades] == [Decimal("5.00"), Decimal("40.00")]
    mine = seen.days[record.ACCOUNT]
    assert (mine.closed, mine.open.mid, mine.total) == (closed, Decimal(45), Decimal("70.00")), (
        "10 are of other days, 2.50 are paid"
    )
    assert mine.as_of == record.at(3), "the oldest mark, of the one that has no newer quotes"
    assert {one: day.total for one, day in seen.days.items()} == {
        record.ACCOUNT: Decimal("70.00"),
        "DU2": Decimal(1),
        None: Decimal("71.00"),
    }, "by account, and all together"
    assert seen.days[None].closed.trades == 2
    flat = picture_of(live, replace(read, status=replace(stored, open_trades=[])), [], ("paper", HOST_NOW), away=False)
    assert (flat.days[record.ACCOUNT].total, flat.days[record.ACCOUNT].as_of) == (Decimal("27.50"), record.at(4))


def test_newer_quotes_mark_it() -> None:
    shown = at_market(VIEW, TRADE, ticker(4, (6.10, 6.30), (1.90, 2.00)))
    assert (shown.mark, shown.natural) == (Decimal("4.25"), Decimal("4.40"))
    assert (str(shown.pnl_mid), str(shown.pnl_natural)) == ("5.00", "-10.00")
    assert shown.marked_at == record.at(4)
    assert replace(shown, mark=VIEW.mark, natural=VIEW.natural, pnl_mid=VIEW.pnl_mid) != VIEW


@pytest.mark.parametrize(
    "seen",
    [
        None,
        ticker(2, (6.10, 6.30), (1.90, 2.00)),
        ticker(3, (6.10, 6.30), (1.90, 2.00)),
        ticker(4, (6.10, None), (1.90, 2.00)),
        replace(ticker(4, (6.10, 6.30), (1.90, 2.00)), quotes={}),
    ],
)
def test_older_quotes_and_half_ones_do_not(seen: Snapshot | None) -> None:
    assert at_market(VIEW, TRADE, seen) is VIEW


def test_a_trade_without_a_credit_has_a_mark_and_no_result() -> None:
    shown = at_market(VIEW, replace(TRADE, credit=None), ticker(4, (6.10, 6.30), (1.90, 2.00)))
    assert (shown.mark, shown.pnl_mid, shown.pnl_natural) == (Decimal("4.25"), None, None)
