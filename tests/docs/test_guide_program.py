"""The program in the guide to the paper gateway is one that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS, fences
from tests.support.paper_process import PaperProcess


def test_the_three_lines_print_a_quote(tmp_path: Path) -> None:
    gateway = PaperProcess(tmp_path / "state", tmp_path / "calendar", start="2024-05-14T10:00:00-04:00", speed=20.0)
    program, *_ = fences(DOCS / "guides/paper-gateway.md", "python")
    port = gateway.start()
    try:
        text = program.replace("4102", str(port))
        assert text != program
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", text],
            env=dict(os.environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        gateway.stop()
    assert done.returncode == 0, done.stderr
    assert "Stock(conId=756733, symbol='SPY'" in done.stdout
    assert "bid=" in done.stdout
