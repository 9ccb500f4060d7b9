"""A strategy that buys options may hold one for each direction: a call and a put are two live trades."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What has one leg that expires is a bought option; everything else is still one live trade per strategy."""
    op.execute(
        """
        DROP INDEX uq_trades_live;
        CREATE UNIQUE INDEX uq_trades_live ON trades (strategy, account)
            WHERE state IN ('opening', 'open', 'closing')
            AND NOT (width IS NULL AND legs #>> '{0,expiry}' IS NOT NULL);
        CREATE UNIQUE INDEX uq_trades_live_bought ON trades (strategy, account, direction)
            WHERE state IN ('opening', 'open', 'closing')
            AND (width IS NULL AND legs #>> '{0,expiry}' IS NOT NULL);
        """
    )


def downgrade() -> None:
    """One live trade per strategy; refused while two are live."""
    op.execute(
        """
        DROP INDEX uq_trades_live_bought;
        DROP INDEX uq_trades_live;
        CREATE UNIQUE INDEX uq_trades_live ON trades (strategy, account)
            WHERE state IN ('opening', 'open', 'closing');
        """
    )
