"""The record: every table, key and trigger that the first desk needs.

The statements stand in `0001_record.sql`, as PostgreSQL reads them, so that a reader sees the schema and not its
description; `alembic check` and the schema test hold them equal to the row classes.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "desk_state, accounts, commands, workers, task_runs, audit_log, halts, alerts, pnl_daily, pnl_snapshots, "
    "positions, fills, order_perm_ids, orders, intents, trades, risk_decisions, signals, evaluations, sessions, ticks, "
    "bars"
)
FUNCTIONS = ("refuse_change()", "notify_intent()", "notify_task()", "notify_command()", "notify_halt()")


def upgrade() -> None:
    """Create the record."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Drop the record."""
    op.execute(f"DROP TABLE {TABLES}")
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")
