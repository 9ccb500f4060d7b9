"""How a person wants to see things: light or dark, whose clock, which account. A cookie of their own browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from htbot.dashboard.parts.numbers import UNKNOWN
from htbot.domain.sessions import NEW_YORK

COOKIE = "htbot_look"
THEMES = ("auto", "light", "dark")
_ACCOUNT = re.compile(r"[A-Za-z0-9_\-]{1,32}")
_ZONE = re.compile(r"[A-Za-z0-9_+\-]{1,32}(/[A-Za-z0-9_+\-]{1,32}){0,2}")


@dataclass(frozen=True, slots=True)
class Look:
    """The choice; `zone` is New York or that of the browser, `account` None for all of them."""

    theme: str = "auto"
    zone: tzinfo = NEW_YORK
    local: bool = False
    account: str | None = None

    @classmethod
    def of(cls, cookies: Mapping[str, str]) -> Look:
        """From `theme.clock.Zone/Name.account`; anything else is the default."""
        theme, clock, name, account, *_ = [*cookies.get(COOKIE, "").split("."), "", "", "", ""]
        local = _zone(name.replace("%2F", "/")) if clock == "local" else None
        known = account if _ACCOUNT.fullmatch(account) else None
        return cls(theme if theme in THEMES else "auto", local or NEW_YORK, local is not None, known)

    @property
    def dark(self) -> bool | None:
        """As NiceGUI takes it: None asks the browser."""
        return None if self.theme == "auto" else self.theme == "dark"

    @property
    def zone_name(self) -> str:
        """Of the clock, for people."""
        return "local" if self.local else "New York"

    def clock(self, at: datetime | None, *, seconds: bool = True) -> str:
        """10:05:30."""
        if at is None:
            return UNKNOWN
        return at.astimezone(self.zone).strftime("%H:%M:%S" if seconds else "%H:%M")

    def day(self, at: datetime | None) -> str:
        """2026-03-03."""
        return UNKNOWN if at is None else f"{at.astimezone(self.zone):%Y-%m-%d}"

    def moment(self, at: datetime | None) -> str:
        """2026-03-03 10:05:30."""
        return UNKNOWN if at is None else at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def zone_mark(self, at: datetime | None) -> str:
        """EST, EDT, CET ..."""
        return (at or datetime.now(UTC)).astimezone(self.zone).tzname() or ""


def _zone(name: str) -> ZoneInfo | None:
    if not _ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
