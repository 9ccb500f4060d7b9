"""Fills are found by contract: a position is folded from those of its own."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.execute("CREATE INDEX ix_fills_account_con_id ON fills (account, con_id)")


def downgrade() -> None:
    """Drop the index."""
    op.execute("DROP INDEX ix_fills_account_con_id")
