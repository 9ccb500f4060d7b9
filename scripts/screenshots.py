"""The pictures of the README and of the guide: a synthetic morning played to a moment in which a trade is open.

    .venv/bin/python scripts/screenshots.py

Needs the development packages and a chromium. Everything runs in a temporary folder and is stopped afterwards.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Browser, Page
from tests.e2e.running import environment, running, until
from tests.support.browser import DESKTOP, PHONE, Complaints, browser, tab

from htbot.settings import project_root

PICTURES = project_root() / "docs" / "images"
LARGEST = 300_000
# Two trades are over by eleven in New York and a third one is open; there the world stands still.
DAY = {
    "HTBOT_SYMBOL": "SPX",
    "PAPER_SPEED": "max",
    "PAPER_SEED": "7",
    "PAPER_START": "2021-01-04T14:25:00+00:00",
    "PAPER_END": "2021-01-04T16:50:00+00:00",
}
SHOWN = (
    ("desk", "/", DESKTOP, "dark"),
    ("chart", "/chart", DESKTOP, "dark"),
    ("signals", "/signals", DESKTOP, "light"),
    ("system", "/system", DESKTOP, "light"),
    ("phone", "/", PHONE, "light"),
)


def log_in(page: Page, address: str, token: str) -> None:
    """Through the form, as a person does."""
    page.goto(f"{address}/dashboard/")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    page.locator("main h1").wait_for()


def take(launched: Browser, address: str, token: str) -> list[Path]:
    """Every picture; the paths."""
    made = []
    for name, path, size, theme in SHOWN:
        with tab(launched, Complaints(address), size, theme) as page:
            log_in(page, address, token)
            page.goto(f"{address}/dashboard{path}")
            page.locator("main h1").wait_for()
            page.wait_for_timeout(1500)
            made.append(PICTURES / f"dashboard-{name}.png")
            page.screenshot(path=made[-1])
    return made


def main() -> int:
    """Make them; 1 when one is too large for a page."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="htbot-pictures-") as folder, running(environment(Path(folder), **DAY)) as instance:
        began = time.monotonic()
        until(lambda: len(instance.people.queries.status().strategies) > 0, 120, "the day has begun")
        until(lambda: f"{instance.people.queries.desk().market_time:%H:%M}" >= "16:49", 240, "the trade is open")
        print(f"played in {time.monotonic() - began:.0f} s")
        with browser() as launched:
            made = take(launched, instance.stack.settings.api.url, instance.stack.environ["HTBOT_API_TOKEN"])
    sizes = {path: path.stat().st_size for path in made}
    for path, size in sizes.items():
        print(f"{path.relative_to(project_root())}: {size / 1000:.0f} kB")
    return int(max(sizes.values()) > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
