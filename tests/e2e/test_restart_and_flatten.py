"""One instance, one trade: refused to stop under it, restarted under it, flattened by four callers at once, halted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.e2e.privacy_checks import keeps_to_itself
from tests.e2e.running import EVERYTHING, Instance, environment, running, until
from tests.support.quiet_day import write_quiet_day

from htbot.adapters.calendar import load_sessions
from htbot.bootstrap.install.processes import processes_of
from htbot.bootstrap.install.stack import Stack
from htbot.settings import project_root

DAY = date(2022, 8, 24)
ACT_S, START_S = 120, 300

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Place:
    """An environment and everything that a person has in it: the scripts, the command line, the REST API."""

    environ: Mapping[str, str]
    instance: Instance

    def script(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """./restart.sh"""
        return self._run(["./restart.sh", *arguments])

    def command(self, *arguments: str) -> Any:
        """`htbot ... --json`, read."""
        done = self._run([sys.executable, "-m", "htbot", *arguments, "--json"])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def _run(self, line: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line, env=dict(self.environ), cwd=project_root(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=START_S,
        )  # fmt: skip

    def client(self, token: str | None) -> httpx.Client:
        """A caller of the REST API."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.environ['HTBOT_API_PORT']}", headers=headers, timeout=60)

    def restarted(self) -> Place:
        """The same place with read models over what runs now."""
        return Place(self.environ, Instance(Stack(project_root(), self.environ)))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    table = load_sessions(date(2022, 8, 1), date(2022, 8, 31))
    sessions = [*table.before(DAY, 12), table.on(DAY)]
    data = write_quiet_day(tmp_path / "quiet.csv", [session for session in sessions if session is not None])
    environ = environment(
        tmp_path / "var",
        HTBOT_SYMBOL="SPY",
        HTBOT_STOP_LOSS="200",
        HTBOT_PROFIT_TARGET="22",  # the credit is 0.29 to 0.32, by the instant of the first look
        PAPER_DATA=str(data),
        PAPER_START=f"{DAY}T09:59",
        PAPER_SPEED="5",
    )
    with running(environ) as instance:
        yield Place(environ, instance)


@pytest.mark.ruling(9)
@pytest.mark.fault(56)
@pytest.mark.fault(57)
@pytest.mark.fault(59)
@pytest.mark.fault(62)
def test_a_trade_outlives_a_restart_and_is_flattened_once(place: Place) -> None:
    until(lambda: _state(place) == "open", 120, "a trade was opened")
    refuses_to_stop_under_it(place)
    place = goes_on_after_a_restart(place)
    try:
        closes_once_for_those_who_may(place)
        halts_by_file(place)
        keeps_to_itself(place.instance)
        stops(place)
    finally:
        place.instance.people.database.close()


def refuses_to_stop_under_it(place: Place) -> None:
    """RULINGS 9."""
    pids = {row.name: row.pid for row in place.instance.stack.states()}
    trade = place.instance.people.queries.status().open_trade
    assert trade is not None

    done = place.script("stop")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert f"SPY {trade.id} (open, account {trade.account}, maximum loss" in done.stderr
    assert "--flatten" in done.stderr
    assert {row.name: row.pid for row in place.instance.stack.states()} == pids


def goes_on_after_a_restart(before: Place) -> Place:
    """The clock, the books and the guard."""
    old, queries = before.instance.people.queries.status(), before.instance.people.queries
    books = queries.orders(EVERYTHING), queries.fills(EVERYTHING), _held(before)
    pids = {row.pid for row in before.instance.stack.states()}

    done = before.script()

    assert done.returncode == 0, done.stderr
    assert "READY" in done.stdout
    place = before.restarted()
    assert pids.isdisjoint(row.pid for row in place.instance.stack.states())
    until(place.instance.connected, ACT_S, "the desk is connected")
    queries = place.instance.people.queries
    new = queries.status()
    assert (new.world, new.account) == (old.world, old.account)
    assert old.market_time is not None
    assert new.market_time is not None
    assert new.market_time >= old.market_time
    assert (queries.orders(EVERYTHING), queries.fills(EVERYTHING), _held(place)) == books
    until(lambda: _marked_after(place, new.market_time), ACT_S, "the position is marked again")
    until(lambda: queries.status().trading_enabled, ACT_S, "trading is enabled again")
    assert [order.purpose for order in queries.orders(EVERYTHING)] == ["entry"]
    assert len(queries.trades(EVERYTHING)) == 1
    return place


def closes_once_for_those_who_may(place: Place) -> None:
    """401, 403, then four at once: flat once."""
    viewer = place.command("token", "create", "onlooker", "--role", "viewer")["token"]
    with place.client(None) as nobody, place.client(viewer) as onlooker:
        assert nobody.get("/status").status_code == 401
        assert nobody.post("/close/all").status_code == 401
        assert onlooker.get("/status").json()["open_trade"]["state"] == "open"
        assert onlooker.post("/close/all").status_code == 403
    assert _state(place) == "open"

    with place.client(place.environ["HTBOT_API_TOKEN"]) as operator, ThreadPoolExecutor(4) as pool:
        keys = [{}, {}, {"Idempotency-Key": "panic"}, {"Idempotency-Key": "panic"}]
        answers = list(pool.map(lambda headers: operator.post("/close/all", headers=headers), keys))
        assert [answer.status_code for answer in answers] == [202] * 4
        ids = [answer.json()["command_id"] for answer in answers]
        assert ids[0] == ids[1], "without a key the second joins the first"
        assert ids[2] == ids[3], "one key, one command"
        for command_id in set(ids):
            until(lambda asked=command_id: _ended(operator, asked), ACT_S, "the command is done")  # type: ignore[misc]
        assert operator.post("/close/all", headers={"Idempotency-Key": "panic"}).json()["command_id"] == ids[2]

    queries = place.instance.people.queries
    until(lambda: _state(place) is None, ACT_S, "the trade is closed")
    assert [order.purpose for order in queries.orders(EVERYTHING)] == ["entry", "exit"]
    fills = queries.fills(EVERYTHING)
    assert len(fills) == 4
    assert sum(fill.quantity * (1 if fill.side == "BUY" else -1) for fill in fills) == 0
    assert place.command("positions") == []


def halts_by_file(place: Place) -> None:
    """The STOP file, while flat: nothing is originated until it is gone."""
    stop = Path(place.environ["KILL_SWITCH_FILE"])
    with place.client(place.environ["HTBOT_API_TOKEN"]) as operator:
        stop.touch()
        until(lambda: operator.get("/status").json()["halt"], ACT_S, "the status says halted")
        assert "file" in {halt["source"] for halt in operator.get("/status").json()["halt"]}
        refused = _propose(operator, quantity=1)
        assert (refused.status_code, refused.json()["rule"]) == (422, "halt")

        stop.unlink()
        until(lambda: not operator.get("/status").json()["halt"], ACT_S, "the halt is gone with its file")
        until(lambda: _propose(operator, 1000).json()["rule"] == "order_quantity", ACT_S, "only the size is wrong now")
    assert len(place.instance.people.queries.trades(EVERYTHING)) == 1


def stops(place: Place) -> None:
    done = place.script("stop")
    assert (done.returncode, done.stdout, done.stderr) == (0, "stopped\n", "")
    assert processes_of(place.instance.stack.instance) == []


def _propose(operator: httpx.Client, quantity: int) -> httpx.Response:
    """A bull put spread out of the money, as a person would."""
    wanted = {"strategy": "vertical_spread", "symbol": "SPY", "qty_per_leg": quantity}
    return operator.post("/trade/signal", json=wanted | {"strike_short": 399, "strike_long": 391})


def _state(place: Place) -> str | None:
    trade = place.instance.people.queries.status().open_trade
    return None if trade is None else trade.state


def _held(place: Place) -> dict[int, int]:
    return {row.con_id: row.quantity for row in place.instance.people.queries.positions()}


def _marked_after(place: Place, at: datetime) -> bool:
    trade = place.instance.people.queries.status().open_trade
    return trade is not None and trade.marked_at is not None and trade.marked_at > at


def _ended(operator: httpx.Client, command_id: str) -> bool:
    found = operator.get(f"/commands/{command_id}").json()
    assert found["state"] in {"PENDING", "RUNNING", "DONE"}, found
    return bool(found["state"] == "DONE")
