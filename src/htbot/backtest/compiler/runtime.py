"""What generated modules call beside the strategy's own functions. Imported by them only: it imports numba."""

from __future__ import annotations

from typing import Any

from numba import njit, types
from numba.core.errors import TypingError
from numba.extending import overload


@njit(nogil=True, forceinline=True)
def place_of(start: int, size: int, index: int) -> int:
    """The place in the arena of an element of a list; compiled code must not write beside it.

    Raises:
        IndexError: the list has no such element. Indices count from 0 up.
    """
    if index < 0 or index >= size:
        raise IndexError("list index out of range")
    return start + index


def whole(number: Any) -> Any:
    """A number that a field of whole numbers takes; a float is refused while it is compiled, not cut."""
    return number


@overload(whole)
def _whole(number: Any) -> Any:
    if isinstance(number, types.Float):
        raise TypingError("a float is assigned to a field of whole numbers")

    def same(number: Any) -> Any:
        return number

    return same
