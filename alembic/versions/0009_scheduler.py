"""The state of the scheduler: one row, which people set and workers respect; looks that fired are found at once."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, without whose row it runs, and the index."""
    op.execute(
        """
        CREATE TABLE scheduler (
            id smallint NOT NULL,
            state varchar(24) NOT NULL,
            since timestamptz NOT NULL,
            set_by text NOT NULL,
            CONSTRAINT pk_scheduler PRIMARY KEY (id),
            CONSTRAINT ck_scheduler_one CHECK (id = 1),
            CONSTRAINT ck_scheduler_state CHECK (state IN ('running', 'paused', 'stopped'))
        );
        CREATE INDEX ix_evaluations_fired ON evaluations (id) WHERE why_not IS NULL;
        """
    )


def downgrade() -> None:
    """Drop them."""
    op.execute("DROP TABLE scheduler; DROP INDEX ix_evaluations_fired")
