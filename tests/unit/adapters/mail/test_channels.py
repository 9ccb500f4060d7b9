from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from htbot.adapters.mail.channels import from_urls
from htbot.domain.alerts import Alert, Severity
from htbot.domain.errors import ConfigurationError, Retryable

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # imported by Apprise

ALERT = Alert("entry", Severity.WARNING, "Trade Entry", "legs", "", datetime(2022, 8, 26, 14, tzinfo=UTC), "entry:1")


@pytest.fixture
def webhook() -> Iterator[tuple[int, type]]:
    class Handler(BaseHTTPRequestHandler):
        status = 200
        bodies: list[dict[str, object]] = []  # noqa: RUF012

        def do_POST(self) -> None:
            self.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1], Handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_alert_reaches_the_service(webhook: tuple[int, type]) -> None:
    port, handler = webhook
    (delivery,) = from_urls([f"json://127.0.0.1:{port}/hook"])
    delivery.deliver(ALERT)
    assert handler.bodies[0]["title"] == "Trade Entry"
    assert handler.bodies[0]["message"] == "legs"
    assert delivery.name == "url1:json"


def test_service_that_says_no_is_retryable_and_keeps_the_url_secret(webhook: tuple[int, type]) -> None:
    port, handler = webhook
    handler.status = 500
    (delivery,) = from_urls([f"json://user:canary@127.0.0.1:{port}/hook"])
    with pytest.raises(Retryable) as caught:
        delivery.deliver(ALERT)
    assert "canary" not in str(caught.value)


def test_bad_url_is_named_by_position_not_by_content() -> None:
    with pytest.raises(ConfigurationError, match="entry 1") as caught:
        from_urls(["nosuchscheme://canary"])
    assert "canary" not in str(caught.value)
