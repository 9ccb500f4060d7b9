"""Times as the protocol writes them, by version (TWS_PROTOCOL section 5: from 174 on they carry a zone)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from htbot.domain.sessions import NEW_YORK
from htbot.paper.wire.values import WireError

ZONE_NAME = "US/Eastern"
_ZONED_SINCE = 174
_STAMP = re.compile(r"(\d{8})(?:[ -]+(\d{1,2}:\d{2}(?::\d{2})?))?(?: +([A-Za-z_/+\-0-9]+))?")
_SHORT_ZONES: dict[str, tzinfo] = {"EST": NEW_YORK, "EDT": NEW_YORK, "ET": NEW_YORK, "GMT": UTC, "UTC": UTC, "Z": UTC}


def stamp(at: datetime, version: int) -> str:
    """An instant in New York time: `20240102 09:30:00 US/Eastern`, before version 174 `20240102  09:30:00`."""
    local = at.astimezone(NEW_YORK)
    if version >= _ZONED_SINCE:
        return f"{local:%Y%m%d %H:%M:%S} {ZONE_NAME}"
    return f"{local:%Y%m%d}  {local:%H:%M:%S}"


def epoch(at: datetime) -> int:
    """Whole seconds since 1970."""
    return int(at.timestamp())


def day_text(day: date) -> str:
    """`20240102`."""
    return f"{day:%Y%m%d}"


def connection_time(at: datetime) -> str:
    """The time in the answer to the handshake."""
    local = at.astimezone(NEW_YORK)
    return f"{local:%Y%m%d %H:%M:%S %Z}"


def parse_stamp(text: str) -> datetime | None:
    """A client's time as aware UTC; None for empty text. Without a zone it is New York, `yyyymmdd-hh:mm:ss` is UTC.

    Raises:
        WireError: the text is no time or names an unknown zone.
    """
    if not text.strip():
        return None
    match = _STAMP.fullmatch(text.strip())
    if match is None:
        raise WireError(f"{text[:40]!r} is no time: use 'yyyymmdd hh:mm:ss US/Eastern' or 'yyyymmdd-hh:mm:ss' (UTC)")
    day, clock, zone_name = match.groups()
    zone = _zone(zone_name) if zone_name else (UTC if clock and text.strip()[8] == "-" else NEW_YORK)
    clock = clock or "23:59:59"
    if clock.count(":") == 1:
        clock += ":00"
    try:
        return datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S").replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise WireError(f"{text[:40]!r} is no time") from error


def _zone(name: str) -> tzinfo:
    if name in _SHORT_ZONES:
        return _SHORT_ZONES[name]
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WireError(f"{name[:40]!r} is no time zone") from error
