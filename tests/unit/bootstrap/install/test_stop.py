"""A stop never leaves positions behind in silence (RULINGS 9)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support import record
from tests.support.waiting import PATIENCE_S
from tests.unit.bootstrap.install.test_stack import environ

from htbot.alerts.wording import error_alert
from htbot.bootstrap.install.processes import wait_until
from htbot.bootstrap.install.stack import Stack
from htbot.domain.alerts import Alert
from htbot.domain.trades import Trade, TradeState
from htbot.persistence.engine import Database
from htbot.persistence.repositories import AlertRepository, TradeRepository
from htbot.settings import project_root

TRADE = record.trade(1, id="htbot-1", state=TradeState.OPEN, quantity=2, credit=Decimal("4.20"))


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    built = Stack(project_root(), environ(tmp_path / "var"))
    with built.exclusive():
        built.start_servers(("postgres", "redis"))
        built.migrate()
    yield built
    built.stop_all()


def restart_sh(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "htbot.bootstrap.install", *arguments]
    return subprocess.run(command, env=stack.environ, capture_output=True, text=True, check=False)


def keep(stack: Stack, trade: Trade, *alerts: Alert) -> None:
    """Into the record of the instance."""
    database = Database(stack.settings.database.url)
    with database.transaction() as session:
        assert TradeRepository(session).add(trade)
        for alert in alerts:
            AlertRepository(session).add(alert)
    database.close()


@pytest.mark.slow
@pytest.mark.ruling(9)
def test_an_open_trade_refuses_the_stop_until_a_flag_says_what_to_do(stack: Stack) -> None:
    keep(stack, TRADE)

    refused = restart_sh(stack, "stop")
    assert refused.returncode == 1
    assert "htbot-1" in refused.stderr
    assert "maximum loss 7160.00 USD" in refused.stderr  # (40 - 4.20) x 100 x 2
    assert stack.supervisor_pid() is not None

    left = restart_sh(stack, "stop", "--leave-open")
    assert left.returncode == 0
    assert "7160.00" in left.stderr
    (mail,) = stack.settings.paths.mail.glob("*.eml")
    assert "7160.00" in mail.read_text(encoding="utf-8")
    assert stack.supervisor_pid() is None


@pytest.mark.slow
@pytest.mark.ruling(9)
def test_closed_trades_do_not_hinder_a_stop(stack: Stack) -> None:
    closed_at = TRADE.opened_at + timedelta(hours=1)
    waits = error_alert("flatten", "closed for the stop", closed_at)
    keep(stack, replace(TRADE, state=TradeState.CLOSED, closed_at=closed_at), waits)
    assert restart_sh(stack, "stop").returncode == 0
    assert stack.supervisor_pid() is None
    assert restart_sh(stack, "status").returncode == 3
    (mail,) = stack.settings.paths.mail.glob("*.eml")  # what waits is sent before the servers stop
    assert "closed for the stop" in mail.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.ruling(9)
def test_without_the_record_nobody_can_tell(stack: Stack) -> None:
    stack.supervisor().stop("postgres")
    assert wait_until(
        lambda: all(row.state == "STOPPED" for row in stack.states() if row.name == "postgres"), PATIENCE_S
    )
    refused = restart_sh(stack, "stop")
    assert refused.returncode == 1
    assert "PostgreSQL does not answer" in refused.stderr
