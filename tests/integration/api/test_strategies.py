"""Strategies over REST: what may be added and changed, what each key does once, and what a strategy would say now."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text
from tests.support import record
from tests.support.asgi import TestClient
from tests.support.desk import SESSION
from tests.support.people import House

from htbot.domain.bars import Bar
from htbot.domain.errors import ConfigurationError
from htbot.persistence.repositories import (
    BarRepository,
    DeskStateRepository,
    SessionRepository,
    SignalRepository,
    TradeRepository,
)
from htbot.persistence.repositories.desk_state import WORLD_ID
from htbot.strategies.registry import STRATEGIES

FAST = {"name": "fast", "type": "ma_crossover", "symbol": "spy", "settings": {"short_window": 3, "long_window": 9}}


def add(api: TestClient, key: str | None = None, **changes: Any) -> Any:
    return api.post("/api/strategies/add", json=FAST | changes, headers={} if key is None else {"Idempotency-Key": key})


def acts(house: House) -> list[str]:
    with house.database.transaction() as session:
        return list(session.scalars(text("SELECT action FROM audit_log ORDER BY id")))


def test_types_are_told_with_a_schema_that_takes_their_defaults(api: TestClient) -> None:
    types = {one["name"]: one for one in api.get("/api/strategies").json()}
    assert {"vertical_spread", "strangle_momentum"} <= types.keys()
    for name, one in types.items():
        properties = one["json_schema"]["properties"]
        assert set(properties) == {setting["name"] for setting in one["settings"]}
        defaults = {key: told["default"] for key, told in properties.items()}
        STRATEGIES[name].config.from_mapping(defaults)
        numbers = {key: told for key, told in properties.items() if "maximum" in told and told["type"] == "integer"}
        for key, told in numbers.items():
            with pytest.raises(ConfigurationError, match=key):
                STRATEGIES[name].config.from_mapping({key: told["maximum"] + 1})


def test_an_instance_lives_and_dies(api: TestClient, house: House) -> None:
    made = add(api)
    assert made.status_code == 201
    assert (made.json()["symbol"], made.json()["enabled"], made.json()["mode"]) == ("SPY", False, "observe")
    assert api.get("/api/strategies/active").json() == []
    assert api.post("/api/strategies/fast/enable").json()["enabled"] is True
    assert [one["name"] for one in api.get("/api/strategies/active").json()] == ["fast"]
    changed = api.post("/api/strategies/fast/settings", json={"settings": {"long_window": 30}, "unset": []}).json()
    assert changed["settings"] == {"short_window": 3, "long_window": 30}
    assert changed["config_hash"] != made.json()["config_hash"]
    shown = api.get("/api/strategies/fast").json()
    assert (shown["in_force"]["long_window"], shown["in_force"]["rsi_window"]) == (30, 14)
    assert api.post("/api/strategies/fast/disable").json()["enabled"] is False
    assert api.delete("/api/strategies/fast").json()["name"] == "fast"
    assert api.get("/api/strategies/instances").json() == []
    assert acts(house) == [f"strategy.{act}" for act in ("added", "enabled", "changed", "disabled", "removed")]


def test_an_instance_may_trade_when_its_settings_are_fit_for_it(api: TestClient, house: House) -> None:
    add(api)
    api.post("/api/strategies/fast/settings", json={"settings": {"exit_time": "15:50"}})
    refused = api.post("/api/strategies/fast/mode", json={"mode": "trade"})
    assert (refused.status_code, "exit_time" in refused.json()["detail"]) == (400, True)
    api.post("/api/strategies/fast/settings", json={"settings": {"exit_time": "15:40"}})
    key = {"Idempotency-Key": "k1"}
    changed = api.post("/api/strategies/fast/mode", json={"mode": "trade"}, headers=key).json()
    assert (changed["mode"], api.get("/api/strategies/fast").json()["mode"]) == ("trade", "trade")
    assert api.post("/api/strategies/fast/mode", json={"mode": "observe"}).json()["mode"] == "observe"
    assert api.post("/api/strategies/fast/mode", json={"mode": "trade"}, headers=key).json() == changed
    assert api.get("/api/strategies/fast").json()["mode"] == "observe", "the same key acts once"
    for path, body, status in (("fats", {"mode": "trade"}, 404), ("fast", {"mode": "sell"}, 422), ("fast", {}, 422)):
        assert api.post(f"/api/strategies/{path}/mode", json=body).status_code == status
    assert acts(house) == ["strategy.added", *["strategy.changed"] * 4]


def test_an_instance_that_holds_something_keeps_its_mode(api: TestClient, house: House) -> None:
    add(api, settings={"exit_time": "15:40"})
    api.post("/api/strategies/fast/mode", json={"mode": "trade"})
    with house.database.transaction() as session:
        TradeRepository(session).add(record.trade(strategy="fast"))
    assert api.post("/api/strategies/fast/mode", json={"mode": "observe"}).status_code == 409
    assert api.get("/api/strategies/fast").json()["mode"] == "trade"


MISTAKES: list[tuple[dict[str, Any], int, str]] = [
    ({"name": "a b"}, 422, "name"),
    ({"type": "ma_crosover"}, 404, "did you mean ma_crossover"),
    ({"symbol": "SP/Y"}, 422, "symbol"),
    ({"settings": {"long_windo": 30}}, 400, "did you mean long_window"),
    ({"settings": {"long_window": 1}}, 400, "long_window"),
    ({"settings": {"long_window": 10**30}}, 422, "settings"),
    ({"settings": {"long_window": [1]}}, 422, "settings"),
    ({"more": 1}, 422, "more"),
    ({"enabled": "perhaps"}, 422, "enabled"),
]


def test_a_mistake_is_told_and_stores_nothing(api: TestClient, house: House) -> None:
    for changes, status, words in MISTAKES:
        answer = add(api, **changes)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), changes
        assert words in answer.json()["detail"], changes
    assert acts(house) == []


def test_a_name_is_taken_once_and_a_key_acts_once(api: TestClient, house: House) -> None:
    first = add(api, "k1")
    assert add(api).status_code == 409
    api.post("/api/strategies/fast/settings", json={"settings": {"long_window": 30}})
    assert add(api, "k1").json() == first.json()
    assert add(api, "k1", name="slow").status_code == 409
    switched = api.post("/api/strategies/fast/enable", headers={"Idempotency-Key": "k2"}).json()
    api.post("/api/strategies/fast/disable")
    assert api.post("/api/strategies/fast/enable", headers={"Idempotency-Key": "k2"}).json() == switched
    assert api.get("/api/strategies/fast").json()["enabled"] is False
    assert acts(house).count("strategy.enabled") == 1


def test_the_same_key_in_parallel_is_one_effect(api: TestClient, house: House) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = {str(answer.json()) for answer in pool.map(lambda _: add(api, "k1"), range(16))}
    assert (len(answers), acts(house)) == (1, ["strategy.added"])


def test_a_key_that_failed_can_be_used_again(api: TestClient) -> None:
    headers = {"Idempotency-Key": "k1"}
    assert api.post("/api/strategies/fast/enable", headers=headers).status_code == 404
    add(api)
    assert api.post("/api/strategies/fast/enable", headers=headers).json()["enabled"] is True


def test_unknown_instances_are_told_with_what_there_is(api: TestClient) -> None:
    add(api)
    for call in (api.get("/api/strategies/fats"), api.delete("/api/strategies/fats")):
        assert (call.status_code, call.json()["detail"]) == (404, "there is no strategy fats: did you mean fast?")


def test_stats_count_signals_and_trades(api: TestClient, house: House) -> None:
    add(api)
    with house.database.transaction() as session:
        SignalRepository(session).add(record.signal(), None)
        SignalRepository(session).add(record.signal(level=4170.0), "open_trade: one is open")
        TradeRepository(session).add(record.trade())
    stats = {one["strategy"]: one for one in api.get("/api/strategies/stats").json()}
    assert stats["fast"]["signals"] == {
        "enter": 0,
        "leave": 0,
        "accepted": 0,
        "refused": 0,
        "observed": 0,
        "last_at": None,
    }
    told = stats[record.STRATEGY]
    assert (told["signals"]["accepted"], told["signals"]["refused"], told["type"]) == (1, 1, None)
    assert told["trades"] == {"open": 1, "closed": 0, "winners": 0, "net_pnl": "0.00"}
    recent = api.get("/api/strategies/signals/recent", params={"limit": 1}).json()
    assert [one["level"] for one in recent] == [4170.0]
    assert api.get("/api/strategies/signals/recent", params={"strategy": "fast"}).json() == []


def test_evaluate_folds_the_stored_bars_and_stores_nothing(api: TestClient, house: House) -> None:
    body = {"type": "ma_crossover", "symbol": "SPY", "settings": {"short_window": 2, "long_window": 3}}
    answer = api.post("/api/strategies/evaluate", json=body)
    assert (answer.status_code, "no 5-minute bars of SPY" in answer.json()["detail"]) == (404, True)
    closes = [100, 99, 98, 97, 96, 99, 103, 107]
    with house.database.transaction() as session:
        SessionRepository(session).upsert([SESSION])
        DeskStateRepository(session).set(WORLD_ID, record.WORLD)
        bars = [
            Bar("SPY", record.at(-5 * (len(closes) - place)), 5, close, close + 1, close - 1, close, 10.0)
            for place, close in enumerate(map(float, closes))
        ]
        BarRepository(session).upsert(record.WORLD, bars, record.NOON)
    told = api.post("/api/strategies/evaluate", json=body).json()
    assert told["bars"] == len(closes)
    assert [(one["action"], one["direction"]) for one in told["fired"]] == [("enter", 1)]
    assert told["standing"].startswith("holds long")
    assert api.get("/signals", params={"account": "all"}).json() == []
    assert api.post("/api/strategies/evaluate", json={"type": "ma_crossover"}).status_code == 400
