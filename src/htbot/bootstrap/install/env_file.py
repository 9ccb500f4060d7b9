"""Makes `.env` on the first start and sees that it holds a token."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from htbot.domain.errors import ConfigurationError
from htbot.settings.environment import env_file

_TOKEN_LINE = re.compile(r"^HTBOT_API_TOKEN=[ \t]*$", re.MULTILINE)
_TOKEN_SET = re.compile(r"^[ \t]*(?:export[ \t]+)?HTBOT_API_TOKEN[ \t]*=[ \t]*[^\s#]", re.MULTILINE)


def prepare_env_file(root: Path, environ: Mapping[str, str]) -> Path:
    """Copy `.env.example` to `.env` when there is none, readable by the owner only, with a fresh token.

    A file of yours is kept as it is; a missing token is added at its end.

    Returns:
        The path of the file.
    """
    path = env_file(root, environ)
    if environ.get("HTBOT_API_TOKEN") or ("HTBOT_ENV_FILE" in environ and not path.is_file()):
        return path
    existed = path.exists()
    text = path.read_text(encoding="utf-8-sig") if existed else (root / ".env.example").read_text(encoding="utf-8")
    if existed and _TOKEN_SET.search(text):
        return path
    line = f"HTBOT_API_TOKEN={secrets.token_urlsafe(32)}"
    if _TOKEN_LINE.search(text):
        text = _TOKEN_LINE.sub(line, text, count=1)
    else:
        text = text.rstrip("\r\n") + f"\n\n# first token of the REST API, role admin\n{line}\n"
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    fresh.replace(path)
    return path


def require_private(path: Path) -> None:
    """Refuse a settings file that somebody else on this machine can read (FAULTS 44, 62).

    Raises:
        ConfigurationError: it is readable or writable by others than its owner.
    """
    if path.is_file() and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
        raise ConfigurationError(f"{path} holds secrets and has mode {mode:o}, others can read it: chmod 600 {path}")
