"""Instances of strategies on plain instruments, and their signals: made at a closed bar, to enter or to leave."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LEVEL = "strategy, account, session, direction, level"


def upgrade() -> None:
    """Create the table; a signal's key is its level, or the bar that it was made at."""
    op.execute(
        f"""
        CREATE TABLE strategies (
            name text NOT NULL,
            type text NOT NULL,
            symbol text NOT NULL,
            minutes integer NOT NULL,
            warm_up_bars integer NOT NULL,
            settings jsonb NOT NULL,
            config_hash text NOT NULL,
            enabled boolean NOT NULL,
            mode text NOT NULL,
            created_at timestamptz NOT NULL,
            changed_at timestamptz NOT NULL,
            world_id text,
            first_bar timestamptz,
            observed_since timestamptz,
            CONSTRAINT pk_strategies PRIMARY KEY (name),
            CONSTRAINT ck_strategies_mode CHECK (mode = 'observe'),
            CONSTRAINT ck_strategies_minutes CHECK (minutes IN (1, 2, 3, 5, 10, 15, 30)),
            CONSTRAINT ck_strategies_warm_up_bars CHECK (warm_up_bars >= 0),
            CONSTRAINT ck_strategies_observed CHECK (
                (world_id IS NULL) = (first_bar IS NULL) AND (world_id IS NULL) = (observed_since IS NULL)
            )
        );
        ALTER TABLE signals
            ADD COLUMN action text DEFAULT 'enter' NOT NULL,
            ADD COLUMN bar_start timestamptz,
            ADD CONSTRAINT ck_signals_action CHECK (action IN ('enter', 'leave')),
            DROP CONSTRAINT uq_signals_strategy_account_session_direction_level;
        CREATE UNIQUE INDEX uq_signals_level ON signals ({_LEVEL}) WHERE bar_start IS NULL;
        CREATE UNIQUE INDEX uq_signals_bar ON signals (strategy, account, bar_start) WHERE bar_start IS NOT NULL;
        CREATE INDEX ix_bars_world_id_known_at ON bars (world_id, known_at);
        """
    )


def downgrade() -> None:
    """Drop them. Signals that were made at closed bars go too: the older key has no room for them."""
    op.execute("DELETE FROM signals WHERE bar_start IS NOT NULL")
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")  # the journal hears of it before the table changes
    op.execute(
        f"""
        DROP TABLE strategies;
        DROP INDEX uq_signals_level, uq_signals_bar, ix_bars_world_id_known_at;
        ALTER TABLE signals
            DROP COLUMN action,
            DROP COLUMN bar_start,
            ADD CONSTRAINT uq_signals_strategy_account_session_direction_level UNIQUE ({_LEVEL});
        """
    )
