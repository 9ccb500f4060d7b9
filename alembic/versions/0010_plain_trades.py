"""Trades on plain instruments: no width, and orders of a group that stand at the broker beside the one live exit."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_LIVE = "state IN ('PENDING', 'CLAIMED', 'SENDING', 'WORKING', 'UNKNOWN')"
_STYLES = "'ladder', 'time', 'urgent'"


def upgrade() -> None:
    """Rows that are there keep their meaning."""
    op.execute(
        f"""
        ALTER TABLE trades ALTER COLUMN width DROP NOT NULL;
        ALTER TABLE strategies
            DROP CONSTRAINT ck_strategies_mode,
            ADD CONSTRAINT ck_strategies_mode CHECK (mode IN ('observe', 'trade'));
        ALTER TABLE intents
            ADD COLUMN order_group text,
            DROP CONSTRAINT ck_intents_style,
            ADD CONSTRAINT ck_intents_style CHECK (style IN ({_STYLES}, 'marketable', 'market', 'stop', 'target'));
        DROP INDEX uq_intents_live_exit;
        CREATE UNIQUE INDEX uq_intents_live_exit ON intents (trade_id)
            WHERE purpose = 'exit' AND order_group IS NULL AND {_LIVE};
        """
    )


def downgrade() -> None:
    """Refused while the record has a plain trade: the older tables have no room for it."""
    op.execute(
        f"""
        ALTER TABLE trades ALTER COLUMN width SET NOT NULL;
        ALTER TABLE strategies
            DROP CONSTRAINT ck_strategies_mode,
            ADD CONSTRAINT ck_strategies_mode CHECK (mode = 'observe');
        ALTER TABLE intents
            DROP CONSTRAINT ck_intents_style,
            ADD CONSTRAINT ck_intents_style CHECK (style IN ({_STYLES}));
        DROP INDEX uq_intents_live_exit;
        ALTER TABLE intents DROP COLUMN order_group;
        CREATE UNIQUE INDEX uq_intents_live_exit ON intents (trade_id) WHERE purpose = 'exit' AND {_LIVE};
        """
    )
