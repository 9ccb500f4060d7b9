"""`htbot new strategy`: the five files of a strategy that is not part of the package, which run as they are written."""

from __future__ import annotations

import csv
import io
import keyword
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from htbot.bootstrap import scaffold_texts as texts
from htbot.bootstrap.catalogue import strategies
from htbot.domain.errors import CallerMistake
from htbot.domain.sessions import NEW_YORK
from htbot.settings import project_root
from htbot.strategies.registry import strategies_in

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_MONDAY = date(2024, 5, 13)
_SESSIONS, _BARS, _BAR_MINUTES = 5, 78, 5


@dataclass(frozen=True, slots=True)
class NewFiles:
    """What was written: the strategy, its test, its answers, its page, and bars to try it on."""

    strategy: Path
    test: Path
    answers: Path
    page: Path
    bars: Path

    def all(self) -> tuple[Path, ...]:
        """The five, in the order in which they are read."""
        return (self.strategy, self.test, self.answers, self.page, self.bars)


def default_folder() -> Path:
    """`examples/strategies` of the project: strategies in it are found."""
    return project_root() / "examples" / "strategies"


def new_strategy(name: str, folder: Path) -> NewFiles:
    """Write the five files of a strategy into a folder, which is made if need be.

    Raises:
        CallerMistake: a name that cannot be used or is taken, or a file that is there already; nothing is written.
        ConfigurationError: a file in a folder of strategies that cannot be used.
    """
    _check_name(name)
    files = NewFiles(
        strategy=folder / f"{name}.py",
        test=folder / f"test_{name}.py",
        answers=folder / f"{name}.csv",
        page=folder / f"{name}.md",
        bars=folder / f"{name}_bars.csv",
    )
    for path in files.all():
        if path.exists():
            raise CallerMistake(f"{path} is there already; take another name, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    words = {"NAME": name, "CLASS": "".join(part.title() for part in name.split("_")), "TITLE": _title(name)}
    _write(files.strategy, _filled(texts.STRATEGY, words))
    (strategy,) = strategies_in(files.strategy)
    words |= {"HASH": strategy(strategy.Config()).config_hash, "FOLDER": _shown(folder)}
    _write(files.test, _filled(texts.TEST, words))
    _write(files.answers, texts.ANSWERS)
    _write(files.page, _filled(texts.PAGE, words))
    _write(files.bars, _bars())
    return files


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name.endswith("_") or "__" in name:
        raise CallerMistake(f"a strategy cannot be called {name}: 2 to 40 of a-z, 0-9 and single _, a letter first")
    if keyword.iskeyword(name) or name.startswith("test_"):
        raise CallerMistake(f"a strategy cannot be called {name}: Python or pytest would misread its file")
    if name in strategies():
        raise CallerMistake(f"a strategy called {name} is there already; take another name")


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return words[0].upper() + words[1:]


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


def _shown(folder: Path) -> str:
    """The folder as a person in the project's folder would write it."""
    root = project_root()
    whole = folder.resolve()
    return str(whole.relative_to(root)) if whole.is_relative_to(root) else str(whole)


def _write(path: Path, text: str) -> None:
    with path.open("x", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _bars() -> str:
    """A week of five-minute bars that nobody has traded, the same ones each time."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("symbol", "ts", "open", "high", "low", "close", "volume"))
    writer.writerows(_rows(random.Random(7)))
    return lines.getvalue()


def _rows(chance: random.Random) -> Iterator[tuple[object, ...]]:
    price = 100.0
    for day in (_MONDAY + timedelta(days=number) for number in range(_SESSIONS)):
        opens = datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK).astimezone(UTC)
        for number in range(_BARS):
            start = opens + timedelta(minutes=number * _BAR_MINUTES)
            opened, price = price, round(price * (1 + chance.gauss(0, 0.0015)), 2)
            high = round(max(opened, price) + abs(chance.gauss(0, 0.05)), 2)
            low = round(min(opened, price) - abs(chance.gauss(0, 0.05)), 2)
            volume = chance.randrange(1_000, 50_000)
            yield "DEMO", start.isoformat().replace("+00:00", "Z"), opened, high, low, price, volume
