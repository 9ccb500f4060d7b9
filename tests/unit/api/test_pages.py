from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from htbot.api.pages import WELCOME_POLICY, reference, welcome

DOCUMENT = {
    "paths": {
        "/a/{b}": {
            "post": {
                "summary": "Do <b>it</b>",
                "parameters": [{"name": "b", "in": "path", "schema": {"type": "string"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}},
                "responses": {
                    "202": {
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}
                            }
                        }
                    }
                },
            }
        }
    },
    "components": {"schemas": {"Body": {"properties": {"at": {"type": "string", "format": "date-time"}}}}},
}


class Text(HTMLParser):
    """The words of a page; fails on a tag that does not close."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_policy_lets_through_this_style_and_nothing_else() -> None:
    style = re.search(r"<style>(.*?)</style>", welcome("http://127.0.0.1:8000"), re.DOTALL)
    assert style is not None
    checksum = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert f"style-src 'sha256-{checksum}'" in WELCOME_POLICY
    assert WELCOME_POLICY.startswith("default-src 'none'")


def test_reference_is_made_from_the_document_and_escapes_it() -> None:
    page = Text()
    page.feed(reference(DOCUMENT, "http://127.0.0.1:8000"))
    words = " ".join(page.words)
    assert "POST /a/{b}" in words
    assert "Do <b>it</b>" in words
    assert "list of integer | null" in words
    assert "string (date-time)" in words
    assert "script" not in page.tags
