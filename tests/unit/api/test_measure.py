from __future__ import annotations

import pytest
from fastapi import APIRouter, FastAPI, HTTPException
from prometheus_client.parser import text_string_to_metric_families
from tests.support.asgi import TestClient

from htbot.api.measure import NO_ROUTE, HttpMetrics, Measure


@pytest.fixture
def metrics() -> HttpMetrics:
    return HttpMetrics()


@pytest.fixture
def client(metrics: HttpMetrics) -> TestClient:
    app, router = FastAPI(), APIRouter(prefix="/trades")

    @router.get("/{trade_id}")
    async def trade(trade_id: str) -> str:
        if trade_id == "gone":
            raise HTTPException(404)
        if trade_id == "broken":
            raise RuntimeError(trade_id)
        return trade_id

    app.include_router(router)
    app.add_middleware(Measure, metrics=metrics)
    return TestClient(app, raise_server_exceptions=False)


def counted(metrics: HttpMetrics, sample: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.page().decode())
    return {
        tuple(found.labels[name] for name in ("method", "route", "status") if name in found.labels): found.value
        for family in families
        for found in family.samples
        if found.name == sample
    }


def test_answers_are_counted_by_template(client: TestClient, metrics: HttpMetrics) -> None:
    for trade in ("a", "b", "gone", "broken"):
        client.get(f"/trades/{trade}")
    client.post("/trades/a")
    assert counted(metrics, "htbot_http_requests_total") == {
        ("GET", "/trades/{trade_id}", "200"): 2,
        ("GET", "/trades/{trade_id}", "404"): 1,
        ("GET", "/trades/{trade_id}", "500"): 1,
        ("POST", "/trades/{trade_id}", "405"): 1,
    }
    assert counted(metrics, "htbot_http_request_duration_seconds_count")[("GET", "/trades/{trade_id}")] == 4


def test_an_address_is_no_label(client: TestClient, metrics: HttpMetrics) -> None:
    for number in range(5):
        client.get(f"/moon/{number}")
        client.request(f"MADE{number}UP", "/moon")
    assert counted(metrics, "htbot_http_requests_total") == {
        ("GET", NO_ROUTE, "404"): 5,
        ("other", NO_ROUTE, "404"): 5,
    }
