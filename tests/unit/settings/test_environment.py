from __future__ import annotations

from pathlib import Path

import pytest

from htbot.domain.errors import ConfigurationError
from htbot.settings import load_settings


def refusal(root: Path, environ: dict[str, str], text: str | None = None) -> list[str]:
    """Lines of the refusal that these settings end in."""
    if text is not None:
        (root / ".env").write_bytes(text.encode())
    with pytest.raises(ConfigurationError) as refused:
        load_settings(root, environ)
    return str(refused.value).splitlines()


def test_every_alias_of_the_seeds_is_read(tmp_path: Path) -> None:
    for name in ("IB_HOST", "IB_GATEWAY_IP", "IB_GATEWAY_HOST", "IBKR_HOST"):
        assert load_settings(tmp_path, {name: "10.0.0.5"}).ib.host == "10.0.0.5"
    for name in ("IB_PORT", "IB_GATEWAY_PORT", "IBKR_PORT"):
        assert load_settings(tmp_path, {name: "7497"}).ib.port == 7497
    for name in ("IB_CLIENT_ID", "IBKR_CLIENT_ID"):
        assert load_settings(tmp_path, {name: "9"}).ib.client_id == 9
    for name in ("IB_TRADING_MODE", "IBKR_TRADING_MODE", "TRADING_MODE"):
        assert load_settings(tmp_path, {name: "Paper"}).ib.trading_mode == "paper"
    mail = {"NOTIFICATION_EMAIL": "desk@example.com"}
    for name in ("SMTP_SERVER", "SMTP_HOST"):
        assert load_settings(tmp_path, {name: "smtp.example.com", **mail}).mail.smtp_server == "smtp.example.com"


def test_two_names_with_one_value_are_no_conflict(tmp_path: Path) -> None:
    assert load_settings(tmp_path, {"IB_PORT": "4002", "IB_GATEWAY_PORT": "4002"}).ib.port == 4002


@pytest.mark.parametrize(
    "pair", [("IB_PORT", "IB_GATEWAY_PORT"), ("IB_GATEWAY_PORT", "IBKR_PORT"), ("IBKR_PORT", "IB_PORT")]
)
def test_names_that_disagree_are_both_printed(tmp_path: Path, pair: tuple[str, str]) -> None:
    (line,) = refusal(tmp_path, {pair[0]: "4002", pair[1]: "7497"})
    assert f"{pair[0]}=4002" in line
    assert f"{pair[1]}=7497" in line


def test_a_conflict_of_secrets_does_not_print_them(tmp_path: Path) -> None:
    (line,) = refusal(tmp_path, {}, "SMTP_PASSWORD=first-secret\nSMTP_PASSWORD=second-secret\n")
    assert "SMTP_PASSWORD" in line
    assert "secret" not in line


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HTBOT_QTY=2\nPAPER_SEED=3\n")
    settings = load_settings(tmp_path, {"HTBOT_QTY": "4"})
    assert (settings.strategy.quantity, settings.paper.seed) == (4, 3)


def test_another_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "demo.env").write_text("HTBOT_QTY=2\n")
    assert load_settings(tmp_path, {"HTBOT_ENV_FILE": "demo.env"}).strategy.quantity == 2
    assert "no such file" in refusal(tmp_path, {"HTBOT_ENV_FILE": "other.env"})[0]


@pytest.mark.fault(44)
def test_windows_lines_quotes_comments_and_exports_are_accepted(tmp_path: Path) -> None:
    text = (
        "\ufeff# mine\r\n\r\nexport IB_HOST='10.0.0.5'\r\nIB_PORT=\"4002\"   # paper\r\nIB_CLIENT_ID=9     # Unique\r\n"
    )
    (tmp_path / ".env").write_bytes(text.encode())
    ib = load_settings(tmp_path, {}).ib
    assert (ib.host, ib.port, ib.client_id) == ("10.0.0.5", 4002, 9)


@pytest.mark.fault(44)
def test_each_malformed_line_is_named_by_its_number(tmp_path: Path) -> None:
    text = '\n# comment\nIB_HOST\n\n\nSMTP_PASSWORD="abc\nIB_PORT=4002\n'
    lines = refusal(tmp_path, {}, text)
    assert lines == [".env line 3: not NAME=value", ".env line 6: not NAME=value, unbalanced quote in SMTP_PASSWORD"]


@pytest.mark.fault(44)
def test_a_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"IB_HOST=\xff\xfe\n")
    assert len(refusal(tmp_path, {})) == 1


@pytest.mark.parametrize(
    ("line", "suggestion"),
    [("SMPT_SERVER=x", "SMTP_SERVER"), ("ib_port=4002", "IB_PORT"), ("HTBOT_QUANTITY=1", None), ("FOO=1", None)],
)
def test_unknown_names_in_the_file_are_refused(tmp_path: Path, line: str, suggestion: str | None) -> None:
    (said,) = refusal(tmp_path, {}, line)
    assert line.partition("=")[0] in said
    if suggestion:
        assert f"did you mean {suggestion}?" in said


def test_unknown_names_in_the_environment_are_refused_only_when_they_are_ours(tmp_path: Path) -> None:
    load_settings(tmp_path, {"PATH": "/bin", "SMTP_THING": "x", "HTBOT_SHARED_DATA": "/data"})
    assert "HTBOT_PROFIT_TARGET" in refusal(tmp_path, {"HTBOT_PROFIT_TARGT": "300"})[0]


@pytest.mark.fault(44)
def test_empty_means_unset(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("IB_HOST=\nIB_PORT=\nHTBOT_QTY=\n")
    settings = load_settings(tmp_path, {})
    assert settings.ib.builtin_paper
    assert settings.strategy.quantity == 1


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    lines = refusal(tmp_path, {"HTBOT_QTY": "0", "PAPER_SPEED": "fast", "SMTP_PORT": "x"})
    assert len(lines) == 3
