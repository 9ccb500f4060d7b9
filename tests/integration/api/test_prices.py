"""Prices: what the desk sees now, what is stored, and the symbols that are known."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.people import House, chain, clock

from htbot.domain.bars import Bar
from htbot.persistence.repositories import BarRepository, DeskStateRepository
from htbot.persistence.repositories.desk_state import WORLD_ID

CLOSES = (100.0, 102.0, 101.0, 105.0)


@pytest.fixture
def stored(house: House) -> House:
    """Four 5-minute bars of SPY up to noon, one of the day before, one of 30 minutes; and one of another world."""
    with house.database.transaction() as session:
        DeskStateRepository(session).set(WORLD_ID, record.WORLD)
        bars = [_bar(-5 * (4 - place), close) for place, close in enumerate(CLOSES)]
        before = [_bar(-24 * 60 - 5, 90.0), _bar(-30, 103.0, 30)]
        BarRepository(session).upsert(record.WORLD, [*before, *bars], record.NOON)
        BarRepository(session).upsert("another", [_bar(-5, 10.0)], record.NOON)
    return house


def _bar(minutes: float, close: float, length: int = 5) -> Bar:
    return Bar("SPY", record.at(minutes), length, close - 1, close + 1, close - 2, close, 10.0)


def closes(api: TestClient, path: str, **params: Any) -> list[float]:
    answer = api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return [one["close"] for one in answer.json()]


def test_history_is_the_last_24_hours_newest_first(api: TestClient, stored: House) -> None:
    assert closes(api, "/history/spy") == [105.0, 101.0, 102.0, 100.0]
    assert closes(api, "/history/SPY", limit=1) == [105.0]
    (first, *_) = api.get("/history/SPY").json()
    assert (first["price"], first["minutes"], first["vwap"], first["timestamp"]) == (
        105.0,
        5,
        None,
        "2022-08-26T15:55:00Z",
    )


def test_a_day_is_new_yorks_and_included_a_time_is_excluded(api: TestClient, stored: House) -> None:
    assert closes(api, "/history/SPY", start="2022-08-25", end="2022-08-25") == [90.0]
    assert len(closes(api, "/history/SPY", start="2022-08-25", end="2022-08-26")) == 5
    assert closes(api, "/history/SPY", start="2022-08-26T15:45:00Z", end="2022-08-26T15:50:00Z") == [102.0]
    assert closes(api, "/history/SPY", start="2022-08-27") == [], "a known symbol without bars is no mistake"
    assert len(closes(api, "/api/market-data/historical/SPY")) == 5, "from the beginning"
    assert closes(api, "/api/market-data/historical/SPY", minutes=30) == [103.0]


def test_what_is_not_known_is_404_with_what_is(api: TestClient, stored: House) -> None:
    for path in ("/history", "/ohlcv", "/stats", "/api/market-data/historical"):
        answer = api.get(f"{path}/SPYY")
        assert (answer.status_code, answer.json()["detail"]) == (404, "nothing is known of SPYY: did you mean SPY?")
        answer = api.get(f"{path}/SPY", params={"minutes": 7})
        assert (answer.status_code, "5, 30 min" in answer.json()["detail"]) == (404, True)
        for params in ({"start": "yesterday"}, {"start": "9999-12-31"}, {"end": "2022-08-26T10:00:00"}, {"more": 1}):
            assert api.get(f"{path}/SPY", params=params).status_code == 422, params
        assert api.get(f"{path}/S;P").status_code == 422


def test_a_span_as_one_bar_and_its_figures(api: TestClient, stored: House) -> None:
    told = api.get("/ohlcv/SPY").json()
    expected = {"first_open": 99.0, "max_high": 106.0, "min_low": 98.0, "last_close": 105.0, "total_volume": 40.0}
    assert told | expected == told
    assert (told["avg_volume"], told["avg_vwap"], told["count"]) == (10.0, None, 4)
    told = api.get("/stats/SPY").json()
    assert (told["count"], told["min"], told["max"], told["avg"], told["change"]) == (4, 100.0, 105.0, 102.0, 5.0)
    assert (told["change_pct"], told["std"]) == (5.0, pytest.approx(2.160247))
    nothing = api.get("/stats/SPY", params={"start": "2022-08-27"}).json()
    assert (nothing["count"], nothing["avg"], nothing["change_pct"]) == (0, None, None)


def test_symbols_are_counted_at_most_a_minute_ago(api: TestClient, stored: House) -> None:
    told = api.get("/symbols").json()
    assert [(one["symbol"], one["minutes"], one["bars"], one["latest_price"]) for one in told] == [
        ("SPY", 5, 5, 105.0),
        ("SPY", 30, 1, 103.0),
    ]
    with stored.database.transaction() as session:
        BarRepository(session).upsert(record.WORLD, [_bar(0, 106.0)], record.at(5))
    assert api.get("/symbols").json() == told
    stored.monotonic += 61
    assert api.get("/symbols").json()[0]["bars"] == 6


def test_quotes_are_live_or_the_last_bar(api: TestClient, stored: House) -> None:
    stored.live.seen = chain()
    live = api.get("/api/market-data/quote/SPX").json()
    assert (live["source"], live["price"], live["bid"], live["ask"]) == ("live", 4152.0, 4151.9, 4152.1)
    bar = api.get("/api/market-data/quote/spy").json()
    assert (bar["source"], bar["price"], bar["bid"], bar["as_of"]) == ("bar", 105.0, None, "2022-08-26T16:00:00Z")
    assert [one["symbol"] for one in api.get("/api/market-data/quotes").json()] == ["SPX", "SPY"]
    assert len(api.get("/api/market-data/quotes", params={"symbols": "SPX,SPY,SPX"}).json()) == 2
    assert api.get("/api/market-data/quotes", params={"symbols": "SPX,MOON"}).status_code == 404
    assert api.get("/api/market-data/quotes", params={"symbols": ","}).status_code == 422


@pytest.mark.ruling(37)
def test_without_a_session_no_quote_is_told(api: TestClient, stored: House) -> None:
    stored.live.seen, stored.live.said = chain(), clock(connection="lost")
    for path in ("quote/SPX", "quotes"):
        assert api.get(f"/api/market-data/{path}").status_code == 409
    stored.live.away = True
    assert api.get("/api/market-data/quotes").status_code == 503


def test_the_brokers_own_bars_are_asked_of_the_desk(api: TestClient, stored: House) -> None:
    stored.live.seen = chain()
    stored.live.answers["history"] = [
        ["2022-08-26T15:50:00+00:00", 1.0, 3.0, 0.5, 2.0, 10.0],
        ["2022-08-26T15:55:00+00:00", 2.0, 4.0, 1.5, 3.0, 20.0],
    ]
    assert closes(api, "/api/market-data/historical/spx", source="broker", days=2) == [3.0, 2.0]
    assert closes(api, "/api/market-data/historical/SPX", source="broker", limit=1) == [3.0]
    assert stored.live.asked[0] == ("history", {"minutes": 5, "days": 2})

    def status(symbol: str = "SPX", **params: Any) -> int:
        return api.get(f"/api/market-data/historical/{symbol}", params={"source": "broker", **params}).status_code

    assert (status("SPY"), status(minutes=7), status(days=31)) == (404, 400, 422)
    stored.live.said = clock(connection="lost")
    assert status() == 409


def test_search_finds_what_is_known(api: TestClient, stored: House) -> None:
    api.post("/api/strategies/add", json={"name": "fast", "type": "ma_crossover", "symbol": "SPDR"})
    found = api.get("/api/market-data/search", params={"q": "sp"}).json()
    assert [one["symbol"] for one in found] == ["SPDR", "SPX", "SPY"]
    told = {one["symbol"]: one for one in found}
    assert (told["SPX"]["tradable"], told["SPX"]["kind"], told["SPX"]["stored_minutes"]) == (True, "IND", [])
    assert (told["SPDR"]["watched_by"], told["SPY"]["stored_minutes"]) == (["fast"], [5, 30])
    assert api.get("/api/market-data/search", params={"q": "MOON"}).json() == []
    assert api.get("/api/market-data/search").status_code == 422
