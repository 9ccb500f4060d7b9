"""The account that an instance of a strategy trades, and the one that a halt concerns: none is the main one, or all."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there keeps its meaning: instances trade the main account, halts halt all."""
    op.execute(
        """
        ALTER TABLE strategies ADD COLUMN account text;
        ALTER TABLE halts ADD COLUMN account text;
        DROP INDEX uq_halts_in_force;
        CREATE UNIQUE INDEX uq_halts_in_force ON halts (kind, source, COALESCE(account, '')) WHERE cleared_at IS NULL;
        """
    )


def downgrade() -> None:
    """Drop them. Of halts of one source that are in force for several accounts the first stays, and halts all."""
    op.execute(
        """
        UPDATE halts SET cleared_at = set_at, cleared_by = 'downgrade'
        WHERE cleared_at IS NULL AND EXISTS (
            SELECT FROM halts AS first
            WHERE first.cleared_at IS NULL AND first.kind = halts.kind AND first.source = halts.source
              AND first.id < halts.id
        );
        SET CONSTRAINTS ALL IMMEDIATE;
        DROP INDEX uq_halts_in_force;
        CREATE UNIQUE INDEX uq_halts_in_force ON halts (kind, source) WHERE cleared_at IS NULL;
        ALTER TABLE halts DROP COLUMN account;
        ALTER TABLE strategies DROP COLUMN account;
        """
    )
