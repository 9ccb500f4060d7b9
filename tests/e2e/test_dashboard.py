"""The dashboard in a real browser over a whole instance: a stepped synthetic morning, held while the browser looks.

Nothing moves in between (`tests.support.held_day`), so that no look is too late for what it looks for.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.e2e.running import EVERYTHING, Instance, environment, running, until
from tests.support.browser import (
    DESKTOP,
    PHONE,
    Complaints,
    browser,
    chromium,
    keep,
    serious_violations,
    tab,
)
from tests.support.held_day import HeldDay
from tests.unit.dashboard.test_pages import Shown, status

from htbot.bootstrap.install.ports import answers
from htbot.dashboard import layout
from htbot.dashboard.application import STATIC_FOLDER
from htbot.dashboard.pages import PAGES
from htbot.dashboard.parts.markup import tag
from htbot.domain.scheduler import SchedulerState
from htbot.persistence.queries.lists import Filters
from htbot.persistence.queries.paging import PageRequest
from htbot.services.callers import Caller
from htbot.services.command_kinds import EVERY_ACCOUNT
from htbot.services.doorman import REFRESH_S
from htbot.services.tokens import Role

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]

# The trend of this seed breaks the day's high at 10:01:30 New York. With a target of 100 USD that trade is over at
# 10:08:20, and another one is opened at 10:11:30.
MORNING = {
    "PAPER_SPEED": "max",
    "PAPER_SEED": "7",
    "PAPER_START": "2021-01-04T14:59:00+00:00",
    "HTBOT_SYMBOL": "SPX",
    "HTBOT_PROFIT_TARGET": "100",
}
LATEST = datetime(2021, 1, 4, 15, 30, tzinfo=UTC)
"""By then everything that this morning is watched for has happened."""
PICTURES = "SCREENSHOTS_DIR"
LAST_CANDLE = (
    "((drawn) => drawn && getElement(Number(drawn.id.slice(1)))?.chart?.getOption().series[0].data.at(-1)?.slice(-4))"
    "(document.querySelector('.drawn.candles'))"
)
NARROW_DESK = 1280
NARROW = {"/", "/orders"}
"""Pages that axe-core reads on a phone too: the rules are the same, and each reading takes a second."""


@dataclass(frozen=True)
class Morning:
    """The instance, and its day, which stands still."""

    instance: Instance
    day: HeldDay

    def trade_state(self) -> str | None:
        """Of the trade that is open."""
        trade = self.instance.people.queries.status().open_trade
        return None if trade is None else trade.state

    def goes_on_with_the_desk(self) -> bool:
        """Let an instant pass, with the desk or without it; whether it is in the step again."""
        self.day.step()
        return self.instance.connected()

    def acts(self, actor: str) -> list[str]:
        """What somebody has done by the audit log, oldest first."""
        found = self.instance.people.listings.audit(PageRequest(100), Filters(actor=actor)).items
        return [row.action for row in reversed(found)]


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Morning]:
    """Held at its first instant: the test joins the gateway before the desk does."""
    chromium()  # skips before anything is started
    environ = environment(tmp_path_factory.mktemp("dashboard"), **MORNING)
    with ThreadPoolExecutor(1) as pool:
        joining = pool.submit(HeldDay.joined, int(environ["PAPER_PORT"]))
        try:
            with running(environ) as started:
                yield Morning(started, joining.result())
        finally:
            if joining.exception() is None:
                joining.result().close()


@pytest.fixture(scope="module")
def instance(morning: Morning) -> Instance:
    return morning.instance


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


@pytest.fixture
def calm(morning: Morning) -> None:
    """Nothing halts, nothing is held and the desk is at work, whatever became of the test before."""
    people, instance = morning.instance.people, morning.instance
    server, nobody = instance.stack.settings.api, Caller("test", None)
    until(lambda: answers(server.host, server.port), 90, "the API is there")
    if people.queries.halts():
        people.commands.resume(nobody)
    if people.scheduler.setting().state is not SchedulerState.RUNNING:
        people.scheduler.start(nobody)
    if not instance.connected():
        people.broker.connect(nobody)
        until(morning.goes_on_with_the_desk, 90, "the desk is back")
    if morning.trade_state() is not None:
        people.commands.close(EVERY_ACCOUNT, nobody)
        morning.day.go_until(lambda: morning.trade_state() is None, LATEST, "the trade of the test before is over")


def address(instance: Instance, path: str = "/") -> str:
    return f"{instance.stack.settings.api.url}/dashboard{path}"


def opens(page: Page, instance: Instance, path: str = "/") -> None:
    """A page whose buttons reach the server: what is pressed before the handshake of its socket is lost."""
    page.goto(address(instance, path))
    is_ready(page)


def is_ready(page: Page) -> None:
    page.wait_for_function("window.did_handshake === true")
    expect(page.locator("main h1")).to_be_visible()


def log_in(page: Page, instance: Instance, token: str) -> None:
    page.goto(address(instance))
    expect(page).to_have_url(address(instance, "/login"))
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Desk", exact=True)).to_be_visible()
    is_ready(page)


@pytest.mark.usefixtures("calm")
def test_a_trader_watches_a_trade_open_and_close_halts_resumes_and_flattens(
    morning: Morning, launched: Browser, complaints: Complaints, tokens: dict[Role, str]
) -> None:
    instance, day = morning.instance, morning.day
    with tab(launched, complaints, DESKTOP, "dark") as page:
        log_in(page, instance, tokens[Role.OPERATOR])
        expect(page.locator(".mode")).to_contain_text("PAPER stepped")
        sees_candles_move(page, morning)
        sees_a_trade_open_and_close(page, morning)
        halts_and_resumes(page, morning)
        sorts_and_filters(page, morning)
        is_asked_before_nobody_guards_a_trade(page, morning)
        orders_flatten(page, morning)
    # The tab is gone before the desk has begun, and the API is killed: the desk has its order and goes on.
    (second,) = (trade for trade in instance.people.queries.trades(EVERYTHING) if trade.closed_at is None)
    api = instance.pid("api")
    os.kill(api, signal.SIGKILL)
    day.go_until(lambda: not instance.people.queries.positions(), LATEST, "everything is closed")
    day.go_until(lambda: morning.trade_state() is None, LATEST, "the trade is over")
    until(lambda: instance.pid("api") not in {0, api}, 60, "supervisor has begun another API")
    server = instance.stack.settings.api
    until(lambda: answers(server.host, server.port), 60, "the API is there again")
    closed = next(one for one in instance.people.queries.trades(EVERYTHING) if one.id == second.id)
    assert closed.exit_reason == "manual"
    assert closed.net_pnl is not None


def sees_candles_move(page: Page, morning: Morning) -> None:
    opens(page, morning.instance, "/chart")
    page.wait_for_function(f"{LAST_CANDLE} != null")
    before = page.evaluate(LAST_CANDLE)
    assert len(before) == 4, "open, close, low, high"
    morning.day.go_to(morning.day.now + timedelta(minutes=1))
    page.wait_for_function(f"String({LAST_CANDLE}) !== '{','.join(map(str, before))}'")


def sees_a_trade_open_and_close(page: Page, morning: Morning) -> None:
    """One that its target ends, and the next one open."""
    card = page.locator(".trade-card")
    opens(page, morning.instance)
    expect(card).to_contain_text("Flat: no trade is open.")
    for number in (1, 2):
        morning.day.go_until(lambda: morning.trade_state() == "open", LATEST, f"trade {number} is open")
        expect(card.get_by_role("heading", name=re.compile("SPX bull put"))).to_be_visible()
        expect(card.locator(".gauge [role=img]")).to_have_attribute("aria-label", re.compile("between stop"))
        if number == 1:
            nothing_is_cut(page)
            morning.day.go_until(lambda: morning.trade_state() is None, LATEST, "the trade is over")
            expect(card).to_contain_text("Flat: no trade is open.")
            expect(card).to_contain_text("Closed byprofit target")


def nothing_is_cut(page: Page) -> None:
    """Legs, positions and messages have room on a small screen too."""
    page.set_viewport_size({"width": NARROW_DESK, "height": 800})
    expect(page.locator(".stack .table tr")).not_to_have_count(0)
    page.wait_for_function(
        "() => [...document.querySelectorAll('main .table')].every((one) => one.scrollWidth <= one.clientWidth)"
    )
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})


def halts_and_resumes(page: Page, morning: Morning) -> None:
    page.keyboard.press("h")
    page.get_by_label("Reason").fill("lunch")
    page.get_by_role("dialog").get_by_role("button", name="Halt").click()
    expect(page.locator(".trouble.halt")).to_contain_text("lunch")
    assert "dashboard:operator" in {halt.set_by for halt in morning.instance.people.queries.halts()}
    expect(page.get_by_role("dialog")).to_have_count(0)  # a key in a dialog is the dialog's, while it closes too
    page.keyboard.press("h")
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()
    expect(page.locator(".trouble.halt")).to_have_count(0)


def sorts_and_filters(page: Page, morning: Morning) -> None:
    """Both trades, by their time upwards and downwards, and the one that has a word; then the chart of its day."""
    opens(page, morning.instance, "/trades")
    rows, first = page.locator("main tbody tr:visible"), page.locator("main tbody tr >> nth=0")
    expect(rows).to_have_count(2)
    expect(first).to_contain_text("open")
    head = page.get_by_role("columnheader", name="Opened")
    for turn in ("descending", "ascending"):
        head.get_by_role("button").press("Enter")
        expect(head).to_have_attribute("aria-sort", turn)
    expect(first).to_contain_text("profit target")
    page.keyboard.press("/")
    page.keyboard.type("closed profit")
    expect(rows).to_have_count(1)


def is_asked_before_nobody_guards_a_trade(page: Page, morning: Morning) -> None:
    opens(page, morning.instance, "/system")
    page.get_by_role("button", name="Disconnect").click()
    question = page.get_by_role("dialog")
    expect(question).to_contain_text("Open trades: 1. Nobody watches stop, target and time exit meanwhile.")
    expect(question.get_by_role("button", name="Disconnect")).to_be_disabled()
    question.get_by_role("button", name="Cancel").click()
    expect(question).to_have_count(0)


def orders_flatten(page: Page, morning: Morning) -> None:
    opens(page, morning.instance)
    page.get_by_role("button", name="Flatten all").click()
    sure = page.get_by_role("dialog").get_by_role("button", name="Flatten all")
    expect(sure).to_be_disabled()
    page.get_by_label(re.compile("to confirm")).fill("flatten")
    sure.click()
    expect(page.get_by_text("Flatten was ordered")).to_be_visible()


@pytest.mark.usefixtures("calm")
def test_a_trader_pauses_and_disconnects_and_each_act_is_written_down(
    morning: Morning, launched: Browser, complaints: Complaints, tokens: dict[Role, str]
) -> None:
    before = len(morning.acts("dashboard:operator"))
    with tab(launched, complaints, DESKTOP, "light") as page:
        log_in(page, morning.instance, tokens[Role.OPERATOR])
        opens(page, morning.instance, "/system")
        notice = page.locator(".trouble.warn:visible", has_text=re.compile("scheduler is|off the broker"))
        for act, told in (("Pause", "paused"), ("Stop", "stopped")):
            presses(page, act)
            expect(notice).to_contain_text(f"The scheduler is {told} by dashboard:operator")
            expect(page.locator(".lights")).to_contain_text(f"SCHEDULER {told.upper()}")
            stands_in_one_line(page)
        presses(page, "Start")
        expect(notice).to_have_count(0)

        presses(page, "Disconnect")
        until(lambda: "broker.disconnect" in morning.acts("dashboard:operator"), 60, "it is ordered")
        morning.day.step()
        expect(notice).to_contain_text("The desk is off the broker by dashboard:operator.")
        presses(page, "Connect")
        until(morning.goes_on_with_the_desk, 60, "the desk is back")
        expect(notice).to_have_count(0)
    acts = ["scheduler.pause", "scheduler.stop", "scheduler.start", "broker.disconnect", "broker.connect"]
    assert [act for act in morning.acts("dashboard:operator")[before:] if act in acts] == acts


def stands_in_one_line(page: Page) -> None:
    """The header of a paused desk on a small screen; the navigation begins where it ends, however high it is."""
    page.set_viewport_size({"width": NARROW_DESK, "height": 800})
    nav = page.locator("nav.side")
    page.wait_for_function("() => document.querySelector('header.top').offsetHeight <= 62")
    for width in (800, NARROW_DESK):  # wraps, and does not
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(
            "() => document.querySelector('nav.side').getBoundingClientRect().top >="
            " document.querySelector('header.top').getBoundingClientRect().bottom"
        )
        expect(nav.get_by_role("link", name="Desk")).to_be_in_viewport()
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})


def presses(page: Page, act: str) -> None:
    """A button of the page, and the same word in the dialog that asks."""
    page.locator("main .card").get_by_role("button", name=act, exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name=act, exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.usefixtures("calm")
def test_an_instance_trades_only_once_it_may(
    morning: Morning, launched: Browser, complaints: Complaints, tokens: dict[Role, str]
) -> None:
    with tab(launched, complaints, DESKTOP, "light") as page:
        log_in(page, morning.instance, tokens[Role.OPERATOR])
        opens(page, morning.instance, "/strategies")
        page.get_by_role("button", name="Add a strategy").click()
        page.get_by_label("Name").fill("fast")
        page.get_by_label("Symbol").fill("spy")
        page.get_by_role("button", name="Add", exact=True).click()
        card = page.locator("article", has=page.get_by_role("heading", name=re.compile("^fast")))
        expect(card).to_contain_text("observe")

        leaves_at(page, card, "15:50")
        lets_it_trade(page)
        expect(page.get_by_text("exit_time=15:50: what is traded is flat by 15:45")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        leaves_at(page, card, "15:40")
        lets_it_trade(page)
        expect(card).to_contain_text("its entries pass the risk gate and are sent")
        (one,) = (one for one in morning.instance.people.strategies.states() if one.instance.name == "fast")
        assert one.instance.mode == "trade"


def leaves_at(page: Page, card: Locator, exit_time: str) -> None:
    card.get_by_role("button", name="Edit").click()
    page.get_by_label("Exit time").fill(exit_time)
    page.get_by_role("button", name="Save").click()
    expect(card).to_contain_text(exit_time)


def lets_it_trade(page: Page) -> None:
    page.get_by_role("button", name="Let it trade").click()
    page.get_by_label(re.compile("to confirm")).fill("trade")
    page.get_by_role("dialog").get_by_role("button", name="Let it trade").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_viewer_sees_and_cannot_act_and_a_revoked_token_ends_the_session(
    instance: Instance, launched: Browser, complaints: Complaints, tokens: dict[Role, str]
) -> None:
    with tab(launched, complaints, DESKTOP, "light") as page:
        log_in(page, instance, tokens[Role.VIEWER])
        expect(page.get_by_text("view only")).to_be_visible()
        assert page.get_by_role("button", name=re.compile("Halt|Resume|Flatten")).count() == 0
        (cookie,) = (one for one in page.context.cookies() if one["name"] == "htbot_session")
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/dashboard")

        expect(page.locator(".drawn canvas").first).to_be_visible()  # its script comes last, and to nobody who is out
        instance.people.tokens.revoke("viewer", "test")
        expect(page).to_have_url(address(instance, "/login"))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_real_money_stands_under_a_red_edge(launched: Browser, complaints: Complaints, theme: str) -> None:
    """The banner of a live desk, which no test may have, drawn from what such a desk would say."""
    shown = Shown({"status": status(mode="live", trading_enabled=False, reason="HTBOT_ENABLED is false")})
    style = (STATIC_FOLDER / "dashboard.css").read_text()
    top = tag("header", tag("div", layout.banner(shown), cls="banner"), cls="top")
    body = tag("body", top, tag("main", layout.troubles(shown), tag("h1", "Desk"), cls="page"))
    head = f"<head><title>htbot</title><style>{style}</style></head>"
    with tab(launched, complaints, DESKTOP, theme) as page:
        page.set_content(f'<!doctype html><html lang="en">{head}{body}</html>')
        red = page.locator(".mode.live").evaluate("(one) => getComputedStyle(one).backgroundColor")
        edge = page.locator(".top").evaluate("(one) => getComputedStyle(one).borderTop")
        assert edge == f"4px solid {red}"
        share = [int(part) for part in re.findall(r"\d+", red)]
        assert share[0] > 3 * max(share[1:]), f"{red} is no red"
        expect(page.locator("main")).to_contain_text("No entries: HTBOT_ENABLED is false")
        assert serious_violations(page) == []


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
                opens(page, instance, path)
                expect(page.locator(".clock .time")).not_to_be_empty()
                expect(page.locator(".drawn canvas")).to_have_count(page.locator(".chart").count())
                found += serious_violations(page) if name == "desktop" or path in NARROW else []
                keep(page, pictures, f"{path.strip('/').replace('/', '-') or 'desk'}-{name}-{theme}")
                wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert wide <= 1, f"{path} is {wide} pixels too wide for a {name}"
    assert found == []
