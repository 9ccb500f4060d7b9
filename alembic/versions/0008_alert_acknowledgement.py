"""A person can acknowledge an alert: who, and when."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute(
        """
        ALTER TABLE alerts
            ADD COLUMN acknowledged_at timestamptz,
            ADD COLUMN acknowledged_by text,
            ADD CONSTRAINT ck_alerts_acknowledged CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL))
        """
    )


def downgrade() -> None:
    """Drop them."""
    op.execute("ALTER TABLE alerts DROP COLUMN acknowledged_at, DROP COLUMN acknowledged_by")
