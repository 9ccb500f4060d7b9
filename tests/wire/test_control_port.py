"""The control port of a running gateway: who may use it, what it answers, what the command line makes of it."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.paper_process import PaperProcess
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.install.ports import free_port
from htbot.domain.errors import CallerMistake, NotFound
from htbot.paper.faults.talk import NoControlPort, ask, ask_at

START = "2026-03-04T10:00:00-05:00"


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("var") / "paper"


@pytest.fixture(scope="module")
def process(state_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PaperProcess]:
    calendar_dir = tmp_path_factory.mktemp("calendar")
    process = PaperProcess(state_dir, calendar_dir, start=START, seed=3, speed="max", control={"port": 0})
    process.start()
    yield process
    process.kill()


@pytest.fixture
def endpoint(process: PaperProcess, state_dir: Path) -> dict[str, Any]:
    assert process.port
    return dict(json.loads((state_dir / "control.json").read_text()))


def said(port: int, line: bytes) -> tuple[dict[str, Any], bool]:
    """The answer to a raw line, and whether the connection was closed behind it."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as peer, peer.makefile("rwb") as lines:
        lines.write(line)
        lines.flush()
        answer = json.loads(lines.readline())
        lines.write(b'{"do": "status"}\n')
        try:
            lines.flush()
            return answer, lines.readline() == b""
        except ConnectionError:
            return answer, True


def test_port_and_token_are_the_owners_alone(endpoint: dict[str, Any], state_dir: Path) -> None:
    assert stat.S_IMODE((state_dir / "control.json").stat().st_mode) == 0o600
    assert len(endpoint["token"]) >= 32


def test_it_listens_on_loopback_only(endpoint: dict[str, Any]) -> None:
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    hexadecimal = f"{endpoint['port']:04X}"
    found = [row[1] for row in rows if row[1].endswith(f":{hexadecimal}") and row[3] == "0A"]
    assert found == [f"0100007F:{hexadecimal}"]
    six = Path("/proc/net/tcp6")
    assert not six.exists() or f":{hexadecimal} " not in six.read_text()


@pytest.mark.parametrize("token", ["wrong", "", None, 7, "ü"])
def test_a_wrong_token_is_refused(endpoint: dict[str, Any], token: object) -> None:
    answer, closed = said(endpoint["port"], json.dumps({"token": token, "do": "list"}).encode() + b"\n")
    assert (answer["ok"], closed) == (False, True)
    assert answer["error"].startswith("wrong token: it is in control.json")


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1\r\n", b"[]\n", b"\xff\n", b"[" * 5000 + b"\n", b"null\n"])
def test_what_is_no_request_closes_the_connection(endpoint: dict[str, Any], line: bytes) -> None:
    answer, closed = said(endpoint["port"], line)
    assert (answer, closed) == ({"ok": False, "error": "a request is one JSON object a line"}, True)


def test_an_endless_line_and_idle_peers_hurt_nobody(endpoint: dict[str, Any], state_dir: Path) -> None:
    idle = [socket.create_connection(("127.0.0.1", endpoint["port"]), PATIENCE_S) for _ in range(7)]
    with socket.create_connection(("127.0.0.1", endpoint["port"]), PATIENCE_S) as peer, pytest.raises(ConnectionError):
        peer.sendall(b"x" * 100_000_000)
    for one in idle:
        one.close()
    assert ask(state_dir, {"do": "status"})["link"] == "up"


MISTAKES = {
    '{"do": "fly"}': "cannot do 'fly': list, status, add or clear",
    '{"do": "add", "fault": "rejct"}': "unknown fault 'rejct'; did you mean reject?",
    '{"do": "add", "fault": "reject", "fields": {"above": 3}}': "fields is an object of texts",
    '{"do": "add", "fault": "reject", "fields": {"above": "x"}}': "reject: above=x is not a quantity",
    '{"do": "add", "fault": "reject", "fields": {"at": "2020-01-02T10:00"}}': "reject: at=2020-01-02T10:00:00-0500 is",
    '{"do": "clear", "number": "1"}': "number is a whole number, or absent for all",
}


@pytest.mark.parametrize(("request_text", "told"), MISTAKES.items(), ids=MISTAKES)
def test_mistakes_are_one_line(endpoint: dict[str, Any], request_text: str, told: str) -> None:
    with pytest.raises(CallerMistake) as caught:
        ask_at(endpoint["port"], {**json.loads(request_text), "token": endpoint["token"]})
    assert str(caught.value).startswith(told)


def test_faults_are_listed_and_cleared(process: PaperProcess, state_dir: Path) -> None:
    assert process.port
    row = ask(state_dir, {"do": "add", "fault": "reject", "fields": {"symbol": "SPY", "at": "10:32:30"}})
    assert row["from"] == "2026-03-04T15:32:30+00:00"
    assert [found["fault"] for found in ask(state_dir, {"do": "list"})] == ["reject"]
    with pytest.raises(NotFound):
        ask(state_dir, {"do": "clear", "number": row["number"] + 1})
    assert ask(state_dir, {"do": "clear"}) == {"cleared": 1}


def htbot(state_dir: Path, *words: str) -> tuple[int, str, str]:
    environ = {"HTBOT_VAR_DIR": str(state_dir.parent), "HTBOT_ENV_FILE": "/dev/null", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "htbot", "paper", "fault", *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return done.returncode, done.stdout, done.stderr


def test_the_command_line(process: PaperProcess, state_dir: Path) -> None:
    assert process.port
    code, out, _ = htbot(state_dir, "add", "late-order", "by_s=30", "times=always")
    assert (code, out.split(":")[1]) == (0, " late-order from 2026-03-04 10")
    code, out, _ = htbot(state_dir, "list")
    assert code == 0
    assert out.splitlines()[-1].split()[1:4] == ["late-order", "times=always", "by_s=30"]
    assert json.loads(htbot(state_dir, "status", "--json")[1])["speed"] == "max"
    assert htbot(state_dir, "clear")[:2] == (0, "cleared 1\n")
    code, _, err = htbot(state_dir, "clear", "99")
    assert (code, err) == (2, "htbot: no fault has the number 99: htbot paper fault list shows them\n")
    code, _, err = htbot(state_dir, "add", "late-order", "by_s")
    assert (code, err) == (1, "htbot: 'by_s' is not FIELD=VALUE, such as symbol=SPY\n")
    code, _, err = htbot(state_dir / "elsewhere", "list")
    assert code == 3
    assert err.endswith("start the gateway with --control-port, or set PAPER_CONTROL_PORT\n")


def test_help_lists_every_fault(state_dir: Path) -> None:
    from htbot.paper.faults.kinds import KINDS

    code, out, _ = htbot(state_dir, "add", "--help")
    assert code == 0
    for kind in KINDS.values():
        assert f"add {kind.name} " in out


def test_the_file_goes_with_the_gateway(tmp_path: Path, process: PaperProcess) -> None:
    assert process.port
    folder = tmp_path / "paper"
    other = PaperProcess(
        folder, tmp_path / "calendar", start=START, speed="max", control={"port": 0, "token": "t" * 20}
    )
    other.start()
    assert json.loads((folder / "control.json").read_text())["token"] == "t" * 20
    assert other.stop() == 0
    assert not (folder / "control.json").exists()
    with pytest.raises(NoControlPort):
        ask(folder, {"do": "list"})


def test_a_taken_port_is_one_line(tmp_path: Path, endpoint: dict[str, Any]) -> None:
    words = [
        "--port",
        str(free_port()),
        "--control-port",
        str(endpoint["port"]),
        "--start",
        "2026-03-04",
        "--speed",
        "max",
    ]
    environ = {"HTBOT_VAR_DIR": str(tmp_path), "HTBOT_ENV_FILE": "/dev/null", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "htbot", "paper", *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 4
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"htbot: PAPER_CONTROL_PORT={endpoint['port']}: cannot listen on 127.0.0.1: ")


def test_a_wrong_script_starts_nothing(tmp_path: Path) -> None:
    script = tmp_path / "day.yaml"
    script.write_text("- fault: rejct\n- fault: outage\n  at: noon\n")
    environ = {"HTBOT_VAR_DIR": str(tmp_path), "HTBOT_ENV_FILE": "/dev/null", "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "htbot", "paper", "--port", str(free_port()), "--faults", str(script)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 4
    first, second = done.stderr.splitlines()
    assert first.startswith(f"htbot: {script}:1: unknown fault 'rejct'")
    assert second.startswith(f"htbot: {script}:2: outage: at=noon is not a New York time such as 10:32:30")
