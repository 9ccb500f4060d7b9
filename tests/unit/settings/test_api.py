from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from htbot.domain.errors import ConfigurationError
from htbot.settings import Settings, load_settings


def refused(root: Path, environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as error:
        load_settings(root, environ)
    return str(error.value)


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    made = trustme.CA().issue_cert("bot.example")
    made.private_key_pem.write_to_path(tmp_path / "key.pem")
    made.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    (tmp_path / "key.pem").chmod(0o600)
    return {"HTBOT_API_TLS_CERT": "cert.pem", "HTBOT_API_TLS_KEY": "key.pem"}


@pytest.mark.fault(57)
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "bot.example", "[2001:db8::1]", "10.0.0.1"])
def test_wider_than_this_machine_needs_tls_and_a_switch_and_a_name(
    tmp_path: Path, tls: dict[str, str], host: str
) -> None:
    here = {"HTBOT_API_HOST": host}
    assert "set HTBOT_API_TLS_CERT, HTBOT_API_TLS_KEY and HTBOT_API_PUBLIC=yes" in refused(tmp_path, here)
    assert "\n" not in refused(tmp_path, here)
    assert "set HTBOT_API_TLS_CERT" in refused(tmp_path, here | {"HTBOT_API_PUBLIC": "yes"})
    assert "set HTBOT_API_PUBLIC=yes" in refused(tmp_path, here | tls)
    allowed = here | tls | {"HTBOT_API_PUBLIC": "yes"}
    if host in {"0.0.0.0", "::"}:
        assert "needs HTBOT_API_NAMES" in refused(tmp_path, allowed)
    api = load_settings(tmp_path, allowed | {"HTBOT_API_NAMES": "bot.example, bot"}).api
    assert {"bot.example", "bot"} <= set(api.hosts)
    assert api.url.startswith("https://")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_nothing(tmp_path: Path, host: str) -> None:
    assert load_settings(tmp_path, {"HTBOT_API_HOST": host}).api.url.startswith("http://")


def test_certificate_and_key_are_there_and_come_together(tmp_path: Path, tls: dict[str, str]) -> None:
    assert "come together" in refused(tmp_path, {"HTBOT_API_TLS_CERT": "cert.pem"})
    gone = refused(tmp_path, tls | {"HTBOT_API_TLS_KEY": "other.pem"})
    assert gone == f"HTBOT_API_TLS_KEY={tmp_path / 'other.pem'}: no such file"
    read = load_settings(tmp_path, tls)
    assert isinstance(read, Settings)
    assert read.api.certificate == tmp_path / "cert.pem"


@pytest.mark.fault(62)
def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path, tls: dict[str, str]) -> None:
    (tmp_path / "key.pem").chmod(0o644)
    assert refused(tmp_path, tls).endswith(f"chmod 600 {tmp_path / 'key.pem'}")
