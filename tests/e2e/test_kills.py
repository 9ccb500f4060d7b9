"""kill -9 of every program, once each, under an open trade: it is still watched, and closes exactly once.

Its own exit time is hours away and the market slow, so that no machine is too slow for the kills; a person closes it.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from tests.e2e.running import EVERYTHING, Instance, environment, running, until
from tests.support.quiet_day import write_quiet_day

from htbot.adapters.calendar import load_sessions
from htbot.services.callers import Caller
from htbot.services.command_kinds import EVERY_ACCOUNT

DAY = date(2022, 8, 24)
PROGRAMS = ("worker", "beat", "desk", "paper", "redis", "postgres")

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def under_way(tmp_path: Path) -> object:
    table = load_sessions(date(2022, 8, 1), date(2022, 8, 31))
    sessions = [*table.before(DAY, 12), table.on(DAY)]
    data = write_quiet_day(tmp_path / "quiet.csv", [session for session in sessions if session is not None])
    chosen = {
        "HTBOT_SYMBOL": "SPY",
        "PAPER_DATA": str(data),
        "PAPER_START": f"{DAY}T09:59",
        "PAPER_SPEED": "2",
        "HTBOT_EXIT_TIME": "15:00",
        "HTBOT_STOP_LOSS": "200",
        "HTBOT_PROFIT_TARGET": "25",  # a look at 10:00:00 sees a credit of 29, the next one of 51
    }
    with running(environment(tmp_path / "var", **chosen)) as instance:
        yield instance


@pytest.mark.fault(1)
@pytest.mark.fault(5)
@pytest.mark.fault(9)
@pytest.mark.fault(11)
@pytest.mark.fault(14)
@pytest.mark.ruling(16)
def test_the_trade_closes_exactly_once_whatever_was_killed(under_way: Instance) -> None:
    queries = under_way.people.queries
    until(lambda: [t for t in _open(under_way) if t.state == "open"], 120, "a trade was opened")

    assert under_way.at_broker() == {"desk"}
    for program in PROGRAMS:
        assert _open(under_way), f"the trade was closed before {program} is killed"
        under_way.kill(program)
        assert under_way.at_broker() <= {"desk"}, f"after the death of {program}"

    over = queries.desk().market_time  # by Redis: PostgreSQL may still be starting
    until(lambda: _marked_after(under_way, over), 120, "the trade is watched again")
    until(lambda: queries.status().trading_enabled, 120, "the desk has compared its books with the broker's")
    under_way.people.commands.close(EVERY_ACCOUNT, Caller("test"))
    until(lambda: not _open(under_way), 120, "the trade was closed")
    (trade,) = queries.trades(EVERYTHING)
    orders = queries.orders(EVERYTHING)
    fills = queries.fills(EVERYTHING)
    assert trade.exit_reason == "manual"
    assert [order.purpose for order in orders] == ["entry", "exit"]
    assert len(fills) == 4
    assert queries.positions() == []
    assert sum(fill.quantity * (1 if fill.side == "BUY" else -1) for fill in fills) == 0
    until(lambda: _mails(under_way, "Trade Exit") == 1, 120, "the mail of the exit, once its commissions are known")
    assert _mails(under_way, "Trade Entry") == 1
    assert _mails(under_way, "Connection") >= 1, "nobody was told that the gateway was away"


def _mails(instance: Instance, words: str) -> int:
    return sum(words in alert.subject for alert in instance.people.queries.alerts(EVERYTHING))


def _marked_after(instance: Instance, at: datetime | None) -> bool:
    trade = instance.people.queries.status().open_trade
    return trade is not None and trade.marked_at is not None and at is not None and trade.marked_at > at


def _open(instance: Instance) -> list[object]:
    return [
        trade for trade in instance.people.queries.trades(EVERYTHING) if trade.state in {"opening", "open", "closing"}
    ]
