"""The looks of one account, the newest first, without passing over those of others."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An account that looks seldom beside others is read as soon as they are."""
    op.execute("CREATE INDEX ix_evaluations_account ON evaluations (account, id)")


def downgrade() -> None:
    """They are found by passing over the others again."""
    op.execute("DROP INDEX ix_evaluations_account")
