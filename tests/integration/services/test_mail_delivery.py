"""From the outbox to a real SMTP server with STARTTLS and login, and into the stream of a real Redis."""

from __future__ import annotations

import email
import email.policy
import json
import ssl
import threading
from datetime import timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import redis
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as SmtpEnvelope
from tests.support import record
from tests.support.mailbox import LOGIN, PASSWORD, Mailbox, guarded, serve
from tests.support.people import HOST_NOW
from tests.support.waiting import PATIENCE_S

from htbot.adapters.alert_stream import FIELD, STREAM, AlertStream
from htbot.adapters.mail.channels import AppriseDelivery
from htbot.adapters.mail.message import Envelope
from htbot.adapters.mail.smtp import SmtpDelivery, SmtpServer
from htbot.alerts.document import FIELDS
from htbot.bootstrap.install.ports import free_port
from htbot.persistence.engine import Database
from htbot.persistence.repositories import AlertRepository
from htbot.persistence.states import AlertState
from htbot.services.alert_delivery import Channel, DeliveryParts, deliver_due


class Wall:
    """Wall time that a test moves."""

    def __init__(self) -> None:
        self.now = HOST_NOW

    def parts(self, database: Database, *channels: Channel, stream: AlertStream | None = None) -> DeliveryParts:
        made = DeliveryParts(database, channels, lambda: self.now)
        return made if stream is None else DeliveryParts(database, channels, lambda: self.now, stream.publish)


@pytest.fixture
def wall() -> Wall:
    return Wall()


def smtp(port: int, timeout_s: float = PATIENCE_S) -> SmtpDelivery:
    server = SmtpServer("127.0.0.1", port, LOGIN, PASSWORD, timeout_s=timeout_s)
    return SmtpDelivery(server, Envelope("desk@example.org", ("person@example.org",)))


def store(database: Database, *keys: str, **changes: object) -> None:
    with database.transaction() as session:
        for key in keys:
            assert AlertRepository(session).add(record.alert(key, subject=f"HTBot Alert: {key}", **changes))


def subjects(mailbox: Mailbox) -> list[str]:
    read = [email.message_from_bytes(mail, _class=EmailMessage, policy=email.policy.default) for mail in mailbox.mails]
    return [str(mail["Subject"]).removeprefix("HTBot Alert: ") for mail in read]


def states(database: Database) -> set[AlertState]:
    with database.transaction() as session:
        return {stored.state for stored in AlertRepository(session).recent(2000)}


@pytest.mark.fault(45)
def test_each_is_delivered_once_in_order_encrypted(database: Database, tls: ssl.SSLContext, wall: Wall) -> None:
    keys = [f"cause {number}" for number in range(5)]
    store(database, *keys)
    mailbox = Mailbox()
    with serve(mailbox, **guarded(tls)) as port:
        parts = wall.parts(database, smtp(port))
        assert [deliver_due(parts), deliver_due(parts)] == [5, 0]
    assert subjects(mailbox) == keys
    assert mailbox.encrypted == [True] * 5


@pytest.mark.fault(45)
def test_a_storm_is_one_mail(database: Database, tls: ssl.SSLContext, wall: Wall) -> None:
    store(database, *(f"cause {number}" for number in range(1000)))
    mailbox = Mailbox()
    with serve(mailbox, **guarded(tls)) as port:
        assert deliver_due(wall.parts(database, smtp(port))) == 1000
    assert subjects(mailbox) == ["1,000 Alerts at Once"]
    assert states(database) == {AlertState.SENT}


@pytest.mark.fault(45)
def test_the_outbox_drains_in_order_when_the_server_is_back(database: Database, wall: Wall) -> None:
    store(database, "one", "two")
    port = free_port()
    parts = wall.parts(database, smtp(port))
    for _ in range(20):
        assert deliver_due(parts) == 0
        wall.now += timedelta(minutes=6)
    store(database, "three")
    mailbox = Mailbox()
    with serve(mailbox, port, auth_require_tls=False, authenticator=guarded(None)["authenticator"]):
        assert deliver_due(parts) == 3
    assert subjects(mailbox) == ["one", "two", "three"]


@pytest.mark.fault(45)
@pytest.mark.parametrize("trouble", [Mailbox(answer="550 5.7.1 policy"), Mailbox(rcpt="450 4.2.1 busy")])
def test_a_server_that_rejects_all_for_a_while_loses_none(database: Database, wall: Wall, trouble: Mailbox) -> None:
    store(database, "one", "two", "three")
    options = {"auth_require_tls": False, "authenticator": guarded(None)["authenticator"]}
    with serve(trouble, **options) as port:
        parts = wall.parts(database, smtp(port))
        assert deliver_due(parts) == 0
        wall.now += timedelta(minutes=6)
        trouble.answer = trouble.rcpt = "250 OK"
        assert deliver_due(parts) == 3
    assert subjects(trouble) == ["one", "two", "three"]


class Slow(Mailbox):
    """Answers to DATA when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = threading.Event(), threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: SmtpEnvelope) -> str:  # noqa: N802
        self.reached.set()
        while not self.go_on.is_set():
            await server.loop.run_in_executor(None, self.go_on.wait, 0.05)
        return await super().handle_DATA(server, session, envelope)


@pytest.mark.fault(45)
def test_while_a_server_is_slow_trades_commit_and_another_worker_does_not_wait(database: Database, wall: Wall) -> None:
    store(database, "one", "two")
    mailbox = Slow()
    with serve(mailbox, auth_require_tls=False, authenticator=guarded(None)["authenticator"]) as port:
        parts = wall.parts(database, smtp(port))
        sending = threading.Thread(target=deliver_due, args=(parts,))
        sending.start()
        try:
            assert mailbox.reached.wait(PATIENCE_S)
            store(database, "three")  # the transaction of a trade: commits while the mail hangs
            assert deliver_due(parts) == 0, "another worker leaves the outbox alone, so that nothing overtakes"
        finally:
            mailbox.go_on.set()
            sending.join(PATIENCE_S)
    assert subjects(mailbox) == ["one", "two", "three"]


@pytest.mark.fault(55)
@pytest.mark.parametrize("payload", ["a\r\nBcc: x@evil.example", "a\nX: y", "a\x00b", "a\u2028b"])
def test_a_subject_that_injects_a_header_never_leaves(database: Database, wall: Wall, payload: str) -> None:
    with database.transaction() as session:
        AlertRepository(session).add(record.alert("bad", subject=payload.replace("\x00", "\x01")))
    store(database, "good")
    mailbox = Mailbox()
    with serve(mailbox, auth_require_tls=False, authenticator=guarded(None)["authenticator"]) as port:
        assert deliver_due(wall.parts(database, smtp(port))) == 1
    assert subjects(mailbox) == ["good"]
    assert not any(b"evil" in mail for mail in mailbox.mails)
    assert states(database) == {AlertState.SENT, AlertState.DEAD}


# --- other channels ---------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # imported by Apprise
@pytest.mark.fault(45)
def test_a_channel_by_url_has_the_same_rules(database: Database, wall: Wall) -> None:
    heard: list[str] = []
    answer = [503]

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if answer[0] == 200:
                heard.append(body["title"])
            self.send_response(answer[0])
            self.end_headers()

        def log_message(self, *_words: object) -> None: ...

    store(database, "one", "two")
    server = HTTPServer(("127.0.0.1", 0), Hook)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        parts = wall.parts(database, AppriseDelivery(f"json://127.0.0.1:{server.server_port}/", 1))
        assert deliver_due(parts) == 0
        answer[0] = 200
        wall.now += timedelta(seconds=31)
        assert deliver_due(parts) == 2
        store(database, *(f"cause {number}" for number in range(30)))
        assert deliver_due(parts) == 30
    finally:
        server.shutdown()
        server.server_close()
        serving.join(PATIENCE_S)
    assert heard == ["HTBot Alert: one", "HTBot Alert: two", "HTBot Alert: 30 Alerts at Once"]


# --- the stream -------------------------------------------------------------------------------------------------------


def entries(url: str) -> list[dict[str, object]]:
    with redis.Redis.from_url(url) as connection:
        found = connection.xrange(STREAM)
    return [json.loads(fields[FIELD.encode()]) for _, fields in found]  # type: ignore[union-attr]


def test_what_was_delivered_stands_in_the_stream_and_a_group_reads_it(
    database: Database, redis_url: str, wall: Wall, tls: ssl.SSLContext
) -> None:
    store(database, "one", "two")
    with serve(Mailbox(), **guarded(tls)) as port:
        deliver_due(wall.parts(database, smtp(port), stream=AlertStream(redis_url)))
    told = entries(redis_url)
    assert [tuple(entry) for entry in told] == [FIELDS, FIELDS]
    assert [entry["dedup_key"] for entry in told] == ["one", "two"]
    with redis.Redis.from_url(redis_url) as connection:
        connection.xgroup_create(STREAM, "alert-router-group", id="0")
        ((_, read),) = connection.xreadgroup("alert-router-group", "alert-router-1", {STREAM: ">"}, count=10)  # type: ignore[union-attr]
        assert [json.loads(fields[FIELD.encode()])["dedup_key"] for _, fields in read] == ["one", "two"]
        assert connection.xack(STREAM, "alert-router-group", *[entry for entry, _ in read]) == 2


def test_each_cause_of_a_storm_stands_in_the_stream(database: Database, redis_url: str, wall: Wall) -> None:
    store(database, *(f"cause {number}" for number in range(50)))
    with serve(Mailbox(), auth_require_tls=False, authenticator=guarded(None)["authenticator"]) as port:
        deliver_due(wall.parts(database, smtp(port), stream=AlertStream(redis_url)))
    assert [entry["dedup_key"] for entry in entries(redis_url)] == [f"cause {number}" for number in range(50)]


def test_the_stream_is_bounded(redis_url: str) -> None:
    stream = AlertStream(redis_url, most_entries=100)
    for part in range(10):
        stream.publish([(f"{part}-{number}", record.alert(f"{part}-{number}")) for number in range(100)])
    told = entries(redis_url)
    assert 100 <= len(told) <= 300
    assert told[-1]["dedup_key"] == "9-99"


def test_redis_away_stops_no_mail(database: Database, wall: Wall, tls: ssl.SSLContext) -> None:
    store(database, "one")
    mailbox = Mailbox()
    with serve(mailbox, **guarded(tls)) as port:
        away = AlertStream(f"redis://127.0.0.1:{free_port()}/0")
        assert deliver_due(wall.parts(database, smtp(port), stream=away)) == 1
    assert subjects(mailbox) == ["one"]
    assert states(database) == {AlertState.SENT}
