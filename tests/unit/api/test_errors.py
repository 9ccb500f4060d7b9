from __future__ import annotations

import json

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import ProgrammingError
from tests.support.asgi import TestClient

from htbot.api import errors
from htbot.domain.errors import CallerMistake, HtbotError, NotFound, Refused, Retryable, StopTrading
from htbot.services.callers import Conflict, DeskAway


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("no such thing"), 404),
        (Conflict("key used"), 409),
        (DeskAway("lost"), 409),
        (CallerMistake("what?"), 400),
        (Refused("rule", "reason", limit="1", value="2"), 422),
        (Retryable("away"), 503),
        (StopTrading("books differ"), 500),
        (HtbotError("other"), 500),
        (ProgrammingError("SELECT secret", {}, Exception("x")), 500),
        (ZeroDivisionError("secret"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_error_is_a_problem(error: Exception, status: int) -> None:
    app = FastAPI()
    errors.install(app)

    @app.get("/")
    def fail() -> None:
        raise error

    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    if status == 500:
        assert str(error) not in told["detail"]
        assert "secret" not in answer.text
    else:
        assert str(error) in told["detail"]


def test_refusal_names_rule_limit_and_value() -> None:
    answer = errors.problem(422, "x", fields={"rule": "open_trade", "limit": "0", "value": "1"})
    assert json.loads(answer.body)["rule"] == "open_trade"


def test_detail_is_one_line() -> None:
    assert errors.one_line("a\r\nb\x1b[31mc\u2028d") == "a b [31mc d"
