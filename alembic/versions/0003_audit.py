"""Hash chains under the audit log and the decision journal, and the record of reconciliation.

The statements stand in `0003_audit.sql`. Rows of older records become the beginning of the chains.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JOURNALED = (
    "signals",
    "risk_decisions",
    "trades",
    "intents",
    "orders",
    "order_perm_ids",
    "fills",
    "halts",
    "commands",
)


def upgrade() -> None:
    """Create chains, journal and the record of reconciliation."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    """Drop them; the acts themselves stay."""
    op.execute("DROP TABLE reconciliation_items, reconciliation_runs")
    for table in JOURNALED:
        op.execute(f"DROP TRIGGER {table}_journal ON {table}")
    op.execute("DROP TABLE decision_journal")
    op.execute("DROP TRIGGER audit_log_chain ON audit_log")
    op.execute("ALTER TABLE audit_log DROP COLUMN lane, DROP COLUMN seq, DROP COLUMN prev_hash, DROP COLUMN hash")
    op.execute("DROP FUNCTION journal_change()")
    op.execute("DROP FUNCTION chain_row()")
