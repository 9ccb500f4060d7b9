from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htbot.adapters.mail.message import Envelope, compose, parse_recipients
from htbot.domain.alerts import Alert, Severity
from htbot.domain.errors import ConfigurationError, Refused

AT = datetime(2022, 8, 26, 14, 2, 30, tzinfo=UTC)
ENVELOPE = Envelope("desk@example.org", ("one@example.org", "two@example.org"))
ALERT = Alert(
    kind="entry",
    severity=Severity.INFO,
    subject="Trade Entry",
    text="Bear call spread, credit 1.25 — filled.\n",
    html="<p>Bear call spread, credit <b>1.25</b></p>",
    as_of=AT,
    dedup_key="entry:htbot-spx_breakout-DU1-20220826-E1",
)


def test_message_carries_text_and_html_as_given() -> None:
    message = compose(ALERT, ENVELOPE, AT)
    text, html = message.iter_parts()
    assert message["Subject"] == "HTBot Alert: Trade Entry"
    assert message["To"] == "one@example.org, two@example.org"
    assert message["Date"] == "Fri, 26 Aug 2022 14:02:30 +0000"
    assert text.get_content_type() == "text/plain"
    assert text.get_content().replace("\r\n", "\n") == ALERT.text
    assert html.get_content_type() == "text/html"
    assert html.get_content().strip() == ALERT.html


def test_alert_without_html_is_plain_text() -> None:
    message = compose(dataclasses.replace(ALERT, html=""), ENVELOPE, AT)
    assert message.get_content_type() == "text/plain"


def test_prefix_is_not_doubled() -> None:
    message = compose(dataclasses.replace(ALERT, subject="HTBot Alert: Trade Exit - time"), ENVELOPE, AT)
    assert message["Subject"] == "HTBot Alert: Trade Exit - time"


def test_same_alert_has_same_message_id_and_another_has_another() -> None:
    other = dataclasses.replace(ALERT, dedup_key="exit:1")
    assert compose(ALERT, ENVELOPE, AT)["Message-ID"] == compose(ALERT, ENVELOPE, datetime.now(UTC))["Message-ID"]
    assert compose(ALERT, ENVELOPE, AT)["Message-ID"] != compose(other, ENVELOPE, AT)["Message-ID"]


@pytest.mark.parametrize("field", ["subject", "kind"])
@pytest.mark.parametrize("payload", ["a\nBcc: x@evil.test", "a\r\n\r\nbody", "a\rb", "nul\x00", "a\u2028b", "a\x85b"])
def test_header_injection_is_refused(field: str, payload: str) -> None:
    with pytest.raises(Refused, match=f"mail_header: {field}"):
        compose(dataclasses.replace(ALERT, **{field: payload}), ENVELOPE, AT)


@given(st.text(max_size=300))
def test_any_subject_is_one_header_or_refused(subject: str) -> None:
    try:
        raw = compose(dataclasses.replace(ALERT, subject=subject), ENVELOPE, AT).as_bytes()
    except Refused:
        return
    head = raw.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert len(names) == len(set(names))
    assert b"Bcc" not in names


@pytest.mark.parametrize("address", ["", "name", "a@b\nBcc: c@d", "a b@c", "@host", "x@"])
def test_bad_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="no e-mail address"):
        Envelope("desk@example.org", (address,))


def test_no_recipient_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="NOTIFICATION_EMAIL"):
        Envelope("desk@example.org", ())


def test_recipient_lists() -> None:
    assert parse_recipients(" a@b.c, d@e.f;a@b.c ,") == ("a@b.c", "d@e.f")
