"""The page of metrics is the one that the catalogue writes."""

from __future__ import annotations

from tests.docs.pages import DOCS, text_of

from htbot.telemetry.metric_reference import page


def test_the_page_is_written_from_the_catalogue() -> None:
    assert text_of(DOCS / "reference" / "metrics.md") == page()
