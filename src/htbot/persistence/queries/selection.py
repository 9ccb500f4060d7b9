"""Which rows a person asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Selection:
    """The newest `limit` rows, of one account or of all (None), of one session day or of any (None).

    `more` are accounts beside the one.
    """

    account: str | None = None
    day: date | None = None
    limit: int = 200
    more: tuple[str, ...] = ()

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account that is chosen; empty stands for all of them."""
        return () if self.account is None else (self.account, *self.more)
