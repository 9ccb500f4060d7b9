"""Checks of the machine and of what lies on it: Python, packages, files, ports, disk, clock."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections import defaultdict
from datetime import datetime
from importlib import metadata

from sqlalchemy import text

from htbot.bootstrap.doctor.finding import Seen, fail, ok, skip, warn
from htbot.bootstrap.doctor.site import Site
from htbot.settings.environment import env_file

_LEAST_SHARE, _LEAST_BYTES = 0.10, 512 * 2**20
_MOST_SKEW_S = 2.0
"""RULINGS 17: no entries above it."""
_PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", re.MULTILINE)


def python(_site: Site) -> Seen:
    """The interpreter is one that htbot runs on."""
    found = sys.version.split()[0]
    if (3, 11) <= sys.version_info < (3, 14):
        return ok(found)
    return fail(found, "install Python 3.11, 3.12 or 3.13 and run ./restart.sh")


def packages(site: Site) -> Seen:
    """What is installed is what the lock says."""
    lock = site.root / "requirements.lock"
    if not lock.is_file():
        return skip(f"{lock} is not there")
    pinned: dict[str, set[str]] = defaultdict(set)  # several versions: one for each range of Pythons
    for name, version in _PINNED.findall(lock.read_text(encoding="utf-8")):
        pinned[name].add(version)
    others = [
        f"{name} {found}, not {' or '.join(sorted(wanted))}"
        for name, wanted in pinned.items()
        if (found := _installed(name)) is not None and found not in wanted
    ]
    if others:
        return fail(f"{len(others)} differ from the lock: {'; '.join(others[:5])}", "./restart.sh installs the lock")
    return ok(f"{len(pinned)} as locked, in {sys.prefix}")


def _installed(name: str) -> str | None:
    """None when it is not installed: the lock is for every platform."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def env_permissions(site: Site) -> Seen:
    """Nobody else reads the secrets."""
    path = env_file(site.root, os.environ)
    if not path.is_file():
        return warn(f"{path} is not there", "./restart.sh makes it")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return fail(f"{path} has mode {mode:o} and holds secrets", f"chmod 600 {path}")
    return ok(f"{path}, mode {mode:o}")


def var_permissions(site: Site) -> Seen:
    """Nobody else reads books, journal and logs, or puts something in their place."""
    var = site.settings.paths.var
    if not var.is_dir():
        return warn(f"{var} is not there", "./restart.sh makes it")
    found = var.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.getuid():
        return fail(
            f"{var} belongs to user {found.st_uid}, this is user {os.getuid()}", f"chown -R {os.getuid()} {var}"
        )
    if mode & 0o022:
        return fail(f"{var} has mode {mode:o}: others may write", f"chmod 700 {var}")
    if mode & 0o055:
        return warn(f"{var} has mode {mode:o}: others may read", f"chmod 700 {var}")
    return ok(f"{var}, mode {mode:o}")


def ports(site: Site) -> Seen:
    """What is to listen can, or does."""
    from htbot.bootstrap.install.ports import is_taken

    settings = site.settings
    wanted = {"HTBOT_API_PORT": (settings.api.host, settings.api.port)}
    if settings.ib.builtin_paper:
        wanted["PAPER_PORT"] = ("127.0.0.1", settings.paper.port)
    told = ", ".join(f"{name}={port}" for name, (_, port) in wanted.items())
    taken = [f"{name}={port}" for name, (host, port) in wanted.items() if is_taken(port, host)]
    if site.programs is not None:
        silent = [one for one in told.split(", ") if one not in taken]
        if not silent:
            return ok(f"{told}, held by the running instance")
        way_out = "set the variables that it was started with, else ./restart.sh"
        return warn(f"the instance runs, and nothing listens at {', '.join(silent)}", way_out)
    if taken:
        return fail(
            f"{', '.join(taken)} taken by another program", "stop that program, or set the variable to a free port"
        )
    return ok(f"{told}, free")


def disk(site: Site) -> Seen:
    """There is room for the record and the logs."""
    var = site.settings.paths.var
    folder = next(path for path in (var, *var.parents) if path.exists())
    usage = shutil.disk_usage(folder)
    told = f"{usage.free / 2**30:.1f} GiB of {usage.total / 2**30:.0f} free at {folder}"
    if usage.free < _LEAST_BYTES:
        return fail(told, "make room: PostgreSQL refuses to write on a full disk, and nothing is entered then")
    if usage.free < usage.total * _LEAST_SHARE:
        return warn(told, "make room before it is full")
    return ok(told)


def clock(site: Site) -> Seen:
    """This machine and PostgreSQL agree on the time, and the desk does not speak from the future."""
    with site.database.transaction() as session:
        before = site.host_now
        theirs: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        after = site.host_now
    skew_s = (theirs - (before + (after - before) / 2)).total_seconds()
    age_s = site.desk.heartbeat_age_s if site.redis_trouble is None else None
    if age_s is not None and age_s < -_MOST_SKEW_S:
        skew_s = -age_s
    told = f"{skew_s:+.3f} s from PostgreSQL's clock or the desk's"
    if abs(skew_s) > _MOST_SKEW_S:
        return fail(told, "let one time service set all machines (timedatectl set-ntp true)")
    return ok(told)
