"""Signals of watching beside those of trading, each with its own levels; and trades that their strategy has closed."""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_LEVEL = "strategy, account, session, direction, level"
_BEFORE = "'profit_target', 'stop_loss', 'time', 'market_close', 'manual', 'breaker', 'expiry', 'other'"
_REASONS = "'profit_target', 'stop_loss', 'time', 'market_close', 'manual', 'breaker', 'expiry', 'signal', 'other'"


def upgrade() -> None:
    """Signals that are there count as they did: their sessions are over, or end today."""
    op.execute(
        f"""
        ALTER TABLE signals ADD COLUMN observed boolean DEFAULT false NOT NULL;
        DROP INDEX uq_signals_level;
        CREATE UNIQUE INDEX uq_signals_level ON signals ({_LEVEL}, observed) WHERE bar_start IS NULL;
        """
    )
    _allow(_REASONS)


def downgrade() -> None:
    """Refused while a level was both observed and traded, or a trade was closed by its strategy: there is no room."""
    op.execute(
        f"""
        DROP INDEX uq_signals_level;
        CREATE UNIQUE INDEX uq_signals_level ON signals ({_LEVEL}) WHERE bar_start IS NULL;
        ALTER TABLE signals DROP COLUMN observed;
        """
    )
    _allow(_BEFORE)


def _allow(reasons: str) -> None:
    for table in ("intents", "trades"):
        name = f"ck_{table}_exit_reason"
        op.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK (exit_reason IN ({reasons}))"
        )
