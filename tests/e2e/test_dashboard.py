"""The dashboard in a real browser over a whole instance: a paced synthetic morning with a trade in it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.running import EVERYTHING, Instance, environment, running, until
from tests.support.browser import DESKTOP, PHONE, Complaints, browser, chromium, keep, serious_violations, tab

from htbot.bootstrap.install.ports import answers
from htbot.dashboard.pages import PAGES
from htbot.services.doorman import REFRESH_S
from htbot.services.tokens import Role

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(600)]

# The trend of this seed breaks the day's high at 10:01:30 New York: seven seconds after the start.
MORNING = {"PAPER_SPEED": "20", "PAPER_SEED": "7", "PAPER_START": "2021-01-04T14:59:00+00:00", "HTBOT_SYMBOL": "SPX"}
PICTURES = "SCREENSHOTS_DIR"
LAST_CANDLE = (
    "getElement(Number(document.querySelector('.chart.candles').id.slice(1)))"
    ".chart?.getOption().series[0].data.at(-1)?.slice(-4)"
)
NARROW = {"/", "/orders"}
"""Pages that axe-core reads on a phone too: the rules are the same, and each reading takes a second."""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    chromium()  # skips before anything is started
    with running(environment(tmp_path_factory.mktemp("dashboard"), **MORNING)) as started:
        yield started


@pytest.fixture(scope="module")
def tokens(instance: Instance) -> dict[Role, str]:
    """One of each role, known at the door."""
    made = {role: instance.people.tokens.mint(role.value, role, "test") for role in Role}
    known_s = time.monotonic() + 2 * REFRESH_S
    until(lambda: time.monotonic() > known_s, 60, "the door has read them")
    return made


@pytest.fixture(scope="module")
def launched(instance: Instance) -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def complaints(instance: Instance) -> Iterator[Complaints]:
    heard = Complaints(instance.stack.settings.api.url)
    yield heard
    assert heard.outside == []
    assert heard.errors == []


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get(PICTURES) or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def address(instance: Instance, path: str = "/") -> str:
    return f"{instance.stack.settings.api.url}/dashboard{path}"


def log_in(page: Page, instance: Instance, token: str) -> None:
    page.goto(address(instance))
    expect(page).to_have_url(address(instance, "/login"))
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Desk", exact=True)).to_be_visible()


def test_a_trader_watches_a_trade_halts_resumes_and_flattens(
    instance: Instance, launched: Browser, complaints: Complaints, tokens: dict[Role, str]
) -> None:
    with tab(launched, complaints, DESKTOP, "dark") as page:
        log_in(page, instance, tokens[Role.OPERATOR])
        expect(page.locator(".mode")).to_contain_text("PAPER")

        page.goto(address(instance, "/chart"))
        page.wait_for_function(f"{LAST_CANDLE} !== undefined")
        before = page.evaluate(LAST_CANDLE)
        assert len(before) == 4, "open, close, low, high"
        page.wait_for_function(f"String({LAST_CANDLE}) !== '{','.join(map(str, before))}'")

        page.goto(address(instance))
        expect(page.get_by_role("heading", name=re.compile("SPX bull put"))).to_be_visible()
        expect(page.locator(".trade-card .gauge [role=img]")).to_have_attribute(
            "aria-label", re.compile("between stop")
        )

        page.keyboard.press("h")
        page.get_by_label("Reason").fill("lunch")
        page.get_by_role("dialog").get_by_role("button", name="Halt").click()
        expect(page.locator(".trouble.halt")).to_contain_text("lunch")
        assert "dashboard:operator" in {halt.set_by for halt in instance.people.queries.halts()}
        page.keyboard.press("h")
        page.get_by_role("dialog").get_by_role("button", name="Resume").click()
        expect(page.locator(".trouble.halt")).to_have_count(0)

        page.get_by_role("button", name="Flatten all").click()
        sure = page.get_by_role("dialog").get_by_role("button", name="Flatten all")
        expect(sure).to_be_disabled()
        page.get_by_label(re.compile("to confirm")).fill("flatten")
        sure.click()
        expect(page.get_by_text("Flatten was ordered")).to_be_visible()
    # The tab is gone in the middle of it, and the API is killed: the desk has its order and goes on.
    instance.kill("api")
    until(lambda: not instance.people.queries.positions(), 120, "everything is closed")
    (trade, *_) = instance.people.queries.trades(EVERYTHING)
    assert trade.exit_reason is not None
    assert trade.net_pnl is not None
    api = instance.stack.settings.api
    until(lambda: answers(api.host, api.port), 120, "the API is there again")


def test_a_viewer_sees_and_cannot_act_and_a_revoked_token_ends_the_session(
    instance: Instance, launched: Browser, complaints: Complaints, tokens: dict[Role, str]
) -> None:
    with tab(launched, complaints, DESKTOP, "light") as page:
        log_in(page, instance, tokens[Role.VIEWER])
        expect(page.get_by_text("view only")).to_be_visible()
        assert page.get_by_role("button", name=re.compile("Halt|Resume|Flatten")).count() == 0
        (cookie,) = (one for one in page.context.cookies() if one["name"] == "htbot_session")
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/dashboard")

        instance.people.tokens.revoke("viewer", "test")
        expect(page).to_have_url(address(instance, "/login"))


def test_every_page_is_readable_on_a_desk_and_on_a_phone(
    instance: Instance, launched: Browser, complaints: Complaints, tokens: dict[Role, str], pictures: Path
) -> None:
    trade = next(iter(instance.people.queries.trades(EVERYTHING)), None)
    paths = [page.path for page in PAGES if "{" not in page.path]
    paths += [f"/trades/{trade.id}"] if trade else []
    found: list[str] = []
    for size, name, theme in ((DESKTOP, "desktop", "dark"), (PHONE, "phone", "light")):
        with tab(launched, complaints, size, theme) as page:
            page.goto(address(instance, "/login"))
            found += serious_violations(page)
            log_in(page, instance, tokens[Role.ADMIN])
            for path in paths:
                page.goto(address(instance, path))
                expect(page.locator("main h1")).to_be_visible()
                expect(page.locator(".clock .time")).not_to_be_empty()
                page.wait_for_timeout(300)  # charts are drawn
                found += serious_violations(page) if name == "desktop" or path in NARROW else []
                keep(page, pictures, f"{path.strip('/').replace('/', '-') or 'desk'}-{name}-{theme}")
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 1, f"{path} is {wide} pixels too wide for a {name}"
    assert found == []
