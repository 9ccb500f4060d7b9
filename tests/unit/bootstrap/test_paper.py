from __future__ import annotations

import asyncio
import socket
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from htbot.bootstrap.paper import PaperOptions, build_gateway, run
from htbot.domain.errors import ConfigurationError
from htbot.matching.view import FillRules
from htbot.paper.book.book import BookRules
from htbot.paper.gateway import Gateway

START = date(2026, 3, 4)


@pytest.fixture(scope="module")
def calendar_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calendar")


def options(tmp_path: Path, calendar_dir: Path, **more: object) -> PaperOptions:
    settings = {"port": 0, "start": START, "speed": "max", **more}
    return PaperOptions(state_dir=tmp_path / "state", calendar_dir=calendar_dir, **settings)  # type: ignore[arg-type]


def test_the_same_options_give_the_same_world_and_account(tmp_path: Path, calendar_dir: Path) -> None:
    first = build_gateway(options(tmp_path / "a", calendar_dir))
    again = build_gateway(options(tmp_path / "b", calendar_dir))
    other = build_gateway(options(tmp_path / "c", calendar_dir, seed=8))
    assert (first.world_id, first.accounts) == (again.world_id, again.accounts)
    assert other.world_id != first.world_id
    assert other.accounts != first.accounts
    assert len(first.accounts[0]) == 9
    assert first.accounts[0].startswith("DU")


def test_a_stored_world_goes_on_and_another_seed_begins_anew(tmp_path: Path, calendar_dir: Path) -> None:
    first = build_gateway(options(tmp_path, calendar_dir))
    first.play(first.now + timedelta(seconds=30))
    first.turn_done()
    moved = first.now
    first.close()
    again = build_gateway(options(tmp_path, calendar_dir))
    assert (again.now, again.accounts) == (moved, first.accounts)
    again.close()
    other = build_gateway(options(tmp_path, calendar_dir, seed=8))
    assert other.now == first.market.start
    assert other.accounts != first.accounts


def test_a_default_start_stays_where_it_was_first(tmp_path: Path, calendar_dir: Path) -> None:
    first = build_gateway(options(tmp_path, calendar_dir, start=None))
    first.store.put_meta("world_start", datetime(2026, 3, 4, 14, 45, tzinfo=UTC).isoformat())
    first.store.commit()
    first.close()
    assert build_gateway(options(tmp_path, calendar_dir, start=None)).market.start.date() == START


def test_configured_accounts_are_taken(tmp_path: Path, calendar_dir: Path) -> None:
    assert build_gateway(options(tmp_path, calendar_dir, accounts=("DU1", "DU2"))).accounts == ("DU1", "DU2")


def test_fill_rules_and_latency_reach_the_gateway(tmp_path: Path, calendar_dir: Path) -> None:
    rules = BookRules(FillRules(slippage_ticks=3))
    config = build_gateway(options(tmp_path, calendar_dir, book=rules, latency_s=0.5)).config
    assert (config.book, config.latency_s) == (rules, 0.5)


def test_a_taken_port_is_one_line(tmp_path: Path, calendar_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            run(options(tmp_path, calendar_dir, port=port))


def test_a_turn_that_fails_stops_the_gateway_and_keeps_nothing_of_it(tmp_path: Path, calendar_dir: Path) -> None:
    class BrokenError(Exception):
        pass

    def broken() -> None:
        raise BrokenError

    def told(gateway: Gateway, port: int) -> None:
        assert port
        gateway.store.put_meta("half", "done")
        asyncio.get_running_loop().call_soon(broken)

    with pytest.raises(BrokenError):
        run(options(tmp_path, calendar_dir), told)
    assert build_gateway(options(tmp_path, calendar_dir)).store.meta("half") is None


@pytest.mark.parametrize(
    ("more", "named"),
    [({"start": date(2026, 3, 7)}, "2026-03-07"), ({"start": date(2026, 3, 4), "end": date(2026, 3, 8)}, "2026-03-08")],
)
def test_dates_that_make_no_world(tmp_path: Path, calendar_dir: Path, more: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        build_gateway(options(tmp_path, calendar_dir, **more))
