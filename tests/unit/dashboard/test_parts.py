from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from htbot.dashboard.parts import charts, gauges, numbers
from htbot.dashboard.parts.markup import Column, Row, amount, empty, table, tag
from htbot.dashboard.parts.rules import gate
from htbot.dashboard.parts.settings_form import hint_of, label_of, trouble_of
from htbot.dashboard.parts.trading import contract
from htbot.domain.bars import Bar
from htbot.domain.sessions import NEW_YORK
from htbot.persistence.queries.shapes import DayMoney, DayPnl, OpenPnl
from htbot.services.day_picture import DayPicture, DayStory, EquityPoint, TradePoint

OPEN = datetime(2026, 3, 3, 14, 30, tzinfo=UTC)
MINUS = "\N{MINUS SIGN}"
UNTRUSTED = '<img src=x onerror="alert(1)">'


def bar(number: int, opened: float = 10.0, close: float = 11.0) -> Bar:
    return Bar("SPX", OPEN + timedelta(minutes=5 * number), 5, opened, 12.5, 9.5, close, 0.0)


def picture(**changes: object) -> DayPicture:
    known: dict[str, object] = {
        "symbol": "SPX",
        "minutes": 5,
        "day": date(2026, 3, 3),
        "as_of": OPEN + timedelta(minutes=12),
        "spot": 11.5,
        "bars": (bar(0), bar(1)),
        "open_bar": bar(2),
        "opens": OPEN,
        "closes": OPEN + timedelta(hours=6.5),
    }
    return DayPicture(**{**known, **changes})


def test_unknown_is_a_dash_and_never_zero() -> None:
    for told in (
        numbers.money(None),
        numbers.price(None),
        numbers.whole(None),
        numbers.percent(None),
        numbers.age(None),
    ):
        assert told == "—"
    assert "—" in amount(None)
    assert "unknown" in amount(None)


@pytest.mark.parametrize(
    ("value", "exact", "rounded"),
    [
        ("-219.92", f"{MINUS}$219.92", f"{MINUS}$220"),
        ("400.08", "+$400.08", "+$400"),
        ("0", "$0.00", "$0"),
        ("1234.5", "+$1,234.50", "+$1,234"),
    ],
)
def test_money_has_its_sign(value: str, exact: str, rounded: str) -> None:
    assert numbers.money(Decimal(value), sign=True) == exact
    assert numbers.money(Decimal(value), sign=True, cents=False) == rounded


def test_a_gain_and_a_loss_differ_in_more_than_colour() -> None:
    assert "▲" in amount(Decimal(5))
    assert "▼" in amount(Decimal(-5))
    assert "▲" not in amount(Decimal(0))


def test_texts_are_escaped_wherever_they_stand() -> None:
    row = Row((UNTRUSTED, tag("b", UNTRUSTED)), more=tag("p", UNTRUSTED, title=UNTRUSTED))
    made = table(UNTRUSTED, (Column(UNTRUSTED), Column("b")), [row], empty("nothing"))
    assert "<img" not in made
    assert 'onerror="' not in made.replace("&#34;", "")
    assert "<img" not in gate([{"rule": UNTRUSTED, "passed": False, "limit": UNTRUSTED, "value": UNTRUSTED}])


def test_a_table_without_rows_says_so() -> None:
    assert "Nothing is held." in table("Positions", (Column("a"),), [], empty("Nothing is held."))


def test_a_candle_is_open_close_low_high() -> None:
    assert charts.candle(bar(0)) == [10.0, 11.0, 9.5, 12.5]


def test_the_chart_has_each_bar_once_and_the_levels_of_the_day() -> None:
    data = charts.candle_data(picture(), None, NEW_YORK)
    assert data["xAxis"][0]["data"] == ["2026-03-03 09:30", "2026-03-03 09:35", "2026-03-03 09:40"]
    bars = data["series"][0]
    assert len(bars["data"]) == 3
    assert [(one["name"], one["yAxis"]) for one in bars["markLine"]["data"] if "yAxis" in one] == [
        ("high", 12.5),
        ("low", 9.5),
        ("last", 11.5),
    ]
    closed = charts.candle_data(picture(open_bar=bar(1)), None, NEW_YORK)
    assert len(closed["series"][0]["data"]) == 2


def test_sessions_are_divided_and_the_levels_of_a_day_are_over_that_day() -> None:
    friday = replace(bar(0), start=OPEN - timedelta(days=4))
    shown = picture(bars=(friday, replace(friday, start=friday.start + timedelta(minutes=5)), *picture().bars))
    bars, _, _, high, low, last = charts.candle_data(shown, None, ZoneInfo("Europe/Zurich"))["series"]
    divided = [(one["xAxis"], one["label"]["formatter"]) for one in bars["markLine"]["data"] if "xAxis" in one]
    assert divided == [("2026-03-03 15:30", "Tue 2026-03-03")]
    assert high["data"] == [None, None, 12.5, 12.5, 12.5]
    assert low["data"] == [None, None, 9.5, 9.5, 9.5]
    assert last["data"] == [None, None, 11.5, 11.5, 11.5]
    for one in bars["markLine"]["data"]:
        assert one["name"] == "day" or one["lineStyle"]["opacity"] == 0, "over other days no line is drawn"


def test_entries_and_exits_stand_at_their_bars_with_words() -> None:
    points = (
        TradePoint(OPEN + timedelta(minutes=6), "entry", "t", 1, "", symbol="SPX"),
        TradePoint(OPEN + timedelta(minutes=11), "exit", "t", 1, "stop_loss", Decimal("-219.92"), "SPX"),
        TradePoint(OPEN + timedelta(minutes=11), "exit", "other", 1, "manual", Decimal(8), "SPY"),
        TradePoint(OPEN - timedelta(days=9), "entry", "old", 1, "", symbol="SPX"),
    )
    _, entries, exits, *_ = charts.candle_data(picture(), DayStory(points=points), ZoneInfo("Europe/Zurich"))["series"]
    assert [(one["value"][0], one["name"]) for one in entries["data"]] == [("2026-03-03 15:35", "bull")]
    assert [(one["value"][0], one["name"]) for one in exits["data"]] == [("2026-03-03 15:40", f"stop loss {MINUS}$220")]


def test_the_equity_curve_begins_at_zero_and_keeps_gaps() -> None:
    points = (EquityPoint(OPEN + timedelta(minutes=5), Decimal("12.5")), EquityPoint(OPEN + timedelta(minutes=6), None))
    series = charts.equity_series(picture(), DayStory(equity=points), None, NEW_YORK)
    at = charts.wall_ms(OPEN, NEW_YORK)
    assert [(one[0] - at) // 60_000 for one in series] == [0, 5, 5, 6, 12]
    assert [one[1] for one in series] == [0.0, 0.0, 12.5, None, None]
    assert charts.equity_series(picture(), DayStory(), None, NEW_YORK) == []
    assert charts.equity_series(None, None, None, NEW_YORK) == []


def test_the_equity_curve_ends_with_what_the_day_is_worth_now() -> None:
    story = DayStory(equity=(EquityPoint(OPEN + timedelta(minutes=5), Decimal("12.5")),))
    closed = DayPnl(date(2026, 3, 3), 1, Decimal(12), Decimal(2), Decimal(10))
    now = DayMoney(closed, OpenPnl(1, Decimal(6), None, None, None, Decimal(1)), OPEN + timedelta(minutes=11))
    at = charts.wall_ms(OPEN, NEW_YORK)
    last = charts.equity_series(picture(), story, now, NEW_YORK)[-1]
    assert ((last[0] - at) // 60_000, last[1]) == (11, 15.0)
    older = replace(now, as_of=OPEN + timedelta(minutes=4))
    assert charts.equity_series(picture(), story, older, NEW_YORK)[-1][1] == 12.5


def test_a_field_is_named_as_people_write_it() -> None:
    names = ("rsi_ema_bull", "stop_loss_usd", "pnl_basis", "short_window", "take_profit_pct_of_credit")
    assert [label_of({"name": name}) for name in names] == [
        "RSI EMA bull",
        "Stop loss, USD",
        "P&L basis",
        "Short window",
        "Take profit % of credit",
    ]


def test_a_field_says_what_it_is_what_counts_and_what_fits() -> None:
    setting = {"name": "a", "type": "integer", "meaning": "closes of the mean", "unit": "bars", "default": 5}
    assert hint_of({**setting, "low": 1, "high": 5000}) == "closes of the mean (bars); default 5, 1 to 5,000"
    assert hint_of({**setting, "meaning": "bars of the mean"}) == "bars of the mean; default 5"
    told = {"name": "b", "type": "time", "meaning": "first entry", "unit": "New York time", "default": "09:30:00"}
    assert hint_of(told) == "first entry (New York time); default 09:30"
    chosen = {"name": "c", "type": "boolean", "meaning": "", "unit": "", "default": True}
    assert hint_of(chosen) == ""


def test_wall_time_is_that_of_the_zone() -> None:
    summer = datetime(2026, 7, 1, 14, 30, tzinfo=UTC)
    assert datetime.fromtimestamp(charts.wall_ms(summer, NEW_YORK) / 1000, UTC).hour == 10
    assert datetime.fromtimestamp(charts.wall_ms(OPEN, NEW_YORK) / 1000, UTC).hour == 9


@pytest.mark.parametrize(
    ("total", "left"),
    [(Decimal(-1000), "0.00"), (Decimal(-500), "25.00"), (Decimal(0), "50.00"), (Decimal(9999), "100.00")],
)
def test_the_gauge_of_the_day_stays_between_its_ends(total: Decimal, left: str) -> None:
    made = gauges.day(total, Decimal(1000))
    assert f'class="needle {numbers.tone(total)}" style="left:{left}%"' in made
    assert f"loss limit {MINUS}$1,000.00" in made


def test_an_unknown_pnl_has_no_needle() -> None:
    assert "needle" not in gauges.day(None, Decimal(1000))
    assert gauges.level(None, 10, "x") == gauges.level(5, None, "x") == ""


@pytest.mark.parametrize(
    ("setting", "text", "fits"),
    [
        ({"type": "integer", "low": 1, "high": 5}, "5", True),
        ({"type": "integer", "low": 1, "high": 5}, "6", False),
        ({"type": "integer"}, "1.5", False),
        ({"type": "decimal", "low": 0.01, "high": 10}, "0.01", True),
        ({"type": "decimal", "low": 0.01, "high": 10}, "nan", False),
        ({"type": "number"}, "infinity", False),
        ({"type": "number"}, "", True),
        ({"type": "time"}, "09:30", True),
        ({"type": "time"}, "24:00", False),
        ({"type": "text"}, "anything", True),
    ],
)
def test_a_field_is_checked_by_what_the_strategy_declares(setting: dict[str, object], text: str, fits: bool) -> None:
    assert (trouble_of(setting, text) is None) == fits


def test_a_contract_in_words() -> None:
    assert contract("SPX", date(2026, 3, 3), Decimal("5395.00"), "P") == "SPX 2026-03-03 5395 put"
    assert contract("SPY", None, None, None) == "SPY"
