"""Data, dates and options that cannot be played: one line that names file, row and rule, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from htbot.bootstrap.install.ports import free_port
from htbot.cli.main import run
from htbot.paper.store import Store
from htbot.settings import project_root

pytestmark = pytest.mark.timeout(180)

HEADER = ("ts", "symbol", "open", "high", "low", "close", "volume")
DAYS = ("2022-09-02", "2022-09-06")
"""A Friday and the Tuesday after Labor Day."""

Rows = list[list[Any]]
_OURS = ("HTBOT_", "PAPER_", "IB_", "IBKR_", "SMTP_", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "KILL_SWITCH")


def good_rows(minutes: int = 5, count: int = 24, days: tuple[str, ...] = DAYS) -> Rows:
    """Bars from the open on, of each day."""
    return [
        [(_open_of(day) + timedelta(minutes=minutes * number)).isoformat(), "SPY", 400.0, 400.5, 399.5, 400.1, 1000]
        for day in days
        for number in range(count)
    ]


def _open_of(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(hour=13, minute=30, tzinfo=UTC)


def with_cell(column: str, value: object) -> Rows:
    """One wrong cell, in the fourth row."""
    rows = good_rows()
    rows[3][HEADER.index(column)] = value
    return rows


def swapped() -> Rows:
    rows = good_rows()
    rows[3], rows[4] = rows[4], rows[3]
    return rows


def repeated() -> Rows:
    rows = good_rows()
    return [*rows[:4], rows[3], *rows[4:]]


def mixed() -> Rows:
    """A day of five minutes, then one of single minutes."""
    return [*good_rows(5, 48, DAYS[:1]), *good_rows(1, 24, DAYS[1:])]


def text_of(rows: Rows, header: tuple[str, ...] = HEADER) -> str:
    return "\n".join(",".join(map(str, row)) for row in (header, *rows)) + "\n"


def without(column: str) -> str:
    at = HEADER.index(column)
    return text_of([[*row[:at], *row[at + 1 :]] for row in good_rows()], (*HEADER[:at], *HEADER[at + 1 :]))


FILES: dict[str, tuple[str | bytes, str]] = {
    "nan.csv": (text_of(with_cell("close", "nan")), "row 4 (SPY): close nan is missing or not a number"),
    "hole.csv": (text_of(with_cell("open", "")), "row 4 (SPY): open nan is missing or not a number"),
    "inf.csv": (text_of(with_cell("high", "inf")), "row 4 (SPY): high inf is infinite"),
    "word.csv": (text_of(with_cell("low", "low")), "row 4: low 'low' is no number"),
    "negative.csv": (text_of(with_cell("low", -1)), "row 4 (SPY): low -1 is negative"),
    "zero.csv": (text_of(with_cell("low", 0)), "row 4 (SPY): low 0 is zero"),
    "volume.csv": (text_of(with_cell("volume", -5)), "row 4 (SPY): volume -5 is negative"),
    "upside_down.csv": (text_of(with_cell("high", 399)), "row 4 (SPY): high 399 is below the low"),
    "outside.csv": (text_of(with_cell("close", 401)), "row 4 (SPY): close 401 is outside low and high"),
    "time.csv": (text_of(with_cell("ts", "yesterday")), "row 4: ts 'yesterday' is no ISO time"),
    "second.csv": (
        text_of(with_cell("ts", f"{DAYS[0]}T13:45:07Z")),
        "row 4 (SPY): mixed bar length: 307 seconds after the row before",
    ),
    "nameless.csv": (text_of(with_cell("symbol", "")), "row 4: symbol '' is no symbol"),
    "unsorted.csv": (text_of(swapped()), "row 5 (SPY): not sorted: 2022-09-02 13:45 UTC comes after a later row"),
    "duplicate.csv": (text_of(repeated()), "row 5 (SPY): duplicate row for 2022-09-02 13:45 UTC"),
    "mixed.csv": (text_of(mixed()), "row 50 (SPY): mixed bar length: 1 minute after the row before, in bars of 5"),
    "columns.csv": (without("close"), "missing columns close"),
    "header.csv": (text_of([]), "the file has no rows"),
    "empty.csv": ("", "not readable as Parquet or CSV"),
    "junk.parquet": (b"PAR1 and then nothing of the kind", "not readable as Parquet or CSV"),
    "bytes.csv": (bytes(range(256)) * 20, "not readable as Parquet or CSV"),
    "night.csv": (text_of([[row[0].replace("T1", "T0"), *row[1:]] for row in good_rows()]), "no two bars lie in one"),
}


class Told(NamedTuple):
    """What a command line answered."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line on standard error."""
        assert (self.err.count("\n"), self.out) == (1, ""), self
        assert "Traceback" not in self.err
        assert self.err.isprintable() or self.err[:-1].isprintable()
        return self.err.strip()


class Place(NamedTuple):
    """An instance where nothing was ever set up, with a temporary folder of its own."""

    folder: Path
    environ: dict[str, str]

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def left_behind(self) -> list[str]:
        """Folders of a demo, processes that live in this place, and worlds that were begun."""
        found = sorted(entry.name for entry in Path(self.environ["TMPDIR"]).iterdir())
        mark = f"TMPDIR={self.environ['TMPDIR']}".encode()
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in entry.read_bytes().split(b"\0"):
                    found.append(f"process {entry.parent.name}")
            except OSError:
                continue
        books = Path(self.environ["HTBOT_VAR_DIR"]) / "paper" / "gateway.sqlite"
        if books.exists() and Store(books).meta("world_asked") is not None:
            found.append("a world")
        return found


Shell = Callable[..., Told]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "tmp").mkdir()
    environ = {
        "HTBOT_ENV_FILE": os.devnull,
        "HTBOT_VAR_DIR": str(folder / "var"),
        "KILL_SWITCH_FILE": str(folder / "STOP"),
        "PAPER_PORT": str(free_port()),
        "TMPDIR": str(folder / "tmp"),
    }
    return Place(folder, environ)


@pytest.fixture
def shell(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs a command line in this process."""
    for name in os.environ:
        if name.startswith(_OURS):
            monkeypatch.delenv(name)
    for name, value in place.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(tempfile, "tempdir", None)  # read TMPDIR anew

    def call(*arguments: object) -> Told:
        code = run([str(argument) for argument in arguments])
        return Told(code, *capsys.readouterr())

    return call


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_by_file_row_and_rule(shell: Shell, place: Place, name: str) -> None:
    content, rule = FILES[name]
    path = place.write(name, content)
    for line in (("demo", "--symbol", "SPY", "--data", path, "--json"), ("paper", "--symbol", "SPY", "--data", path)):
        told = shell(*line)
        assert told.code == 4
        assert told.line.startswith(f"htbot: {path}: {rule}")
    assert place.left_behind() == []


def test_a_file_that_may_not_be_read_is_refused(shell: Shell, place: Place) -> None:
    path = place.write("secret.csv", text_of(good_rows()))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    told = shell("demo", "--symbol", "SPY", "--data", path, "--json")
    assert told.code == 4
    assert str(path) in told.line


def test_the_same_file_twice_is_refused(shell: Shell, place: Place) -> None:
    path = place.write("twice.csv", text_of(good_rows()))
    told = shell("demo", "--symbol", "SPY", "--data", path, "--data", path, "--json")
    assert told.code == 4
    assert told.line.endswith(f"row 1 (SPY): bars of the same days are in {path}; give them once")


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("--symbol", "QQQ"), "no symbol QQQ; there is SPY"),
        (("--symbol", "SPY", "--date", "2022-09-05"), "2022-09-05 is no session (weekend or holiday); the data have"),
        (("--symbol", "SPY", "--date", "2022-09-04"), "2022-09-04 is no session (weekend or holiday); the data have"),
        (("--symbol", "SPY", "--date", "2022-09-07"), "no SPY on 2022-09-07; the data have SPY from 2022-09-02 to"),
        (("--symbol", "SPY", "--date", "1990-01-02"), "no SPY on 1990-01-02; the data have SPY from 2022-09-02 to"),
        (("--symbol", "SPY", "--date", "2098-01-02"), "no SPY on 2098-01-02; the data have SPY from 2022-09-02 to"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, tuple) else "",
)
def test_what_the_file_does_not_have_is_refused(
    shell: Shell, place: Place, arguments: tuple[str, ...], rule: str
) -> None:
    path = place.write("good.csv", text_of(good_rows()))
    paper = tuple("--start" if word == "--date" else word for word in arguments)
    for line in (("demo", *arguments, "--data", path, "--json"), ("paper", *paper, "--data", path)):
        told = shell(*line)
        assert told.code == 4
        assert told.line.startswith(f"htbot: {path}: {rule}")
    assert place.left_behind() == []


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (("demo", "--date", "2022-09-05"), 4, ("2022-09-05", "no session")),
        (("demo", "--date", "1970-01-05"), 4, ("calendar", "1991")),
        (("demo", "--date", "2022-13-45"), 1, ("--date", "2022-13-45")),
        (("demo", "--symbol", "TSLA"), 4, ("--symbol TSLA", "SPX, SPY, QQQ")),
        (("demo", "--data", "/nowhere/day.csv"), 4, ("--data /nowhere/day.csv", "no such file")),
        (("demo", "--speed", "fast"), 4, ("--speed fast",)),
        (("demo", "--speed", "0"), 4, ("PAPER_SPEED=0", "0.1 to 3600")),
        (("demo", "--speed", "nan"), 4, ("PAPER_SPEED=nan", "0.1 to 3600")),
        (("demo", "--seed", "x"), 1, ("--seed", "integer")),
        (("demo", "--folder", "/proc/version"), 4, ("--folder /proc/version",)),
        (("demo", "--journal", "/nowhere/day.jsonl"), 4, ("--journal /nowhere/day.jsonl", "no such folder")),
        (("paper", "--start", "2022-13-45"), 4, ("PAPER_START=2022-13-45",)),
        (("paper", "--data", "/nowhere/day.csv"), 4, ("/nowhere/day.csv", "no such file")),
        (("paper", "--speed", "inf"), 4, ("PAPER_SPEED",)),
        (("paper", "--market", "real"), 4, ("PAPER_MARKET", "real")),
        (("paper", "--listing", "some"), 4, ("PAPER_LISTING", "some")),
        (("paper", "--port", "99999"), 4, ("PAPER_PORT", "99999")),
        (("paper", "--cash", "-1"), 4, ("PAPER_CASH", "-1")),
        (("paper", "--accounts", "U1"), 4, ("PAPER_ACCOUNTS",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_an_option_that_cannot_be_is_named(
    shell: Shell, place: Place, line: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    told = shell(*line)
    assert told.code == code
    assert all(word in told.line for word in words)
    assert place.left_behind() == []


@pytest.mark.parametrize(
    ("length", "words"),
    [
        ("x", "bar length 'x'"),
        ("0m", "bar length '0m'"),
        ("", "bar length ''"),
        ("5s", "no two bars are 5 seconds apart, most are 5 minutes"),
        ("1d", "a second row on one day, in bars of 1 day"),
    ],
)
def test_a_bar_length_that_cannot_be_is_named(shell: Shell, place: Place, length: str, words: str) -> None:
    path = place.write("good.csv", text_of(good_rows()))
    told = shell("demo", "--symbol", "SPY", "--data", path, "--bar", length, "--json")
    assert told.code == 4
    assert words in told.line
    assert place.left_behind() == []


def test_the_folder_of_another_instance_is_not_taken(shell: Shell, place: Place) -> None:
    used = place.folder / "used"
    used.mkdir()
    (used / "run").mkdir()
    told = shell("demo", "--date", "2022-09-06", "--folder", used)
    assert told.code == 4
    assert f"--folder {used} is not empty" in told.line
    assert [entry.name for entry in used.iterdir()] == ["run"]


@pytest.mark.parametrize("command", ["demo", "paper"])
def test_the_real_command_says_the_same(place: Place, command: str) -> None:
    path = place.write("nan.csv", FILES["nan.csv"][0])
    told = executed(place, command, "--symbol", "SPY", "--data", str(path))
    assert (told.code, told.line) == (4, f"htbot: {path}: {FILES['nan.csv'][1]}")
    assert place.left_behind() == []


def test_a_date_before_the_calendar_is_one_line_too(place: Place) -> None:
    told = executed(place, "paper", "--start", "1970-01-05")
    assert told.code == 4
    assert "the calendar knows 1991 to 2100" in told.line


def executed(place: Place, *line: str) -> Told:
    """A command line in a process of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    done = subprocess.run(
        [sys.executable, "-m", "htbot", *line],
        env=kept | place.environ, cwd=project_root(), capture_output=True, text=True, check=False, timeout=150,
    )  # fmt: skip
    return Told(done.returncode, done.stdout, done.stderr)
