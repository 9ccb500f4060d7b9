"""How fast a page of the dashboard is there, and what an open tab costs.

    .venv/bin/python benchmarks/bench_dashboard.py

A whole instance that stands still, a chromium without a cache for each cold page. First contentful paint is the
browser's own figure; a page can be used once its socket is open, which is when its buttons answer. The floor of the
same run is the login page, which has no script. The cost of tabs is processor time of the API in a quiet market.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, Page
from tests.e2e.running import Instance, environment, running, until
from tests.support.browser import DESKTOP, Complaints, browser, tab

PAINT_LIMIT_S, USE_LIMIT_S = 1.5, 3.0
STILL = {
    "HTBOT_SYMBOL": "SPX",
    "PAPER_SPEED": "max",
    "PAPER_SEED": "7",
    "PAPER_START": "2021-01-04T14:25:00+00:00",
    "PAPER_END": "2021-01-04T15:10:00+00:00",
}
_PAINT = "((entry) => entry ? entry.startTime / 1000 : null)(performance.getEntriesByName('first-contentful-paint')[0])"
_USABLE = "(window.socket?.connected && document.querySelector('main h1') && performance.now() / 1000) || null"


def when(page: Page, expression: str) -> float:
    """The value of an expression as soon as it has one; the login's policy lets no page poll for itself."""
    while (found := page.evaluate(expression)) is None:
        page.wait_for_timeout(10)
    return float(found)


def timed(page: Page, url: str) -> tuple[float, float]:
    """First paint and the moment from which the page can be used, in seconds from the click."""
    page.goto(url)
    usable = when(page, _USABLE)
    return when(page, _PAINT), usable


def enter(page: Page, instance: Instance) -> float:
    """Log in; first paint of the login page."""
    page.goto(f"{instance.stack.settings.api.url}/dashboard/login")
    paint = when(page, _PAINT)
    page.get_by_label("Token").fill(instance.stack.environ["HTBOT_API_TOKEN"])
    page.get_by_role("button", name="Log in").click()
    page.locator("main h1").wait_for()
    return paint


def pages(launched: Browser, instance: Instance, rounds: int) -> int:
    """Cold and warm loads; 1 beyond a limit."""
    url = instance.stack.settings.api.url
    floor: list[float] = []
    found: dict[str, list[tuple[float, float]]] = {"desk, warm": [], "desk, cold": [], "chart, warm": []}
    for _ in range(rounds):
        with tab(launched, Complaints(url), DESKTOP, "dark") as page:
            floor.append(enter(page, instance))
            found["desk, warm"].append(timed(page, f"{url}/dashboard/"))
            found["chart, warm"].append(timed(page, f"{url}/dashboard/chart"))
            page.context.new_cdp_session(page).send("Network.clearBrowserCache")
            found["desk, cold"].append(timed(page, f"{url}/dashboard/"))
    base = statistics.median(floor)
    print(f"floor: first paint of the login page {base:.2f} s")
    beyond = False
    for name, times in found.items():
        paint, use = (statistics.median(one[index] for one in times) for index in (0, 1))
        beyond |= paint > PAINT_LIMIT_S or use > USE_LIMIT_S
        print(
            f"{name}: first paint {paint:.2f} s (limit {PAINT_LIMIT_S} s, {paint / base:.1f} floors),"
            f" can be used after {use:.2f} s (limit {USE_LIMIT_S} s)"
        )
    return int(beyond)


def cost(launched: Browser, instance: Instance, seconds: float) -> None:
    """Processor time of the API with no tab, one and five, in a market that stands still."""
    api, url = psutil.Process(instance.pid("api")), instance.stack.settings.api.url
    context = launched.new_context()
    for tabs in (0, 1, 5):
        while len(context.pages) < tabs:
            page = context.new_page()
            if not context.pages[0].url.startswith(url):
                enter(page, instance)
            timed(page, f"{url}/dashboard/")
        if context.pages:
            context.pages[0].wait_for_timeout(2000)
        before, began = sum(api.cpu_times()[:2]), time.monotonic()
        time.sleep(seconds)
        used = (sum(api.cpu_times()[:2]) - before) / (time.monotonic() - began)
        print(f"{tabs} tabs: {used:.1%} of a core, resident {api.memory_info().rss / 1e6:.0f} MB")
    context.close()


def main() -> int:
    """Measure; 1 beyond a limit."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="htbot-bench-") as folder, running(environment(Path(folder), **STILL)) as instance:
        until(lambda: f"{instance.people.queries.desk().market_time:%H:%M}" >= "15:09", 240, "the world stands still")
        with browser() as launched:
            cost(launched, instance, asked.seconds)
            beyond = pages(launched, instance, asked.rounds)
    return beyond


if __name__ == "__main__":
    sys.exit(main())
