"""The examples of the OpenAPI document fit its schemas: those of bodies are accepted, those of answers are answers."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from tests.support.asgi import TestClient

from htbot.api.examples import example


@pytest.fixture
def document(api: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json()
    return found


def checked(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = {**schema, "components": document["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def test_every_answer_has_an_example_that_fits(document: dict[str, Any]) -> None:
    wrong, seen = [], 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                told = answer.get("content", {}).get("application/json")
                if status.startswith("2") and told is not None:
                    seen += 1
                    wrong += [(method, path, one) for one in checked(document, told["schema"], told["example"])]
    assert wrong == []
    assert seen > 60


def test_every_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    bodies = [
        (path, operation["requestBody"]["content"]["application/json"]["schema"])
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if "requestBody" in operation
    ]
    assert len(bodies) > 10
    for path, schema in bodies:
        kinds = [one for one in schema.get("anyOf", [schema]) if "$ref" in one]
        named = document["components"]["schemas"][kinds[0]["$ref"].rpartition("/")[2]]
        assert named.get("examples"), path
        assert checked(document, named, named["examples"][0]) == [], path


def test_an_example_says_what_the_field_is_about() -> None:
    schema = {
        "type": "object",
        "properties": {
            "symbol": {"type": "string"},
            "limit": {"type": "string", "pattern": "^[0-9.]+$"},
            "next": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "rows": {"type": "array", "items": {"$ref": "#/components/schemas/Row"}},
        },
    }
    made = example(schema, {"Row": {"type": "object", "properties": {"filled": {"type": "integer", "minimum": 3}}}})
    assert (made["symbol"], made["limit"], made["rows"]) == ("SPX", "4.25", [{"filled": 3}])
    assert isinstance(made["next"], str)
