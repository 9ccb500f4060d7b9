"""One generated module per loop and strategy class, kept in a folder beside its machine code.

The file's name holds a hash of its text, and of nothing else it depends on: a changed strategy is another file, and
what is in the folder is never stale. It can be read: it is the strategy, function by function.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from types import FunctionType
from typing import Any

from htbot.backtest.compiler.layout import Kinds, fields_of
from htbot.backtest.compiler.rewrite import Need, NotCompilable, rewrite
from htbot.domain.numeric import Numeric

_RUNTIME = Path(__file__).with_name("runtime.py")
"""What generated modules import; its text is part of their names."""

_HEAD = '''"""Generated from {root} with {strategy}; made again when it is missing."""

import math

from numba import njit

from htbot.backtest.compiler.runtime import place_of, whole
{imports}
inlined = njit(nogil=True, forceinline=True)
'''

_RUN = """
@njit(cache=True, nogil=True)
def run(state, arena, bars, first, deals):
    loop = state[0]
    count = 0
    row = first
    while row < len(bars) and count < len(deals):
        if {step}(loop, arena, bars[row]) == {closed}:
            deal = deals[count]
            told = loop.deal
{copies}
            count += 1
{advance}
    return row, count
"""


def source_of(root: type[Numeric], method: str, kinds: Kinds, closed: int) -> str:
    """The text of the module that runs `root.method` over bars and writes down a deal whenever it answers `closed`.

    Raises:
        NotCompilable: a method leaves the dialect.
    """
    need = Need(kinds)
    step = need.function((_method(root, method), root))
    functions = []
    while need.waiting:
        function = ast.fix_missing_locations(rewrite(need.waiting.pop(0), need))
        functions.append(f"\n@inlined\n{ast.unparse(function)}\n")
    deal = fields_of(root, kinds)["deal"]
    copies = "\n".join(f"            deal.{name} = told.{name}" for name in fields_of(deal, kinds))
    again = "begun" in fields_of(root, kinds)  # a bar of which a part is still to be run
    advance = "        if not loop.begun:\n            row += 1" if again else "        row += 1"
    imports = "".join(f"from {kind.__module__} import {name}\n" for name, kind in sorted(need.tuples.items()))
    names = {"root": root.__name__, "strategy": ", ".join(kind.__name__ for kind in kinds.values())}
    return "".join(
        (
            _HEAD.format(imports=imports, **names),
            *functions,
            _RUN.format(step=step, closed=closed, copies=copies, advance=advance),
        )
    )


@cache
def load(source: str, folder: Path) -> Callable[..., tuple[int, int]]:
    """The `run` of a generated module, written to `folder` unless it is there; its first call compiles.

    Raises:
        NotCompilable: numba is not installed; by the first call, that it does not compile.
    """
    if importlib.util.find_spec("numba") is None:
        raise NotCompilable("numba is not installed")
    name = f"htbot_compiled_{hashlib.sha256(source.encode() + _RUNTIME.read_bytes()).hexdigest()[:16]}"
    if name not in sys.modules:
        path = folder / f"{name}.py"
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}.tmp")
            beside.write_text(source, encoding="utf-8")
            beside.replace(path)
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise NotCompilable(f"{path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return partial(_told, sys.modules[name].run)


def _told(run: Callable[..., tuple[int, int]], *arguments: Any) -> tuple[int, int]:
    """Run; an error of the strategy or an indicator has the text of plain Python, one of numba is NotCompilable."""
    from numba.core.errors import NumbaError

    try:
        return run(*arguments)
    except NumbaError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        told = next((line for line in lines if "assigned to a field" in line), lines[0] if lines else "numba refused")
        raise NotCompilable(f"it does not compile: {told}") from error
    except ValueError as error:
        raise ValueError("".join(map(str, error.args))) from None


def _method(kind: type[Numeric], name: str) -> FunctionType:
    members: Mapping[str, Any] = {key: value for base in reversed(kind.__mro__) for key, value in vars(base).items()}
    method: FunctionType = members[name]
    return method
