from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.support.search import SearchWorld
from tests.unit.cli.conftest import Shell

from htbot.bootstrap import optimize as root

GRID = ("--engine", "events", "--grid", "every=3,5", "--grid", "hold=1,4", "--folds", "2", "--jobs", "1")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> SearchWorld:
    return SearchWorld(tmp_path_factory.mktemp("search"), sessions=9)


@pytest.fixture
def line(shell: Shell, world: SearchWorld, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """`htbot optimize ticktock` over the market, with more options."""
    monkeypatch.setenv("HTBOT_STRATEGY_PATH", str(world.strategies))
    monkeypatch.setenv("HTBOT_VAR_DIR", str(world.var))
    root._place.cache_clear()
    root._tape.cache_clear()
    return lambda *more, **environ: shell("optimize", "ticktock", "--data", str(world.data), *more, **environ)


def test_tables_for_people(line: Shell, tmp_path: Path) -> None:
    study = tmp_path / "study.jsonl"
    code, out, err = line(*GRID, "--study", str(study))
    assert (code, err) == (0, f"study: {study}\n")
    assert out.startswith("Folds")
    assert "Best trials" in out
    assert "out of sample: 2 unseen windows joined" in out
    assert "best of 8 trials in 2 folds; 8 run now" in out
    assert "degradation" in out


def test_json_for_scripts_files_for_others(line: Shell, tmp_path: Path) -> None:
    page, trades = tmp_path / "report.html", tmp_path / "trades.csv"
    study = str(tmp_path / "study.jsonl")
    code, out, err = line(*GRID, "--study", study, "--json", "--report", str(page), "--csv", str(trades))
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["trials"] == 8
    assert told["study"] == study
    assert told["walk_forward"] is True
    assert [fold["fold"] for fold in told["folds"]] == [1, 2]
    assert len(told["folds"][0]["trials"]) == 4
    assert told["folds"][0]["chosen"] == told["folds"][0]["trials"][0]
    assert told["result"]["curve"]["days"][0] == told["folds"][0]["unseen"]["first"]
    with trades.open(newline="") as rows:
        assert len(list(csv.DictReader(rows))) == len(told["result"]["trades"])
    assert "The search" in page.read_text()


def test_without_walk_forward_the_first_fact_is_a_warning(line: Shell, tmp_path: Path) -> None:
    code, out, _ = line(*GRID, "--split", "none", "--study", str(tmp_path / "study.jsonl"))
    assert code == 0
    assert "IN SAMPLE ONLY" in out
    assert "Folds" not in out


def test_a_search_of_ranges(line: Shell, tmp_path: Path) -> None:
    words = (*GRID[:2], *GRID[-4:], "--search", "every=2:30", "--trials", "4", "--json")
    code, out, _ = line(*words, "--study", str(tmp_path / "study.jsonl"))
    assert code == 0
    assert json.loads(out)["trials"] == 8


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 4, "say what to search"),
        (("--grid", "every=0"), 4, "every=0 is out of range: 1 to 100"),
        (("--grid", "evry=5"), 4, "unknown setting evry: did you mean every?"),
        (("--grid", "every=5", "--split", "none", "--train", "5"), 4, "--train goes with walk-forward"),
        (("--grid", "every=5", "--metric", "luck"), 4, "--metric luck: no such metric"),
        (("--grid", "every=5", "--report", "/nowhere/at/all.html"), 4, "/nowhere/at/all.html: no such folder"),
        (("--grid", "every=5", "--folds", "0"), 1, "Invalid value for '--folds'"),
        (("--grid", "every=5", "--symbol", "QQQ"), 4, "no bars of QQQ; it has SPY"),
    ],
)
def test_mistakes_are_one_line(line: Shell, words: tuple[str, ...], code: int, told: str) -> None:
    found, out, err = line(*words)
    assert (found, out) == (code, "")
    assert err.count("\n") == 1
    assert told in err


def test_without_a_strategy_they_are_listed(shell: Shell) -> None:
    code, _, err = shell("optimize")
    assert code == 4
    assert err.startswith("htbot: name a strategy: ")
    assert "plain_breakout" in err
    assert "spx_breakout" not in err
