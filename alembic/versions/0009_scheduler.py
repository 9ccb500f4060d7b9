"""The state of the scheduler: one row, which people set and workers respect."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; without a row it runs."""
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
        )
        """
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP TABLE scheduler")
