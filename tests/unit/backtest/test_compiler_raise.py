from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.support.compiled import bars_of, run_compiled, run_plain

from htbot.backtest.compiler.rewrite import NotCompilable
from htbot.domain.bars import TapeBar
from htbot.domain.numeric import Numeric

BARS = bars_of([TapeBar(60, 735_000, 570, 571, 960, False, 1.0, 2.0, 0.5, 1.25, 7.0)])


class Told(Numeric):
    number: float

    def __init__(self) -> None:
        self.number = 0.0


class Refusing(Numeric):
    deal: Told

    def __init__(self) -> None:
        self.deal = Told()

    def step(self, bar: TapeBar) -> int:
        if bar.close > 1.0:
            raise ValueError(f"bar {bar.start_s} closed at {bar.close}, {bar.close / 2.0 - 1.0} above")
        return 0


class Plain(Refusing):
    def step(self, bar: TapeBar) -> int:
        if bar.close > 1.0:
            raise ValueError("too high")
        return 0


class Formatted(Refusing):
    def step(self, bar: TapeBar) -> int:
        if bar.close > 1.0:
            raise ValueError(f"{bar.close:.2f} is too high")
        return 0


class Caused(Refusing):
    def step(self, bar: TapeBar) -> int:
        if bar.close > 1.0:
            raise ValueError("too high") from None
        return 0


@pytest.mark.parametrize("kind", [Refusing, Plain])
def test_the_text_of_an_error_is_that_of_plain_python(kind: type[Refusing], tmp_path: Path) -> None:
    with pytest.raises(ValueError) as plain:
        run_plain(kind(), BARS)
    with pytest.raises(ValueError, match=f"^{re.escape(str(plain.value))}$"):
        run_compiled(kind(), BARS, tmp_path)


def test_errors_name_numbers() -> None:
    with pytest.raises(ValueError, match=r"^bar 60 closed at 1\.25, -0\.375 above$"):
        run_plain(Refusing(), BARS)


@pytest.mark.parametrize("kind", [Formatted, Caused])
def test_what_machine_code_cannot_say_is_refused(kind: type[Refusing], tmp_path: Path) -> None:
    with pytest.raises(NotCompilable, match=r"test_compiler_raise\.py:\d+"):
        run_compiled(kind(), BARS, tmp_path)
