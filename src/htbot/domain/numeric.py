"""The dialect in which a thing runs as plain Python and, from the same source, compiled.

A `Numeric` object's state is numbers: its annotated fields are `int`, `float`, `bool`, an `IntEnum`, `list[float]` of a
length fixed in `__init__`, or other `Numeric` objects. `__init__` is ordinary Python and may read any configuration.
Every other method that takes part in a run keeps to a small language, so that the compiler of `backtest/compiler`
can take it as it is (docs/concepts/one-source.md):

- arithmetic, comparisons, `if`, `while`, `for ... in range(...)`, local variables, `return`;
- fields of `self` and of `Numeric` arguments, elements of their lists, calls of their methods and properties;
- functions of `math`, `abs`, `min`, `max`, `int`, `float`, `bool`, other module functions of this dialect;
- `raise ValueError` with a text, which may be an f-string that names numbers;
- module constants that are numbers, members of an `IntEnum`, and named tuples of numbers.

Unknown is NaN, never None. Integer and floating-point results are the same to the last bit in both ways of running.
"""

from __future__ import annotations

import math

UNKNOWN = math.nan
"""A number that is not known."""


class Numeric:
    """Base of objects of the dialect."""


def known(number: float) -> bool:
    """True for a number, False for `UNKNOWN`."""
    return number == number  # noqa: PLR0124 - only NaN differs from itself
