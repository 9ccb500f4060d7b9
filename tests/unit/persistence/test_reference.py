from __future__ import annotations

from pathlib import Path

from htbot.persistence.reference import page
from htbot.persistence.rows import Base

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "database.md"
CONTRACT = (
    "bars ticks signals risk_decisions intents orders fills positions trades pnl_snapshots pnl_daily alerts halts "
    "audit_log evaluations task_runs workers commands accounts"
)


def test_the_page_says_what_the_row_classes_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run python -m htbot.persistence.reference > docs/reference/database.md"
    )


def test_every_table_of_the_interface_is_there() -> None:
    """INTERFACE, files a trading day leaves behind; RULINGS 38."""
    assert set(CONTRACT.split()) <= set(Base.metadata.tables)
