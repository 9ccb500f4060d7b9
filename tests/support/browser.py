"""A real browser for tests of pages: the system's chromium, offline, and what it complains of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.support.waiting import PATIENCE_S

PATIENCE_MS = 1000 * PATIENCE_S
expect.set_options(timeout=PATIENCE_MS)  # five seconds by themselves
NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = (1440, 900), (390, 844)
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)
_SERIOUS = {"serious", "critical"}


def chromium() -> str:
    """Where the browser is; the test is skipped, with the way out, on a machine that has none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no chromium on this machine: apt-get install -y --no-install-recommends chromium")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium(), args=list(_ARGUMENTS))
        try:
            yield launched
        finally:
            launched.close()


@dataclass
class Complaints:
    """What must stay empty: errors on the console, and requests to anywhere else."""

    address: str
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def listen_to(self, page: Page) -> None:
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self._on_request(request.url))
        page.on("websocket", lambda socket: self._on_request(socket.url.replace("ws://", "http://", 1)))

    def _on_console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(f"{message.location.get('url', '')}: {message.text}")

    def _on_request(self, url: str) -> None:
        if not url.startswith((f"{self.address}/", "data:", "blob:")):
            self.outside.append(url)


@contextmanager
def tab(launched: Browser, complaints: Complaints, size: tuple[int, int], theme: str) -> Iterator[Page]:
    context: BrowserContext = launched.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if theme == "dark" else "light"
    )
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints.listen_to(page)
        yield page
    finally:
        context.close()


def serious_violations(page: Page) -> list[str]:
    """What axe-core finds that keeps people out, as rule and place."""
    found = Axe().run(page).response["violations"]
    return [
        f"{page.url} {violation['id']}: {node['html'][:160]}"
        for violation in found
        if violation["impact"] in _SERIOUS
        for node in violation["nodes"][:3]
    ]


def keep(page: Page, folder: Path, name: str) -> None:
    """A picture of the whole page, for people."""
    page.screenshot(path=folder / f"{name}.png", full_page=True)
