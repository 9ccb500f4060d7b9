"""The asking end of the control port, for the command line and for tests."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from htbot.domain.errors import CallerMistake, HtbotError, NotFound
from htbot.paper.faults.control import FILE_NAME, LOOPBACK

_TIMEOUT_S = 10.0


class NoControlPort(HtbotError):
    """No gateway with a control port runs on this state folder."""


def ask(state_dir: Path, request: dict[str, Any]) -> Any:
    """Ask the gateway of a state folder one thing; the result.

    Raises:
        NoControlPort: nothing answers there.
        CallerMistake: the gateway refused the request; its own line.
    """
    port, token = _where(state_dir)
    return ask_at(port, {**request, "token": token})


def ask_at(port: int, request: dict[str, Any]) -> Any:
    """Ask on a port of loopback; the request holds the token.

    Raises:
        NoControlPort: nothing answers there.
        CallerMistake: the gateway refused the request; its own line.
    """
    try:
        with socket.create_connection((LOOPBACK, port), _TIMEOUT_S) as peer, peer.makefile("rwb") as lines:
            lines.write(json.dumps(request).encode() + b"\n")
            lines.flush()
            answer = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise NoControlPort(f"nothing answers on control port {port}: is the paper gateway running?") from error
    if not answer["ok"]:
        raise NotFound(answer["error"]) if answer.get("missing") else CallerMistake(answer["error"])
    return answer["result"]


def _where(state_dir: Path) -> tuple[int, str]:
    path = state_dir / FILE_NAME
    try:
        kept = json.loads(path.read_text())
        return int(kept["port"]), str(kept["token"])
    except FileNotFoundError:
        text = f"{path}: no such file: start the gateway with --control-port, or set PAPER_CONTROL_PORT"
        raise NoControlPort(text) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NoControlPort(f"{path} cannot be read: restart the gateway") from error
