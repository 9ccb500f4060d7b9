"""Settings named in the documentation exist, its examples are accepted, and its page is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, PAGES, fences, inline_code, named, text_of

from htbot.domain.orders import IntentState, OrderState
from htbot.execution.reconciliation import FindingKind
from htbot.paper.feeds.durations import SHOWS
from htbot.settings import load_settings
from htbot.settings.environment import OUTSIDE_NAMES
from htbot.settings.load import declared_names
from htbot.settings.reference import page as settings_page

NAME = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
NO_SETTINGS = {
    "HYPOTHESIS_PROFILE",
    "SUITE_ENDS",
    "TRADE_ID",
    "TASK_MODULES",
    "NO_MARGIN",
    "BROKER_RULES",
    *OUTSIDE_NAMES,
    *IntentState,
    *OrderState,
    *FindingKind,
    *SHOWS,
}
EXAMPLES = [(named(page), block) for page in PAGES for block in fences(page, "ini")]


def test_the_page_is_current() -> None:
    assert text_of(DOCS / "reference/settings.md") == settings_page(), (
        "run: python -m htbot.settings.reference > docs/reference/settings.md"
    )


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "database.md"], ids=named)
def test_named_settings_exist(page: Path) -> None:
    known = set(declared_names().canonical) | NO_SETTINGS
    found = {name for code in (*inline_code(page), *fences(page, "bash", "ini")) for name in NAME.findall(code)}
    assert {name for name in found - known if f"{name}_" not in " ".join(known)} == set()


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize(("where", "block"), EXAMPLES, ids=[f"{where}-{n}" for n, (where, _) in enumerate(EXAMPLES)])
def test_examples_are_accepted(where: str, block: str, tmp_path: Path) -> None:
    """A data file that an example names is made first."""
    del where
    for name in re.findall(r"/data/(\S+)", block):
        (tmp_path / name).touch()
    text = block.replace("/data/", f"{tmp_path}/")
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    settings = load_settings(tmp_path, {})
    if "IB_TRADING_MODE=live" in block:
        assert settings.ib.is_live
    elif "IB_HOST" in block:
        assert not settings.ib.builtin_paper
    assert settings.paths.root.samefile(tmp_path)


def test_live_is_refused_without_any_of_its_parts(tmp_path: Path) -> None:
    """As the guide says: each line of the live example is needed."""
    from htbot.domain.errors import ConfigurationError

    (block,) = [block for _, block in EXAMPLES if "IB_TRADING_MODE=live" in block]
    lines = block.split()
    needed = {"IB_TRADING_MODE", "IB_ACCOUNT", "LIVE_TRADING_CONFIRM", "MAX_RISK_PER_DAY"}
    for name in needed:
        rest = dict(line.split("=", 1) for line in lines if not line.startswith(f"{name}="))
        with pytest.raises(ConfigurationError):
            load_settings(tmp_path, rest)
    for change in ({"IB_PORT": "4002"}, {"IB_ACCOUNT": "DU1234567"}, {"LIVE_TRADING_CONFIRM": "U7654321"}):
        with pytest.raises(ConfigurationError):
            load_settings(tmp_path, dict(line.split("=", 1) for line in lines) | change)
