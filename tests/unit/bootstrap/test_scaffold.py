from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from htbot.adapters.calendar import load_sessions
from htbot.adapters.replay.reader import read_market_data
from htbot.backtest.tape import make_tape
from htbot.bootstrap.scaffold import default_folder, new_strategy
from htbot.domain.errors import CallerMistake
from htbot.strategies.registry import create_bar, discover

WEEK = (date(2024, 5, 13), date(2024, 5, 17))


def test_five_files_are_written_and_the_strategy_is_found(tmp_path: Path) -> None:
    files = new_strategy("gap_fade", tmp_path / "mine")
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == sorted(path.name for path in files.all())
    assert len(files.all()) == 5
    catalogue = discover([tmp_path / "mine"])
    assert catalogue["gap_fade"].file == files.strategy.resolve()
    assert (
        create_bar("gap_fade", {"window": "5"}, catalogue).config_hash
        != create_bar("gap_fade", {}, catalogue).config_hash
    )
    assert "@" not in "".join(path.read_text(encoding="utf-8") for path in (files.test, files.page))


def test_the_bars_are_a_whole_week(tmp_path: Path) -> None:
    data = read_market_data([new_strategy("gap_fade", tmp_path).bars])
    tape = make_tape("DEMO", data.bars["DEMO"], load_sessions(WEEK[0], WEEK[1]))
    assert (len(tape), len(set(tape.bars["session"].tolist()))) == (5 * 78, 5)
    assert new_strategy("other", tmp_path).bars.read_bytes() == (tmp_path / "gap_fade_bars.csv").read_bytes()


@pytest.mark.parametrize("suffix", [".py", ".csv", ".md", "_bars.csv"])
def test_nothing_is_overwritten(tmp_path: Path, suffix: str) -> None:
    there = tmp_path / f"gap_fade{suffix}"
    there.write_text("mine", encoding="utf-8")
    with pytest.raises(CallerMistake, match=rf"^{there} is there already; take another name, or remove it$"):
        new_strategy("gap_fade", tmp_path)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [(there.name, "mine")]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Gap", "2 to 40 of a-z"),
        ("gap-fade", "2 to 40 of a-z"),
        ("../gap", "2 to 40 of a-z"),
        ("g", "2 to 40 of a-z"),
        ("gap_", "2 to 40 of a-z"),
        ("gap__fade", "2 to 40 of a-z"),
        ("_gap", "2 to 40 of a-z"),
        ("lambda", "Python or pytest would misread its file"),
        ("test_gap", "Python or pytest would misread its file"),
        ("momentum", "a strategy called momentum is there already"),
        ("plain_breakout", "a strategy called plain_breakout is there already"),
        ("spx_breakout", "a strategy called spx_breakout is there already"),
    ],
)
def test_names_that_cannot_be_used_are_refused_before_anything_is_written(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(CallerMistake) as caught:
        new_strategy(name, tmp_path / "mine")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "mine").exists()


def test_strategies_go_where_they_are_found() -> None:
    assert (default_folder() / "plain_breakout.py").is_file()
