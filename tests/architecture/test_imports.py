"""What the processes load: the contracts in pyproject.toml forbid edges, these tests look at the real thing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from htbot.settings import project_root

HEAVY = {"pandas", "talib", "numba", "exchange_calendars", "fastapi", "nicegui", "pyarrow"}
SCRIPT = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded_by(module: str, cwd: Path) -> set[str]:
    """Top-level packages that are loaded once the module is imported."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, module], check=True, capture_output=True, text=True, cwd=cwd)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("module", ["htbot.desk", "htbot.desk.__main__"])
def test_the_desk_starts_without_heavy_libraries(module: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not there")
    assert loaded_by(module, tmp_path) & HEAVY == set()


def test_settings_start_without_servers_and_frames(tmp_path: Path) -> None:
    assert loaded_by("htbot.settings", tmp_path) & (HEAVY | {"sqlalchemy", "celery", "ib_async", "redis"}) == set()


def test_a_backtest_starts_without_what_only_processes_that_log_need(tmp_path: Path) -> None:
    lately = {"structlog", "rich", "pandas", "sqlalchemy", "celery", "ib_async", "optuna", "jinja2"}
    assert loaded_by("htbot.bootstrap.research", tmp_path) & lately == set()
    assert loaded_by("htbot.cli.backtest", tmp_path) & (lately | HEAVY) == set()


def test_the_paper_gateway_starts_without_the_ib_client(tmp_path: Path) -> None:
    assert "ib_async" not in loaded_by("htbot.paper.server", tmp_path)


def test_the_domain_is_the_standard_library(tmp_path: Path) -> None:
    modules = sorted((project_root() / "src/htbot/domain").glob("*.py"))
    names = {f"htbot.domain.{path.stem}" for path in modules if path.stem != "__init__"}
    outside: dict[str, set[str]] = {}
    for name in names:
        outside[name] = {part for part in loaded_by(name, tmp_path) if is_installed_package(part)} - {"htbot"}
    assert {name: found for name, found in outside.items() if found} == {}


def is_installed_package(name: str) -> bool:
    """Whether a module comes from site-packages; start-up hooks of the environment do not count."""
    if name in sys.stdlib_module_names or name.startswith(("_", "__editable__")):
        return False
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and "site-packages" in spec.origin
