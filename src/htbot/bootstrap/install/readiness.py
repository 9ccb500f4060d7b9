"""The readiness table: what runs, where to look, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from htbot.bootstrap.install.checks import api_answers, api_status
from htbot.bootstrap.install.stack import Stack
from htbot.bootstrap.install.supervisor import ProgramState
from htbot.domain.sessions import NEW_YORK
from htbot.settings import Settings
from htbot.settings.environment import env_file
from htbot.settings.strategy import NO_STRATEGY

_UP = frozenset({"RUNNING", "STARTING"})
"""Its first seconds supervisor calls a program starting, whatever it does already."""


def print_readiness(stack: Stack) -> int:
    """Print the table.

    Returns:
        0 when every program runs and the API is ready, else 1.

    Raises:
        NotRunning: the instance does not run.
    """
    settings = stack.settings
    states = stack.states()
    ready = api_answers(settings) and all(row.state in _UP for row in states)
    status = api_status(settings)
    mails = settings.paths.mail if settings.mail.to_files else ", ".join(settings.mail.recipients)
    rows = {
        "State": "READY" if ready else "NOT READY",
        "Mode": settings.mode,
        "Gateway": f"{settings.ib.host}:{settings.ib.port}",
        "Market time": _new_york(status.get("market_time")),
        "Speed": _shown(status, "speed", "unknown"),
        "Connection": _shown(status, "connection", "unknown"),
        "Strategy": _strategy(settings),
        "Dashboard": f"{settings.api.url}/dashboard",
        "API": f"{settings.api.url} (docs at {settings.api.url}/docs)",
        "Token": f"HTBOT_API_TOKEN in {_token_place(stack)}",
        "Mails": str(mails),
        "Logs": str(settings.paths.log),
        "Halt": f"touch {settings.paths.kill_switch_file}",
        "Degraded": "; ".join(status.get("degraded") or ()) or "none",
        "Programs": programs(states),
        "Next": ".venv/bin/htbot status, .venv/bin/htbot trades, .venv/bin/htbot why TRADE_ID",
    }
    width = max(map(len, rows))
    print()
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value}")
    return 0 if ready else 1


def programs(states: Sequence[ProgramState]) -> str:
    """Those that run, and apart from them those that do not, with their state."""
    up = ", ".join(row.name for row in states if row.state in _UP)
    down = ", ".join(f"{row.name} {row.state.lower()}" for row in states if row.state not in _UP)
    return f"{up}; not running: {down}" if down else up


def _token_place(stack: Stack) -> str:
    return "the environment" if "HTBOT_API_TOKEN" in stack.environ else str(env_file(stack.root, stack.environ))


def _strategy(settings: Settings) -> str:
    chosen = settings.strategy
    if chosen.name == NO_STRATEGY:
        return "none configured: instances only"
    if not settings.strategy_enabled:
        return f"{chosen.symbol}, not enabled: HTBOT_ENABLED=true in .env lets it trade"
    return f"{chosen.symbol}, enabled: enters from {chosen.entry_start:%H:%M} to {chosen.entry_end:%H:%M} New York"


def _new_york(market_time: object) -> str:
    if not isinstance(market_time, str):
        return "unknown"
    return datetime.fromisoformat(market_time).astimezone(NEW_YORK).strftime("%a %Y-%m-%d %H:%M:%S New York")


def _shown(status: dict[str, object], key: str, otherwise: str) -> str:
    value = status.get(key)
    return otherwise if value is None else str(value)
