"""Files at the top of the project that must agree with the code."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import pytest

from htbot import __version__
from htbot.settings import project_root
from htbot.settings.example import example
from htbot.settings.load import declared_names

ROOT = project_root()
LOCKS = ("requirements.lock", "requirements-dev.lock")
CLIENT_LOCKS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests/wire/clients").glob("*.lock"))


def test_the_example_is_what_the_settings_say() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == example(), (
        "run: python -m htbot.settings.example > .env.example"
    )


def test_the_example_has_every_variable_once() -> None:
    names = re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(names) == sorted(set(declared_names().canonical.values()))


@pytest.mark.fault(60)
@pytest.mark.parametrize("name", [*LOCKS, *CLIENT_LOCKS])
def test_locks_have_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
    requirements = [block for block in re.split(r"\n(?=\S)", text.strip()) if not block.startswith("#")]
    assert requirements
    assert [block.splitlines()[0] for block in requirements if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    ("source", "lock"),
    [
        ("requirements.in", LOCKS[0]),
        ("requirements-dev.in", LOCKS[1]),
        *((name.replace(".lock", ".in"), name) for name in CLIENT_LOCKS),
    ],
)
def test_every_requirement_is_locked(source: str, lock: str) -> None:
    wanted = re.findall(r"^([A-Za-z0-9_.-]+)", (ROOT / source).read_text(encoding="utf-8"), re.MULTILINE)
    locked = re.findall(r"^([A-Za-z0-9_.-]+)==", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    assert {normal(name) for name in wanted if not name.startswith("-")} - {normal(name) for name in locked} == set()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__


@pytest.mark.parametrize("name", ["restart.sh", "test.sh", ".ci/run"])
def test_scripts_are_executable_and_parse(name: str) -> None:
    path = ROOT / name
    assert os.access(path, os.X_OK)
    shell = path.read_text(encoding="utf-8").splitlines()[0].rpartition("/")[2].split()[-1]
    subprocess.run([shell, "-n", str(path)], check=True)


def test_the_templates_carry_no_machine() -> None:
    for name in ("supervisord.conf", "redis.conf", ".env.example"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"(/home/|/Users/|/root/|/work/)", text), name


def test_nothing_secret_is_tracked() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git here")
    tracked = listed.stdout.splitlines()
    assert [
        name
        for name in tracked
        if not name.startswith("tests/") and re.search(r"(^|/)\.env$|^var/|\.(pem|key|rdb|sqlite|db)$|(^|/)STOP$", name)
    ] == []
