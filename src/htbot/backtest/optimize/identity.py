"""What a study's trials are good for: hashes of the strategy's source and of the data."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from htbot.backtest.compiler.program import source_of
from htbot.backtest.compiler.rewrite import NotCompilable
from htbot.domain.errors import ConfigurationError
from htbot.engine.bar_loop import BarLoop
from htbot.engine.bar_parts import Happened

_DIGITS = 16
_BLOCK = 1 << 20


def source_hash(strategy: type[Any]) -> str:
    """Of the module that holds the strategy, and of everything it is compiled from: indicators, loop, account."""
    text = Path(inspect.getfile(strategy)).read_bytes()
    try:
        text += source_of(BarLoop, "step", {(BarLoop, "strategy"): strategy}, int(Happened.CLOSED)).encode()
    except NotCompilable:
        text += b"events"
    return hashlib.sha256(text).hexdigest()[:_DIGITS]


def data_hash(files: Iterable[Path]) -> str:
    """Of the files' contents, in their order; the names do not count.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}") from None
    return digest.hexdigest()[:_DIGITS]
