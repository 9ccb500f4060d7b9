"""Endpoints named in the documentation exist, and the reference has all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from starlette.routing import Match
from tests.docs.pages import DOCS, PAGES, fences, inline_code, named, text_of

from htbot.api.routers.table import ROUTERS
from htbot.api.schemas.requests import TradeSignalBody

MENTION = re.compile(r"\b(GET|POST|PUT|DELETE) (/[^\s`,;|]*)")
CALL = re.compile(r"curl\b[^\n]*?http://127\.0\.0\.1:8000(/\S*)")
ROUTES = [route for router in ROUTERS for route in router.routes]


def served(method: str, path: str) -> bool:
    """Whether a route answers, placeholders taken as values."""
    scope = {"type": "http", "method": method, "path": re.sub(r"[{}]", "", path), "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in ROUTES)


def shell(page: Path) -> str:
    return "\n".join(fences(page, "bash")).replace("\\\n", " ")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_named_endpoints_exist(page: Path) -> None:
    mentions = [match for code in inline_code(page) for match in MENTION.findall(code)]
    for line in shell(page).splitlines():
        method = "POST" if "-X POST" in line else "GET"
        mentions += [(method, path.rstrip("'\"")) for path in CALL.findall(line)]
    assert [f"{method} {path}" for method, path in mentions if not served(method, path)] == []


def test_the_check_finds_what_does_not_exist() -> None:
    assert served("GET", "/status")
    assert not served("POST", "/status")
    assert not served("GET", "/moon")


def test_the_reference_has_every_endpoint() -> None:
    documented = set(MENTION.findall(text_of(DOCS / "reference/rest.md")))
    served_paths = {(method, route.path) for route in ROUTES for method in route.methods - {"HEAD"}}
    assert documented == served_paths


def test_the_example_body_is_accepted() -> None:
    bodies = [json.loads(block) for block in fences(DOCS / "reference/rest.md", "json")]
    bodies += [
        json.loads(text) for text in re.findall(r"-d '(\{\"strategy\".*?\})'", shell(DOCS / "start/first-trade.md"))
    ]
    assert len(bodies) == 2
    for body in bodies:
        assert TradeSignalBody.model_validate(body).strategy == "vertical_spread"
