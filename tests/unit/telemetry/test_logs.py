from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from htbot.telemetry.logs import bind_context, clear_context, configure_logging, get_logger
from htbot.telemetry.masking import hide_secret, masked


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    configure_logging("desk", stream=stream, level="INFO")
    yield stream
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    clear_context()


def test_every_line_is_json_with_its_program(lines: io.StringIO) -> None:
    get_logger("htbot.test").info("order_sent", ref="a-1", quantity=2)
    logging.getLogger("library").warning("from %s", "outside")
    first, second = (json.loads(line) for line in lines.getvalue().splitlines())
    assert first["program"] == second["program"] == "desk"
    assert (first["event"], first["ref"], first["quantity"], first["level"]) == ("order_sent", "a-1", 2, "info")
    assert second["event"] == "from outside"


def test_a_person_at_a_terminal_gets_short_lines(lines: io.StringIO) -> None:
    configure_logging("paper", stream=lines, console=True)
    get_logger("htbot.test").info("client joined", client_id=7, token="canary")
    line = lines.getvalue()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d \[info +\] client joined \[htbot.test\] client_id=7 token=(?!canary).*\n", line
    )


def test_context_is_on_each_line(lines: io.StringIO) -> None:
    bind_context(as_of="2022-08-26T14:00:00Z")
    get_logger("htbot.test").info("evaluated")
    assert json.loads(lines.getvalue())["as_of"] == "2022-08-26T14:00:00Z"


def test_tracebacks_are_part_of_the_line(lines: io.StringIO) -> None:
    try:
        int("unreadable")
    except ValueError:
        get_logger("htbot.test").exception("failed")
    (line,) = lines.getvalue().splitlines()
    assert "ValueError: invalid literal" in json.loads(line)["exception"]


def test_secrets_do_not_reach_the_log(lines: io.StringIO) -> None:
    hide_secret("sw0rdf1sh-1")
    get_logger("htbot.test").info(
        "starting",
        api_token="abcdef",
        url="redis://:hunter2@127.0.0.1:6379/0",
        nested={"smtp_password": "hunter3", "note": "sw0rdf1sh-1"},
    )
    logging.getLogger("library").warning("Authorization: Bearer %s", "hunter4hunter4")
    text = lines.getvalue()
    for secret in ("abcdef", "hunter2", "hunter3", "hunter4", "sw0rdf1sh-1"):
        assert secret not in text


def test_what_is_no_secret_stays_readable() -> None:
    assert masked({"token_count": 3, "host": "db", "url": "http://db:5432/x"}) == {
        "token_count": 3,
        "host": "db",
        "url": "http://db:5432/x",
    }
