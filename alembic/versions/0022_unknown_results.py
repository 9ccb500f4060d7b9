"""A day's result with a part that nobody has told yet is unknown."""

from __future__ import annotations

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A commission that has not been reported is not counted as nothing, in the days that are there neither."""
    op.execute(
        """
        ALTER TABLE pnl_daily ALTER gross_usd DROP NOT NULL, ALTER commissions_usd DROP NOT NULL,
            ALTER net_usd DROP NOT NULL;
        WITH told AS (
            SELECT account, (closed_at AT TIME ZONE 'America/New_York')::date AS day,
                   bool_and(gross_pnl_usd IS NOT NULL) AS gross, bool_and(commissions_usd IS NOT NULL) AS commissions
            FROM trades WHERE state = 'closed' GROUP BY 1, 2
        )
        UPDATE pnl_daily AS it
        SET gross_usd = CASE WHEN told.gross THEN it.gross_usd END,
            commissions_usd = CASE WHEN told.commissions THEN it.commissions_usd END,
            net_usd = CASE WHEN told.gross AND told.commissions THEN it.net_usd END
        FROM told
        WHERE told.account = it.account AND told.day = it.day AND NOT (told.gross AND told.commissions);
        """
    )


def downgrade() -> None:
    """What is unknown counts as nothing again."""
    op.execute(
        """
        UPDATE pnl_daily SET gross_usd = coalesce(gross_usd, 0), commissions_usd = coalesce(commissions_usd, 0);
        UPDATE pnl_daily SET net_usd = gross_usd - commissions_usd WHERE net_usd IS NULL;
        ALTER TABLE pnl_daily ALTER gross_usd SET NOT NULL, ALTER commissions_usd SET NOT NULL,
            ALTER net_usd SET NOT NULL;
        """
    )
