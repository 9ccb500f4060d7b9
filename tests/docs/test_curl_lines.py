"""Every `curl` line of the documentation, word for word, against an API with a market, a record and a real token."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, PAGES, fences, named, text_of
from tests.support.people import FIRST, chain, furnish, open_market
from tests.support.served import served

from htbot.persistence.engine import Database

ADDRESS = "127.0.0.1:8000"
TOKEN_LINE = "TOKEN=$(sed -n 's/^HTBOT_API_TOKEN=//p' .env)"
ANSWERS: dict[str, tuple[int, set[str]]] = {
    "/status": (200, {"mode", "market_time", "connection", "halt", "strategies", "open_trade", "tasks"}),
    "/trade/signal": (202, {"command_id", "decision_id", "accepted", "ref", "limit", "outcomes"}),
    "/halt": (200, {"halted", "by", "warning", "accounts"}),
}
"""By path, in the order in which they are tried: status, and members of the answer."""
_PATH = re.compile(rf"http://{re.escape(ADDRESS)}(/[^\s'\"]*)")


def lines() -> Iterator[tuple[str, str, str]]:
    """Page, path and whole line of each, continuations joined."""
    for page in PAGES:
        for block in fences(page, "bash", "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("curl"):
                    found = _PATH.search(line)
                    assert found, f"{named(page)}: {line} calls no path of {ADDRESS}"
                    yield named(page), found[1], line


def called(line: str, port: int, folder: Path) -> tuple[int, str]:
    """What a shell gets that has read the token as the reference says: status and body."""
    told = "curl() { command curl --max-time 60 -w '\\n%{http_code}' \"$@\"; }"
    script = "\n".join((told, TOKEN_LINE, line.replace(ADDRESS, f"127.0.0.1:{port}")))
    shell = shutil.which("bash") or "bash"
    done = subprocess.run(
        [shell, "-c", script], cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_each_line_is_known_and_the_token_is_read_as_told() -> None:
    assert {path for _, path, _ in lines()} == set(ANSWERS)
    assert TOKEN_LINE in text_of(DOCS / "reference/rest.md")


@pytest.mark.skipif(shutil.which("curl", path="/usr/bin:/bin") is None, reason="curl is not installed here")
def test_each_line_does_what_it_says(database: Database, tmp_path: Path) -> None:
    house = furnish(database, tmp_path)
    open_market(house)
    house.live.seen = chain(5608.0)
    (tmp_path / ".env").write_text(f"HTBOT_API_TOKEN={FIRST}\n", encoding="utf-8")
    tried = sorted(lines(), key=lambda one: list(ANSWERS).index(one[1]))
    with served(house.app(background=True)) as place:
        for page, path, line in tried:
            status, body = called(line, place.port, tmp_path)
            expected, members = ANSWERS[path]
            assert status == expected, f"{page}: {body}"
            assert members <= json.loads(body).keys(), f"{page}: {body}"
        (tmp_path / ".env").write_text("HTBOT_API_TOKEN=another\n", encoding="utf-8")
        assert called(tried[0][2], place.port, tmp_path)[0] == 401
    assert house.stop_file.exists()
