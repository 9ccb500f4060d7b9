from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from htbot.domain.scheduler import SchedulerSetting
from htbot.persistence.queries.shapes import OpenTradeView
from htbot.services.desk_view import DeskView
from htbot.services.status_view import StoredStatus, status_of

NOON = datetime(2026, 3, 3, 17, tzinfo=UTC)
LATER = NOON + timedelta(hours=3)


def held(name: str) -> OpenTradeView:
    unknown = dict.fromkeys(
        (
            "credit",
            "maximum_loss",
            "mark",
            "natural",
            "pnl_mid",
            "pnl_natural",
            "max_gain",
            "marked_at",
            "target",
            "stop",
        )
    )
    return OpenTradeView(
        id=name,
        strategy="s",
        account="DU1",
        symbol="SPX",
        direction=1,
        state="open",
        opened_at=NOON,
        legs=[],
        quantity=1,
        width=Decimal(40),
        exit_at=LATER,
        flat_deadline=LATER,
        **unknown,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("names", [(), ("t-1",), ("t-1", "t-2", "t-3")])
def test_every_open_trade_is_in_the_status_and_the_oldest_by_itself(names: tuple[str, ...]) -> None:
    stored = StoredStatus(
        ("DU1", "DU2"), [], [held(name) for name in names], [], [], [], NOON, [], SchedulerSetting(), []
    )
    view = status_of("paper", DeskView("unknown", "unknown"), stored, [])
    assert [trade.id for trade in view.trades] == list(names)
    assert (view.account, view.accounts) == ("DU1", ["DU1", "DU2"])
    assert view.open_trades == len(names)
    assert view.open_trade == (view.trades[0] if names else None)
