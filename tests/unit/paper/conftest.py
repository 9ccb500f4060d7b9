from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.paper_desk import PaperDesk
from tests.support.paper_world import HandMarket

from htbot.matching.view import FillRules
from htbot.paper.book.book import BookRules
from htbot.paper.gateway import GatewayConfig


@pytest.fixture
def market() -> HandMarket:
    return HandMarket()


@pytest.fixture
def make_desk(tmp_path: Path, market: HandMarket) -> Callable[..., PaperDesk]:
    def make(folder: str = "state", **config: Any) -> PaperDesk:
        # whatever size a test trades, it fills whole, unless the test is about sizes
        defaults = {"speed": "max", "book": BookRules(FillRules(sizes_limit=False))}
        return PaperDesk(tmp_path / folder, market, GatewayConfig(**{**defaults, **config}))

    return make


@pytest.fixture
def desk(make_desk: Callable[..., PaperDesk]) -> PaperDesk:
    return make_desk()
