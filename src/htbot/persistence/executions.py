"""Which executions count."""

from __future__ import annotations

from typing import cast

from sqlalchemy import ColumnElement, Table, select

from htbot.persistence.rows.orders import FillRow


def in_force() -> ColumnElement[bool]:
    """True of the last correction of each execution (RULINGS 3)."""
    fills = cast(Table, FillRow.__table__)
    later = fills.alias("later")
    corrected = select(later.c.exec_id).where(
        later.c.execution_key == fills.c.execution_key,
        later.c.account == fills.c.account,
        later.c.con_id == fills.c.con_id,
        later.c.exec_id > fills.c.exec_id,
    )
    return ~corrected.exists()
