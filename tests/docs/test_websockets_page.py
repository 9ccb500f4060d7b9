"""The page on WebSockets: its client runs, its messages and codes are those of the code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS, fences, rows, text_of
from tests.support.people import FIRST, FakeLive, furnish
from tests.support.served import served

from htbot.api.routers.streams import OWN_ADDRESS
from htbot.api.streams import session
from htbot.api.streams.messages import LARGEST
from htbot.persistence.engine import Database
from htbot.services.board.board import DEPTH, KIND, Topic

PAGE = DOCS / "reference/websockets.md"


def test_the_client_prints_prices(tmp_path: Path) -> None:
    house = furnish(Database("postgresql://htbot@127.0.0.1:1/none"), tmp_path, FakeLive())
    (program,) = fences(PAGE, "python")
    with served(house.app()) as place:
        text = program.replace("8000", str(place.port))
        assert text != program
        command = [sys.executable, "-u", "-c", text]
        environment = {**os.environ, "HTBOT_API_TOKEN": FIRST}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            try:
                assert client.stdout.readline() == "ready\n"
                while not place.run(lambda: place.board.followed):
                    pass
                for number, price in ((1, 4152.0), (2, 4153.5)):
                    state = {"SPX": {"price": price}, "SPY": {"price": float(number)}}
                    place.run(lambda state=state: place.board.publish(Topic.PRICES, state, None))
                    assert client.stdout.readline() == f"{number} {price}\n"
            finally:
                client.kill()


def test_addresses_types_and_codes_are_those_of_the_code() -> None:
    text = text_of(PAGE)
    cells = [row[0] for row in rows(PAGE)]
    assert {cell for cell in cells if cell.startswith("`/ws")} == {
        "`/ws`",
        *(f"`/ws/{topic}`" for topic in OWN_ADDRESS),
    }
    kinds = next(row[1] for row in rows(PAGE) if row[0] == "`type`")
    assert [kind.strip("`, ") for kind in kinds.split(", by")[0].split(", ")] == list(KIND.values())
    ours = {session.MALFORMED, session.UNKNOWN_TOKEN, session.TOO_LATE, session.LOCKED_OUT, session.POLICY}
    ours |= {session.TOO_BIG, session.TRY_AGAIN_LATER}
    assert {int(cell) for cell in cells if cell.isdecimal()} == ours | {1011, 1012}
    terms = session.TERMS
    for said in (
        f"at most {LARGEST} characters",
        f"at most {terms.most_said} in ten seconds",
        f"within {terms.token_within_s:g} s",
        f"more than {DEPTH} changes",
        f"{terms.most_waiting} for sockets that have not shown a token",
    ):
        assert said in " ".join(text.split()), said
    assert all(f"`{topic}`" in text for topic in Topic if topic not in OWN_ADDRESS)
