"""`python -m htbot.bootstrap.install start|stop|status`: what restart.sh runs once the venv is there."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from htbot.alerts.message import Fact, Message
from htbot.bootstrap.install.checks import OpenTrade
from htbot.bootstrap.install.env_file import prepare_env_file, require_private
from htbot.bootstrap.install.outcome import NotReady, PositionsOpen, exit_code
from htbot.bootstrap.install.processes import wait_until
from htbot.bootstrap.install.readiness import print_readiness
from htbot.bootstrap.install.stack import Stack
from htbot.bootstrap.install.telling import tell
from htbot.bootstrap.install.watchman import send_waiting
from htbot.domain.alerts import Severity
from htbot.domain.errors import HtbotError
from htbot.settings import project_root

_FLATTEN_PATIENCE_S = 180.0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; an error is one line on standard error and an exit code."""
    parser = argparse.ArgumentParser(prog="restart.sh", description="Start, stop or show htbot.")
    parser.add_argument("command", nargs="?", choices=("start", "stop", "status"), default="start")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--flatten", action="store_true", help="stop: close open positions first")
    choice.add_argument("--leave-open", action="store_true", help="stop: leave open positions without their guard")
    chosen = parser.parse_args(arguments)
    if chosen.command != "stop" and (chosen.flatten or chosen.leave_open):
        parser.error("--flatten and --leave-open belong to stop")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a start that is cut short cleans up
    try:
        if chosen.command == "stop":
            stop(flatten=chosen.flatten, leave_open=chosen.leave_open)
        elif chosen.command == "status":
            return print_readiness(Stack(project_root()))
        else:
            start()
    except HtbotError as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_code(error)
    return 0


def start() -> None:
    """Bring the project's instance up and say where it is."""
    path = prepare_env_file(project_root(), os.environ)
    require_private(path)
    stack = Stack(project_root())
    stack.start(lambda line: print(line, flush=True))
    print_readiness(stack)


def stop(*, flatten: bool, leave_open: bool) -> None:
    """Stop the project's instance.

    Raises:
        PositionsOpen: positions are open, or nobody can tell, and neither flag says what to do (RULINGS 9).
        NotReady: they were not flat in time.
    """
    stack = Stack(project_root())
    if stack.supervisor_pid() is not None:
        open_trades = stack.record().open_trades()
        if open_trades != [] and flatten:
            _flatten(stack)
        elif open_trades != []:
            _refuse_or_warn(stack, open_trades, leave_open=leave_open)
    with stack.exclusive():
        print("stopped" if stack.stop_all(partial(_send_what_waits, stack)) else "nothing was running")


def _send_what_waits(stack: Stack) -> None:
    """The last mails, of positions closed for the stop among them: they are wanted now, not after the next start."""
    try:
        send_waiting(stack.settings)
    except HtbotError as error:
        print(f"warning: mails wait for the next start: {error}", file=sys.stderr)


def _refuse_or_warn(stack: Stack, open_trades: list[OpenTrade] | None, *, leave_open: bool) -> None:
    if open_trades is None:
        text = "PostgreSQL does not answer, so nobody can tell whether positions are open"
    else:
        text = f"open: {'; '.join(map(_described, open_trades))}"
    if not leave_open:
        raise PositionsOpen(f"{text}: use stop --flatten, or stop --leave-open")
    print(f"warning: left without their guard, {text}", file=sys.stderr)
    told = tell(stack.settings, _left_open(text, open_trades or []))
    print("a mail says so" if told else "warning: no mail could be sent about it", file=sys.stderr)


def _left_open(text: str, open_trades: list[OpenTrade]) -> Message:
    now = datetime.now(UTC)
    return Message(
        kind="left_open",
        severity=Severity.CRITICAL,
        title="htbot was stopped with open positions",
        summary=f"htbot was stopped by hand and nothing guards what is open: {text}.",
        as_of=now,
        dedup_key=f"left_open:{now.isoformat()}",
        facts=[Fact(trade.id, _described(trade)) for trade in open_trades],
    )


def _described(trade: OpenTrade) -> str:
    loss = "unknown" if trade.max_loss_usd is None else f"{trade.max_loss_usd:.2f} USD"
    return f"{trade.symbol} {trade.id} ({trade.state}, account {trade.account}, maximum loss {loss})"


def _flatten(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "htbot", "flatten", "--yes"],
        cwd=Path.cwd(), check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise PositionsOpen(f"flatten was not accepted: {lines[-1]}")
    if not wait_until(lambda: stack.record().open_trades() == [], _FLATTEN_PATIENCE_S, every_s=0.5):
        raise NotReady(f"positions were not flat in {_FLATTEN_PATIENCE_S:.0f} s; nothing was stopped")


if __name__ == "__main__":
    raise SystemExit(main())
