"""Rows of the distributed work: runs of tasks, and workers that are ready."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, func
from sqlalchemy.orm import Mapped, mapped_column

from htbot.persistence.columns import words
from htbot.persistence.rows.base import Base, JsonList
from htbot.persistence.states import TaskState


class TaskRunRow(Base):
    """One run of a task for one key at one market time; `spawned` lists [task, key] of its follow-ups."""

    __tablename__ = "task_runs"
    __table_args__ = (Index("ix_task_runs_as_of", "as_of"), Index("ix_task_runs_task_started_at", "task", "started_at"))

    task: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    as_of: Mapped[datetime] = mapped_column(primary_key=True)
    state: Mapped[TaskState] = mapped_column(words(TaskState, "state"))
    spawned: Mapped[JsonList]
    error: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]


class WorkerRow(Base):
    """One worker that is ready, with the tasks it has registered (RULINGS 35). Times are wall time."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    tasks: Mapped[JsonList]
    ready_at: Mapped[datetime]
    seen_at: Mapped[datetime]


class ProcessRow(Base):
    """One process that has started, with the version of its code and the schema it was written for (wall time)."""

    __tablename__ = "processes"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    revision: Mapped[str]
    started_at: Mapped[datetime]
