from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from htbot.bootstrap.install.migrate import create_database, wait_for_database
from htbot.bootstrap.install.ports import free_port
from htbot.bootstrap.install.processes import processes_of
from htbot.bootstrap.install.stack import APPLICATIONS, Stack
from htbot.domain.errors import ConfigurationError
from htbot.settings import project_root

SERVERS = ("postgres", "redis")


def environ(folder: Path, **changes: str) -> dict[str, str]:
    """An environment that sees nothing of the project's own instance."""
    ours = ("HTBOT_", "PAPER_", "IB_", "IBKR_", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "HTBOT_VAR_DIR": str(folder), "HTBOT_ENV_FILE": os.devnull, **changes}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    closed = tmp_path / "a closed folder"
    closed.mkdir(mode=0o700)
    built = Stack(project_root(), environ(closed / "var"))
    yield built
    built.stop_all()


def bring_up(stack: Stack) -> None:
    with stack.exclusive():
        stack.stop_all()
        stack.clean()
        stack.start_servers(SERVERS)
        wait_for_database(stack.settings)
        stack.waiting().for_redis()


def test_programs_leave_out_what_is_configured_elsewhere(tmp_path: Path) -> None:
    assert Stack(project_root(), environ(tmp_path)).programs == ("postgres", "redis", "paper", *APPLICATIONS, "alarm")
    elsewhere = {"DATABASE_URL": "postgresql://me@db/htb", "REDIS_URL": "redis://cache", "IB_PORT": "4002"}
    assert Stack(project_root(), environ(tmp_path, **elsewhere)).programs == (*APPLICATIONS, "alarm")


@pytest.mark.parametrize(
    ("name", "url"), [("DATABASE_URL", "postgresql://me@127.0.0.1:{}/x"), ("REDIS_URL", "redis://127.0.0.1:{}/0")]
)
def test_a_configured_server_that_is_away_is_named(tmp_path: Path, name: str, url: str) -> None:
    port = free_port()
    stack = Stack(project_root(), environ(tmp_path / "var", **{name: url.format(port)}))
    with pytest.raises(ConfigurationError, match=f"{name}: nothing answers at 127.0.0.1:{port}"):
        stack.check_configured_servers()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    stack = Stack(project_root(), environ(tmp_path / "var"))
    with pytest.raises(ConfigurationError, match="HTBOT_VAR_DIR"), stack.exclusive():
        raise AssertionError("the folder exists after all")


@pytest.mark.fault(62)
@pytest.mark.parametrize("folder", ["var", "var/log"])
def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path, folder: str) -> None:
    (tmp_path / "var/log").mkdir(parents=True, mode=0o700)
    (tmp_path / folder).chmod(0o777)
    stack = Stack(project_root(), environ(tmp_path / "var"))
    with pytest.raises(ConfigurationError, match=f"chmod 700 {tmp_path / folder},"), stack.exclusive():
        raise AssertionError("it was used after all")


@pytest.mark.slow
@pytest.mark.fault(7)
def test_servers_come_up_survive_kills_and_go_down(stack: Stack) -> None:
    bring_up(stack)
    password = stack.settings.database.url
    create_database(password.replace("+psycopg2", ""), "htbot")  # exists already: as good
    now = stack.record().now()

    supervisor = stack.supervisor_pid()
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)  # its children live on
    bring_up(stack)
    assert stack.settings.database.url == password
    assert stack.record().now() > now

    for pid in {*processes_of(stack.instance), stack.supervisor_pid()} - {None}:
        os.kill(int(pid), signal.SIGKILL)
    for stale in (stack.settings.paths.run / "supervisord.pid", stack.settings.paths.postgres / "data/postmaster.pid"):
        stale.write_text(f"{os.getpid()}\n")  # the number belongs to somebody else by now
    bring_up(stack)
    assert {row.name for row in stack.states()} == set(SERVERS)
    assert stack.record().open_trades() == []  # no table yet: nothing was ever traded

    assert stack.stop_all()
    assert stack.supervisor_pid() is None
    assert processes_of(stack.instance) == []
    assert stack.record().open_trades() is None
    assert not stack.stop_all()
