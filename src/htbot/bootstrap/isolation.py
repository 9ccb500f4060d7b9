"""An instance of its own for one command: environment, temporary folder, and signals that end it in an orderly way."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from htbot.bootstrap.install.ports import free_port
from htbot.domain.errors import ConfigurationError

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FOREIGN = (
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "KILL_SWITCH_FILE",
    "ALERT_URLS",
    "LIVE_TRADING_CONFIRM",
    "RISK_PROFILE",
)
_FOREIGN_PREFIXES = ("IB_", "IBKR_", "PAPER_", "SMTP_", "TRADING_MODE", "HTBOT_API_", "HTBOT_ENV_FILE", "HTBOT_VAR_DIR")


@contextmanager
def interruptible() -> Iterator[None]:
    """The first signal to end interrupts; later ones are not heard, so that nothing cuts the stopping short."""

    def interrupt(_number: int, _frame: object) -> None:
        hear_nothing()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hear_nothing() -> None:
    """From here on no signal to end is heard: everything is being stopped."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def temporary_place(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A folder that goes with its block. It stays only after a failure, for its logs; wrong settings are none."""
    folder, failed = Path(tempfile.mkdtemp(prefix=prefix, dir=parent)), False
    try:
        yield folder
    except Exception as error:
        failed = not isinstance(error, ConfigurationError)
        raise
    finally:
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)


def isolated_environ(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment without what names somebody else's servers; own state folder, STOP file, ports and token."""
    foreign = {name for name in environ if name in _FOREIGN or name.startswith(_FOREIGN_PREFIXES)}
    kept = {name: value for name, value in environ.items() if name not in foreign}
    return kept | {
        "HTBOT_ENV_FILE": os.devnull,
        "HTBOT_VAR_DIR": str(folder),
        "KILL_SWITCH_FILE": str(folder / "STOP"),
        "HTBOT_API_PORT": str(free_port()),
        "HTBOT_API_TOKEN": secrets.token_urlsafe(32),
        "PAPER_PORT": str(free_port()),
    }
