"""Entries beyond settled cash are found without a look at every decision: the gate counts good-faith violations."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """An index of the decisions that let an entry through with a warning about settlement."""
    op.execute(
        """
        CREATE INDEX ix_risk_decisions_unsettled ON risk_decisions (as_of)
            WHERE outcomes @? '$[*] ? (@.rule == "settlement" && @.passed == true && @.reason != "")'
        """
    )


def downgrade() -> None:
    """Drop it."""
    op.execute("DROP INDEX ix_risk_decisions_unsettled")
