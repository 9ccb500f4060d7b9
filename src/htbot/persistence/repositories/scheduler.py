"""The scheduler's state."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from htbot.domain.scheduler import SchedulerSetting
from htbot.persistence.repositories.base import Repository
from htbot.persistence.rows.control import SchedulerRow


class SchedulerRepository(Repository):
    """One row, which people set."""

    def get(self) -> SchedulerSetting:
        """The setting; a record that nobody has touched is running."""
        return self._first(select(SchedulerRow), _to_setting) or SchedulerSetting()

    def set(self, setting: SchedulerSetting) -> None:
        """Set it."""
        values = {"state": setting.state, "since": setting.since, "set_by": setting.set_by}
        statement = insert(SchedulerRow).values(id=1, **values)
        self._count(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def _to_setting(row: SchedulerRow) -> SchedulerSetting:
    return SchedulerSetting(row.state, row.since, row.set_by)
