"""Which executions count."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from htbot.persistence.rows.orders import FillRow


def in_force() -> ColumnElement[bool]:
    """True of the last correction of each execution (RULINGS 3)."""
    later = aliased(FillRow)
    corrected = select(later.exec_id).where(
        later.execution_key == FillRow.execution_key,
        later.account == FillRow.account,
        later.con_id == FillRow.con_id,
        later.exec_id > FillRow.exec_id,
    )
    return ~corrected.exists()
