from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_a_strategy_is_written_where_it_is_told(shell: Any, tmp_path: Path) -> None:
    code, out, err = shell("new", "strategy", "gap_fade", "--folder", str(tmp_path / "mine"))
    assert (code, err) == (0, "")
    *paths, last = out.splitlines()
    assert [Path(path).is_file() for path in paths] == [True] * 5
    assert last == f"what to do next is in {tmp_path / 'mine' / 'gap_fade.md'}"


def test_the_files_as_json(shell: Any, tmp_path: Path) -> None:
    code, out, _ = shell("new", "strategy", "gap_fade", "--folder", str(tmp_path), "--json")
    told = json.loads(out)
    assert (code, told["name"], len(told["files"])) == (0, "gap_fade", 5)


def test_a_refusal_is_one_line_and_exit_code_1(shell: Any, tmp_path: Path) -> None:
    code, out, err = shell("new", "strategy", "momentum", "--folder", str(tmp_path))
    assert (code, out) == (1, "")
    assert err == "htbot: a strategy called momentum is there already; take another name\n"


def test_a_broken_folder_of_strategies_is_a_configuration_error(shell: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def", encoding="utf-8")
    code, _, err = shell("new", "strategy", "gap_fade", "--folder", str(tmp_path), HTBOT_STRATEGY_PATH=str(tmp_path))
    assert code == 4
    assert err.startswith(f"htbot: {tmp_path / 'broken.py'}: cannot be imported: SyntaxError: ")
    assert len(err.splitlines()) == 1
