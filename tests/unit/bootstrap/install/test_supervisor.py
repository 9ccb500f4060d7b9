from __future__ import annotations

import configparser
import shlex
from pathlib import Path

import pytest

from htbot.bootstrap.install import supervisor
from htbot.domain.errors import ConfigurationError
from htbot.settings import project_root

TEMPLATE = project_root() / "supervisord.conf"
VALUES: dict[str, str | tuple[str, ...]] = {
    "root": "/my folder/100%",
    "run": "/my folder/var/run",
    "log": "/my folder/var/log",
    "socket": "/my folder/var/run/supervisor.sock",
    "python": "/my folder/.venv/bin/python",
    "worker_processes": "3",
    "postgres": ("unshare", "--user", "--", "/my folder/bin/postgres"),
    "pg_data": "/my folder/var/pg/data",
    "pg_port": "21000",
    "redis": "/my folder/valkey-server",
    "redis_conf": "/my folder/var/redis/redis.conf",
}
ALL = ("postgres", "redis", "paper", "desk", "worker", "beat", "api")


def rendered(programs: tuple[str, ...] = ALL) -> configparser.RawConfigParser:
    config = configparser.RawConfigParser()
    config.read_string(supervisor.render(TEMPLATE, VALUES, programs))
    return config


def command(config: configparser.RawConfigParser, program: str) -> list[str]:
    """The words of a command as supervisord sees them: `%` expanded, then split."""
    return shlex.split(config[f"program:{program}"]["command"] % {})


def test_paths_with_blanks_and_percent_signs_stay_one_word() -> None:
    config = rendered()
    assert command(config, "desk") == ["/my folder/.venv/bin/python", "-m", "htbot.desk"]
    assert command(config, "postgres")[:4] == ["unshare", "--user", "--", "/my folder/bin/postgres"]
    assert config["supervisord"]["directory"] % {} == "/my folder/100%"


def test_only_the_chosen_programs_are_there() -> None:
    config = rendered(("desk", "api"))
    assert [name for name in config.sections() if name.startswith("program:")] == ["program:desk", "program:api"]


def test_servers_start_at_once_and_the_rest_after_the_migrations() -> None:
    config = rendered()
    waiting = {name for name in ALL if config[f"program:{name}"].get("autostart") == "false"}
    assert waiting == {"desk", "worker", "beat", "api"}


def test_no_port_is_open_and_the_socket_is_private() -> None:
    config = rendered()
    assert "inet_http_server" not in config
    assert "eventlistener:alarm" not in config
    assert config["unix_http_server"]["chmod"] == "0700"


def test_a_stop_never_cuts_a_task_or_a_database_off() -> None:
    config = rendered()
    worker, postgres = config["program:worker"], config["program:postgres"]
    assert (worker["stopasgroup"], worker["killasgroup"]) == ("false", "true")
    assert int(worker["stopwaitsecs"]) > 60
    assert (postgres["stopsignal"], postgres["stopwaitsecs"]) == ("INT", "60")
    assert all(int(config[f"program:{name}"]["startsecs"]) >= 5 for name in ALL)


@pytest.mark.fault(12)
@pytest.mark.fault(13)
def test_who_ends_because_redis_refuses_is_tried_again_for_hours() -> None:
    """The pause before a try is as many seconds as there were tries; supervisord gives up after `startretries`."""
    config = rendered()
    for name in ("worker", "beat"):
        tries = int(config[f"program:{name}"]["startretries"])
        assert sum(range(tries)) > 4 * 3600


def test_logs_are_rotated() -> None:
    config = rendered()
    for name in ALL:
        program = config[f"program:{name}"]
        logs = [key.removesuffix("_logfile") for key in program if key.endswith("_logfile")]
        assert logs
        for stream in logs:
            assert program[f"{stream}_logfile_maxbytes"].endswith("MB")
            assert int(program[f"{stream}_logfile_backups"]) > 0


def test_an_unknown_name_in_the_template_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "supervisord.conf"
    template.write_text("[program:desk]\ncommand=$pyhton -m htbot.desk\n")
    with pytest.raises(ConfigurationError, match="pyhton"):
        supervisor.render(template, VALUES, ALL)


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    assert supervisor.socket_path(Path("/srv/htbot/var/run")) == Path("/srv/htbot/var/run/supervisor.sock")
    long = tmp_path / ("x" * 90) / "run"
    assert len(str(supervisor.socket_path(long))) < 100
    assert supervisor.socket_path(long) != supervisor.socket_path(long / "other")
