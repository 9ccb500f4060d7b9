from __future__ import annotations

from pathlib import Path

import pytest

from htbot.adapters.mail.files import FileDelivery
from htbot.adapters.mail.smtp import SmtpDelivery
from htbot.bootstrap.mail import build_channels
from htbot.domain.errors import ConfigurationError
from htbot.settings import load_settings

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # imported by Apprise


def test_without_a_server_mails_are_files(tmp_path: Path) -> None:
    (channel,) = build_channels(load_settings(tmp_path, {}))
    assert isinstance(channel, FileDelivery)


def test_a_server_takes_the_place_of_the_folder_and_urls_come_besides(tmp_path: Path) -> None:
    settings = load_settings(
        tmp_path,
        {
            "SMTP_SERVER": "127.0.0.1",
            "SMTP_USERNAME": "desk@example.org",
            "SMTP_PASSWORD": "secret",
            "NOTIFICATION_EMAIL": "one@example.org, two@example.org",
            "ALERT_URLS": "json://127.0.0.1/a json://127.0.0.1/b",
        },
    )
    smtp, *urls = build_channels(settings)
    assert isinstance(smtp, SmtpDelivery)
    assert smtp._envelope.recipients == ("one@example.org", "two@example.org")
    assert smtp._envelope.sender == "desk@example.org"
    assert [url.name for url in urls] == ["url1:json", "url2:json"]


def test_bad_url_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ALERT_URLS"):
        build_channels(load_settings(tmp_path, {"ALERT_URLS": "nonsense://x"}))
