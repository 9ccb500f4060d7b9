"""The API beyond this machine: by TLS, under its names, and not otherwise (FAULTS 57)."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trustme
from tests.support.api_process import TOKEN, Served, environment, serving
from tests.support.waiting import PATIENCE_S

from htbot.bootstrap.install.processes import wait_until
from htbot.settings import load_settings


def certificate(folder: Path, name: str = "bot.example") -> dict[str, str]:
    made = trustme.CA().issue_cert(name, "127.0.0.1")
    made.private_key_pem.write_to_path(folder / "key.pem")
    with (folder / "cert.pem").open("wb") as chain:
        chain.writelines(pem.bytes() for pem in made.cert_chain_pems)
    (folder / "key.pem").chmod(0o600)
    return {"HTBOT_API_TLS_CERT": str(folder / "cert.pem"), "HTBOT_API_TLS_KEY": str(folder / "key.pem")}


def test_served_by_tls_under_its_name_and_no_other(shared_database_url: str, tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    wide = {"HTBOT_API_HOST": "0.0.0.0", "HTBOT_API_PUBLIC": "yes", "HTBOT_API_NAMES": "bot.example"}
    trusted = load_settings(tmp_path, tls).api.trust
    assert trusted is not None
    other = tmp_path / "other"
    other.mkdir()
    foreign = load_settings(other, certificate(other)).api.trust
    with (
        serving(tmp_path, trusted, DATABASE_URL=shared_database_url, **tls, **wide) as served,
        httpx.Client(base_url=served.url, verify=trusted, headers=TOKEN, timeout=PATIENCE_S) as client,
    ):
        answer = client.get("/status", headers={"Host": "bot.example"})
        assert answer.status_code == 200
        assert "max-age" in answer.headers["strict-transport-security"]
        assert client.get("/status", headers={"Host": "other.example"}).status_code == 403
        with pytest.raises(httpx.HTTPError):
            httpx.get(served.url.replace("https", "http") + "/health", timeout=PATIENCE_S)
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{served.url}/health", verify=foreign, timeout=PATIENCE_S)
        half_made_handshakes_end(served)
        assert client.get("/health").status_code == 200


def half_made_handshakes_end(served: Served) -> None:
    """Connections that never finish their handshake are closed; without our limit it takes a minute."""
    opened = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(50)]
    for one in opened[::2]:
        one.sendall(b"\x16\x03\x01")
    assert wait_until(lambda: served.sockets() <= 1, 40), "handshakes stay half made"
    for one in opened:
        one.close()


def test_it_does_not_start_with_a_key_of_another_certificate(shared_database_url: str, tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "htbot.api"],
        env=environment(tmp_path, DATABASE_URL=shared_database_url, **tls)
        | {"HTBOT_API_TLS_KEY": certificate(other)["HTBOT_API_TLS_KEY"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "cannot be served: KEY_VALUES_MISMATCH" in done.stderr
