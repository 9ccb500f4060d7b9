"""Trades that are sold in parts: how much of each is closed, and one sale for each profit level."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is over has closed all that it opened. One that is half closed now is put right with its next news."""
    op.execute(
        """
        ALTER TABLE trades ADD COLUMN closed integer DEFAULT 0 NOT NULL;
        ALTER TABLE intents ADD COLUMN level integer;
        CREATE UNIQUE INDEX uq_intents_level ON intents (trade_id, level) WHERE level IS NOT NULL;
        UPDATE trades SET closed = quantity WHERE state = 'closed';
        """
    )


def downgrade() -> None:
    """A sale of a part stays in the record as an exit like others."""
    op.execute(
        """
        DROP INDEX uq_intents_level;
        ALTER TABLE intents DROP COLUMN level;
        ALTER TABLE trades DROP COLUMN closed;
        """
    )
