from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.search import STRATEGY

from htbot.backtest.optimize.identity import data_hash, source_hash
from htbot.domain.errors import ConfigurationError
from htbot.settings import project_root
from htbot.strategies.registry import discover


def strategy(folder: Path, text: str) -> type[Any]:
    folder.mkdir()
    (folder / "ticktock.py").write_text(text, encoding="utf-8")
    return discover([folder])["ticktock"].strategy  # type: ignore[no-any-return]


def test_a_strategy_is_its_source(tmp_path: Path) -> None:
    one, same, other = (
        source_hash(strategy(tmp_path / name, text))
        for name, text in (("a", STRATEGY), ("b", STRATEGY), ("c", STRATEGY.replace("every == 99", "every == 98")))
    )
    assert one == same != other


def test_a_compiled_strategy_is_also_what_it_is_compiled_from() -> None:
    compiled = discover([project_root() / "examples" / "strategies"])["plain_breakout"].strategy
    first = source_hash(compiled)
    assert first == source_hash(compiled)
    assert len(first) == 16


def test_the_data_are_their_contents(tmp_path: Path) -> None:
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_bytes(b"a" * 3_000_000)
    other.write_bytes(one.read_bytes())
    assert data_hash([one]) == data_hash([other])
    other.write_bytes(b"a" * 2_999_999 + b"b")
    assert data_hash([one]) != data_hash([other])


def test_a_file_that_is_not_there_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        data_hash([tmp_path / "none.csv"])
