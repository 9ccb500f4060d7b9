"""Bars, past ticks, first data, histogram."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from . import nouns
from .client import Answer, Client
from .registry import Checks

checks = Checks("History")


def bars(
    c: Client,
    contract: Any,
    length: str,
    duration: str,
    what: str = "TRADES",
    *,
    rth: int = 1,
    end: str = "",
    form: int = 1,
) -> list[Any]:
    got = c.request(
        "reqHistoricalData",
        contract,
        end,
        duration,
        length,
        what,
        rth,
        form,
        False,
        [],
        until="historicalDataEnd",
    )
    assert got.code is None, f"error {got.code}"
    rows = [row[0] for row in got.of("historicalData")]
    assert rows
    for bar in rows:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high, vars(bar)
    dates = [str(bar.date) for bar in rows]
    assert dates == sorted(set(dates)), dates[:5]
    return rows


def refused(
    c: Client, contract: Any, length: str, duration: str, what: str, *, end: str = "", keep: bool = False
) -> int:
    got = c.request(
        "reqHistoricalData", contract, end, duration, length, what, 1, 1, keep, [], until="historicalDataEnd"
    )
    assert got.code is not None, "no error"
    return got.code


SIZES = (
    ("1 secs", "60 S"),
    ("5 secs", "300 S"),
    ("10 secs", "300 S"),
    ("15 secs", "900 S"),
    ("30 secs", "1800 S"),
    ("1 min", "1 D"),
    ("2 mins", "1 D"),
    ("3 mins", "1 D"),
    ("5 mins", "2 D"),
    ("10 mins", "2 D"),
    ("15 mins", "2 D"),
    ("20 mins", "2 D"),
    ("30 mins", "1 W"),
    ("1 hour", "1 W"),
    ("2 hours", "1 W"),
    ("3 hours", "1 W"),
    ("4 hours", "1 M"),
    ("8 hours", "1 M"),
    ("1 day", "1 M"),
    ("1 week", "6 M"),
    ("1 month", "1 Y"),
)


def _size(length: str, duration: str) -> Any:
    def check(c: Client) -> None:
        rows = bars(c, nouns.stock(c), length, duration)
        assert len(rows) > 10, len(rows)
        assert all(float(bar.volume) >= 0 for bar in rows)
        if length in {"1 day", "1 week", "1 month"}:
            assert re.fullmatch(r"\d{8}|\d{4}-\d\d-\d\d", str(rows[0].date)), rows[0].date

    return check


for _length, _duration in SIZES:
    checks("reqHistoricalData", f"bars of {_length}")(_size(_length, _duration))


@checks("reqHistoricalData", "BID, ASK, MIDPOINT: side by side, without volume")
def quotes(c: Client) -> None:
    rows = {what: bars(c, nouns.stock(c), "5 mins", "1 D", what) for what in ("BID", "ASK", "MIDPOINT")}
    bid, ask, mid = (rows[what][0] for what in ("BID", "ASK", "MIDPOINT"))
    assert bid.close <= mid.close <= ask.close
    assert float(mid.volume) == -1
    assert mid.barCount == -1


@checks("reqHistoricalData", "BID_ASK: average bid and ask, highest ask, lowest bid")
def bid_ask(c: Client) -> None:
    [first, *_] = bars(c, nouns.stock(c), "5 mins", "1 D", "BID_ASK")
    assert first.open < first.high


@checks("reqHistoricalData", "formatDate 2: epoch seconds of intraday bars")
def epochs(c: Client) -> None:
    [first, *_] = bars(c, nouns.stock(c), "15 mins", "1 D", form=2)
    assert re.fullmatch(r"\d{10}", str(first.date)), first.date


@checks("reqHistoricalData", "outside regular hours there are more bars, and the regular ones are the same")
def all_hours(c: Client) -> None:
    regular = bars(c, nouns.stock(c), "30 mins", "2 D")
    everything = bars(c, nouns.stock(c), "30 mins", "2 D", rth=0)
    assert len(everything) > len(regular)
    assert {bar.date for bar in regular} <= {bar.date for bar in everything}


@checks("reqHistoricalData", "ending at a time with its zone, in UTC with a dash, and of yore without")
def ends(c: Client) -> None:
    for end in ("20240510 16:00:00 US/Eastern", "20240510-20:00:00", "20240510 16:00:00"):
        rows = bars(c, nouns.stock(c), "1 hour", "1 D", end=end)
        assert "20240510" in str(rows[-1].date), (end, rows[-1].date)


@checks("reqHistoricalData", "an index")
def an_index(c: Client) -> None:
    bars(c, nouns.index(c), "5 mins", "1 D")


@checks("reqHistoricalData", "an option")
def an_option(c: Client) -> None:
    bars(c, nouns.option(c), "5 mins", "1 D", "MIDPOINT")


@checks("reqHistoricalData", "a currency pair by its mid price")
def a_pair(c: Client) -> None:
    bars(c, nouns.forex(c), "1 hour", "1 D", "MIDPOINT")


@checks("reqHistoricalData", "a currency pair has no trades")
def pair_trades(c: Client) -> int:
    return refused(c, nouns.forex(c), "1 hour", "1 D", "TRADES")


@checks("reqHistoricalData", "a future")
def a_future(c: Client) -> None:
    bars(c, nouns.future(c), "1 hour", "1 D")


@checks("reqHistoricalData", "ADJUSTED_LAST, daily")
def adjusted(c: Client) -> None:
    bars(c, nouns.stock(c), "1 day", "2 W", "ADJUSTED_LAST")


@checks("reqHistoricalData", "ADJUSTED_LAST takes no end")
def adjusted_end(c: Client) -> int:
    return refused(c, nouns.stock(c), "1 day", "2 W", "ADJUSTED_LAST", end="20240510 16:00:00 US/Eastern")


@checks("reqHistoricalData", "HISTORICAL_VOLATILITY and OPTION_IMPLIED_VOLATILITY, daily")
def volatilities(c: Client) -> None:
    for what in ("HISTORICAL_VOLATILITY", "OPTION_IMPLIED_VOLATILITY"):
        assert 0 < bars(c, nouns.stock(c), "1 day", "1 M", what)[-1].close < 3


@checks("reqHistoricalData", "SCHEDULE: the sessions of the time", since=165)
def schedule(c: Client) -> None:
    got = c.request(
        "reqHistoricalData", nouns.stock(c), "", "5 D", "1 day", "SCHEDULE", 1, 1, False, [], until="historicalSchedule"
    )
    assert got.code is None, f"error {got.code}"
    [(_start, _end, zone, sessions)] = got.of("historicalSchedule")
    assert zone in {"US/Eastern", "America/New_York"}
    assert len(sessions) == 5


@checks("reqHistoricalData", "keepUpToDate: the past first, then the bar as it grows")
def kept(c: Client) -> None:
    got = c.request(
        "reqHistoricalData", nouns.stock(c), "", "3600 S", "1 min", "TRADES", 1, 1, True, [],
        until=lambda a: len(a.of("historicalDataUpdate")) > 2,
    )  # fmt: skip
    c.call("cancelHistoricalData", got.id)
    assert got.code is None, f"error {got.code}"
    names = [event.name for event in got.events]
    assert names.index("historicalDataEnd") < names.index("historicalDataUpdate")
    last, update = got.of("historicalData")[-1][0], got.of("historicalDataUpdate")[0][0]
    assert str(update.date) >= str(last.date)
    assert update.low <= update.close <= update.high


@checks("reqHistoricalData", "keepUpToDate takes no end")
def kept_end(c: Client) -> int:
    return refused(c, nouns.stock(c), "1 min", "3600 S", "TRADES", end="20240510 16:00:00 US/Eastern", keep=True)


@checks("reqHistoricalData", "a time without data")
def no_data(c: Client) -> int:
    return refused(c, nouns.stock(c), "1 min", "1 D", "TRADES", end="19700105 16:00:00 US/Eastern")


@checks("reqHistoricalData", "a bar size that does not exist")
def wrong_size(c: Client) -> int:
    return refused(c, nouns.stock(c), "7 mins", "1 D", "TRADES")


@checks("reqHistoricalData", "a duration that cannot be read")
def wrong_duration(c: Client) -> int:
    return refused(c, nouns.stock(c), "1 min", "1 X", "TRADES")


@checks("reqHistoricalData", "a kind of data that does not exist")
def wrong_what(c: Client) -> int:
    return refused(c, nouns.stock(c), "1 min", "1 D", "NONSENSE")


@checks("reqHistoricalData", "an end that cannot be read")
def wrong_end(c: Client) -> int:
    return refused(c, nouns.stock(c), "1 min", "1 D", "TRADES", end="yesterday")


@checks("reqHistoricalData", "an unknown contract")
def unknown(c: Client) -> int:
    return refused(c, nouns.stock(c, "NOSUCHTHING"), "1 min", "1 D", "TRADES")


@checks("cancelHistoricalData", "an id that is not in use")
def cancel_unknown(c: Client) -> int:
    position = c.call("cancelHistoricalData", 424244)
    c.until(lambda: c.errors(position, 424244), "error")
    return c.errors(position, 424244)[0]


@checks("reqHeadTimeStamp", "the first data, as text and as epoch")
def head(c: Client) -> None:
    text = c.request("reqHeadTimeStamp", nouns.stock(c), "TRADES", 1, 1, until="headTimestamp")
    assert text.code is None, f"error {text.code}"
    assert re.match(r"\d{8}[ -]", text.of("headTimestamp")[0][0]), text.of("headTimestamp")
    epoch = c.request("reqHeadTimeStamp", nouns.stock(c), "TRADES", 1, 2, until="headTimestamp")
    assert re.fullmatch(r"\d{9,10}", epoch.of("headTimestamp")[0][0])
    c.call("cancelHeadTimeStamp", epoch.id)


@checks("reqHeadTimeStamp", "an unknown contract")
def head_unknown(c: Client) -> int:
    got = c.request("reqHeadTimeStamp", nouns.stock(c, "NOSUCHTHING"), "TRADES", 1, 1, until="headTimestamp")
    assert got.code is not None
    return got.code


@checks("reqHistogramData", "how much was traded at each price")
def histogram(c: Client) -> None:
    got = c.request("reqHistogramData", nouns.stock(c), True, "3 days", until="histogramData")
    assert got.code is None, f"error {got.code}"
    [(rows,)] = got.of("histogramData")
    found = [(row.price, float(getattr(row, "count", 0) or getattr(row, "size", 0))) for row in rows]
    assert len(found) > 3
    assert all(price > 0 and count > 0 for price, count in found)
    c.call("cancelHistogramData", got.id)


def _ticks(c: Client, what: str, name: str) -> list[Any]:
    now = datetime.fromtimestamp(c.now(), UTC)
    end = f"{now - timedelta(minutes=1):%Y%m%d-%H:%M:%S}"

    def complete(answer: Answer) -> bool:
        rows = answer.of(name)
        return bool(rows) and bool(rows[-1][1])

    got = c.request("reqHistoricalTicks", nouns.stock(c), "", end, 20, what, 1, False, [], until=complete)
    assert got.code is None, f"error {got.code}"
    rows = [tick for ticks, _done in got.of(name) for tick in ticks]
    assert len(rows) >= 10, len(rows)
    times = [tick.time if isinstance(tick.time, int) else int(tick.time.timestamp()) for tick in rows]
    assert times == sorted(times)
    assert times[-1] <= now.timestamp()
    return rows


@checks("reqHistoricalTicks", "TRADES: price, size, exchange")
def past_trades(c: Client) -> None:
    for tick in _ticks(c, "TRADES", "historicalTicksLast"):
        assert tick.price > 0 and float(tick.size) > 0 and tick.exchange


@checks("reqHistoricalTicks", "BID_ASK")
def past_quotes(c: Client) -> None:
    for tick in _ticks(c, "BID_ASK", "historicalTicksBidAsk"):
        assert 0 < tick.priceBid < tick.priceAsk


@checks("reqHistoricalTicks", "MIDPOINT")
def past_mids(c: Client) -> None:
    assert all(tick.price > 0 for tick in _ticks(c, "MIDPOINT", "historicalTicks"))


@checks("reqHistoricalTicks", "neither start nor end")
def no_times(c: Client) -> int:
    got = c.request(
        "reqHistoricalTicks", nouns.stock(c), "", "", 20, "TRADES", 1, False, [], until="historicalTicksLast"
    )
    assert got.code is not None
    return got.code
