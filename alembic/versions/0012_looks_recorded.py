"""When a look was written down, so that old ones can be forgotten by the wall clock; market time is any world's."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Looks that are there count as written now: a default that is one value for all of them rewrites no table."""
    op.execute(
        """
        ALTER TABLE evaluations ADD COLUMN recorded_at timestamptz DEFAULT now() NOT NULL;
        ALTER TABLE evaluations ALTER COLUMN recorded_at SET DEFAULT clock_timestamp();
        """
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("ALTER TABLE evaluations DROP COLUMN recorded_at")
